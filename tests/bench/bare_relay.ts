/**
 * `bare_relay.ts URL COMMAND…`: what the gateway does, in the simplest way that there is. It reads the
 * child's lines, appends them to a file, syncs that, publishes the nine readings of each at QoS 1 and
 * forgets them. SIGTERM ends it; it prints how long each sync took, in milliseconds.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import mqtt from "mqtt";
import { BUILT_IN_METRICS } from "../../lib/catalogue.ts";

/** The command that runs this file between the board that `board` runs and the broker at `url`. */
export function bareRelay(url: string, board: readonly string[]): string[] {
  const path = fileURLToPath(import.meta.url);
  return [Deno.execPath(), "run", "-q", "-A", path, url, ...board];
}

async function relay(url: string, [program = "", ...args]: readonly string[]) {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5 });
  const stream = client.stream as unknown as { setNoDelay(on: boolean): void };
  stream.setNoDelay(true);
  const child = new Deno.Command(program, { args, stdout: "piped" }).spawn();
  const path = await Deno.makeTempFile();
  using file = await Deno.open(path, { append: true });
  const syncsMs: number[] = [];
  Deno.addSignalListener("SIGTERM", () => {
    child.kill("SIGKILL");
    Deno.removeSync(path);
    // deno-lint-ignore no-console -- this is a program of its own
    console.log(JSON.stringify(syncsMs));
    Deno.exit(0);
  });
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    const beganMs = performance.now();
    file.writeSync(chunk);
    file.syncDataSync();
    syncsMs.push(performance.now() - beganMs);
    for (const line of decoder.decode(chunk).split("\n")) {
      if (line === "") continue;
      for (const [topic, value] of readingsOf(line)) {
        client.publish(topic, value, { qos: 1 });
      }
    }
  }
}

/** Topics and payloads. */
function* readingsOf(line: string): Iterable<[string, string]> {
  const packet = JSON.parse(line.slice(line.indexOf("{")));
  for (const { path, node, name } of BUILT_IN_METRICS) {
    const [group = "", key = ""] = path.split(".");
    const value = packet[group]?.[key];
    if (value !== undefined) yield [`iiot/${node}/${name}`, String(value)];
  }
}

if (import.meta.main) {
  const [url = "", ...board] = Deno.args;
  await relay(url, board);
}
