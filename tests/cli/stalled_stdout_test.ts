import assert from "node:assert/strict";
import { DEAD_PORT } from "../servers.ts";
import { PROGRAMS } from "./program.ts";

/** An environment takes at most 128 KiB for one variable. */
const LONG = "u".repeat(100_000);

for (const { form, command: [program, ...first] } of PROGRAMS) {
  Deno.test(`run reads the board and ends when it is told to, though nobody reads its stdout (${form})`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/config.toml`, configWithLongLines());
      await using child = new Deno.Command(program!, {
        args: [...first, "run", "--simulate", "-c", `${folder}/config.toml`],
        env: { LONG },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      // What hangs obeys nothing else.
      const hangs = setTimeout(() => child.kill("SIGKILL"), 20_000);
      let log = "";
      for await (
        const text of child.stderr.pipeThrough(new TextDecoderStream())
      ) {
        const before = packetsIn(log);
        log += text;
        // The first one's line is under way when the second comes.
        if (before < 3 && packetsIn(log) >= 3) child.kill("SIGTERM");
      }
      const { code } = await child.status;
      clearTimeout(hangs);
      await child.stdout.cancel();
      assert.equal(code, 0, log);
      assert.match(log, /Stopped: [^0]\d* readings wait/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** A configuration whose live lines are longer than what any pipe holds. */
function configWithLongLines(): string {
  return `
log.level = "debug"
[influxdb]
url = "http://127.0.0.1:${DEAD_PORT}"
org = "my-org"
bucket = "telemetry"
token = "secret-token"
[[metric]]
path = "n1.t"
node = "node1"
name = "temperature"
unit = "${"${LONG}".repeat(10)}"
`;
}

function packetsIn(log: string): number {
  return log.split("LoRa packet received").length - 1;
}
