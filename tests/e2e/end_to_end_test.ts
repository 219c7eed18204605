import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUILT_IN_METRICS } from "../../lib/catalogue.ts";
import {
  type Mosquitto,
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
  type VictoriaMetrics,
} from "../servers.ts";
import { type Program, PROGRAMS } from "../cli/program.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";
import { values } from "./numbered_packet.ts";

const PACKETS = 1000;
const BOARD = fileURLToPath(new URL("numbered_board.ts", import.meta.url));
const METRICS = BUILT_IN_METRICS.filter(({ path }) => path in values(0));
const PREFIX = "iiot";

function config(
  mosquitto: Mosquitto,
  victoria: VictoriaMetrics,
  command: string[],
): string {
  return `
[mqtt]
broker_url = "${mosquitto.url}"
client_id = "e2e"
topic_prefix = "${PREFIX}"
qos = 1
start_at = "oldest"

[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "my-super-secret-auth-token"

[gateway]
command = ${JSON.stringify(command)}
channel_capacity = 100
`;
}

/** Every value of each metric, in the order of the packets. */
function expected(path: string): number[] {
  return Array.from(
    { length: PACKETS },
    (_, index) => values(index)[path as keyof ReturnType<typeof values>],
  );
}

/** Leaves out what was sent again: a value that does not follow the one before it. */
function withoutRepeats(heard: readonly string[], wanted: number[]): string[] {
  const taken: string[] = [];
  for (const payload of heard) {
    if (payload === String(wanted[taken.length])) taken.push(payload);
  }
  return taken;
}

async function deliversEverything(program: Program): Promise<void> {
  await using mosquitto = await startMosquitto();
  await using victoria = await startVictoriaMetrics();
  await using subscriber = await subscribe(mosquitto.url, `${PREFIX}/#`, {
    clientId: "durable",
  });
  const stateFolder = await Deno.makeTempDir({ prefix: "iiot-board-" });
  await using _removed = {
    [Symbol.asyncDispose]: () => Deno.remove(stateFolder, { recursive: true }),
  };
  const state = join(stateFolder, "state");
  await using gateway = await GatewayProcess.create({
    program,
    config: config(mosquitto, victoria, [
      Deno.execPath(),
      ...["run", "-A", "-q", "--cached-only", BOARD],
      ...[state, String(PACKETS), "300"],
    ]),
  });

  // The child ends after 300 packets each time; meanwhile each server goes and comes back, and so
  // does the gateway.
  gateway.start();
  await subscriber.waitFor(500);
  await mosquitto.stop();
  await victoria.stop();
  await mosquitto.start();
  await subscriber.waitFor(3000);
  await victoria.start();
  assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  const before = await gateway.status();
  assert.equal(before.gateway, null);
  gateway.start();
  await subscriber.waitFor(9 * PACKETS, 120_000);
  const status = await eventually("everything is delivered", async () => {
    const now = await gateway.status();
    const delivered = now.sinks.every((sink) => sink.delivered >= 9 * PACKETS);
    return delivered && now;
  });

  for (const sink of status.sinks) {
    assert.equal(sink.received, 9 * PACKETS, sink.name);
    assert.equal(sink.delivered, 9 * PACKETS, sink.name);
    assert.equal(sink.waiting, 0, sink.name);
    assert.deepEqual(sink.dropped, {}, sink.name);
    assert.ok(sink.balanced, sink.name);
  }
  const [lines] = status.boards;
  assert.ok(lines);
  assert.equal(lines.packets, PACKETS);
  assert.equal(lines.rejects, 0);
  assert.equal(lines.lines, lines.packets + lines.rejects + lines.other);

  for (const { path, node, name } of METRICS) {
    const topic = `${PREFIX}/${node}/${name}`;
    const heard = subscriber.messages
      .filter((message) => message.topic === topic)
      .map(({ payload }) => payload);
    const wanted = expected(path);
    assert.deepEqual(
      withoutRepeats(heard, wanted),
      wanted.map(String),
      topic,
    );
  }
  await checkRetained(mosquitto);
  await checkPoints(victoria);
  const checked = await gateway.run("check", "--config", "config.toml");
  assert.equal(checked.code, 0, checked.stdout);
  assert.match(checked.stdout, /✅ InfluxDB health check passed!/);
  assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  assert.equal(
    (gateway.log + gateway.output).includes("my-super-secret-auth-token"),
    false,
  );
}

async function checkRetained(mosquitto: Mosquitto): Promise<void> {
  await using late = await subscribe(mosquitto.url, `${PREFIX}/#`);
  const retained = METRICS.filter(({ retain }) => retain);
  await late.waitFor(retained.length);
  const wanted = retained.map(({ path, node, name }) =>
    [`${PREFIX}/${node}/${name}`, String(expected(path).at(-1))] as const
  );
  assert.deepEqual(
    late.messages.map(({ topic, payload }) => [topic, payload]).sort(),
    wanted.toSorted(),
  );
  assert.ok(late.messages.every(({ retain }) => retain));
}

async function checkPoints(victoria: VictoriaMetrics): Promise<void> {
  const points = await eventually("every point can be read", async () => {
    const all = await victoria.export();
    return all.length >= 9 * PACKETS && all;
  });
  const timeOf = new Map(
    points.filter(({ name }) => name === "gas_resistance_value")
      .map(({ value, timeMs }) => [value, timeMs]),
  );
  for (const { path, node, measurement, unit } of METRICS) {
    const found = points.filter(({ name, tags }) =>
      name === `${measurement}_value` && tags["node"] === node
    );
    assert.ok(found.every(({ tags }) => (tags["unit"] ?? null) === unit), path);
    // A point that was sent again has its old time, so it is the same point: sets are compared.
    assert.deepEqual(
      new Set(found.map(({ timeMs, value }) => `${timeMs} ${value}`)),
      new Set(
        expected(path).map((value, index) =>
          `${timeOf.get(values(index)["n1.g"])} ${value}`
        ),
      ),
      path,
    );
  }
}

for (const form of ["source", "executable"]) {
  const program = PROGRAMS.find((one) => one.form === form);
  const needed = Deno.env.get("REQUIRE_REAL") === "1";
  const { ignore } = requires("mosquitto", "victoria-metrics");
  Deno.test({
    name:
      `1,000 packets arrive as 9,000 messages and 9,000 points, whatever stops in between (${form})`,
    ignore: ignore || (program === undefined && !needed),
    fn: () => {
      assert.ok(
        program,
        "IIOT_GATEWAY_EXECUTABLE does not name the executable",
      );
      return deliversEverything(program);
    },
  });
}
