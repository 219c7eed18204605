import assert from "node:assert/strict";
import { join } from "node:path";
import {
  DEAD_PORT,
  type ExportedPoint,
  type Mosquitto,
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
  type VictoriaMetrics,
} from "../servers.ts";
import { PROGRAMS } from "../cli/program.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const DAY_S = 86_400;
/** Every packet says when it was sent, by a clock that nobody steps. */
const BOARD = [
  "start=$(date +%s%3N)",
  "while :; do now=$(date +%s%3N)",
  'echo "JSON sent via VCP: {\\"ts\\":$((now - start)),\\"x\\":{\\"sent\\":$now}}"',
  "sleep 0.1; done",
].join("; ");
/** How long a gateway is stopped for; longer by hand. */
const STOPPED_S = Number(Deno.env.get("STOPPED_S") ?? 6);
/** How far the time of a point may be from when it was sent, in milliseconds. */
const NEAR_MS = 400;

interface Setup {
  /** How far ahead the wall clock is at the start. @default {0} */
  readonly aheadS?: number;
  readonly holdS: number;
  readonly mosquitto?: Mosquitto;
}

/** A gateway that runs, with a database, and whose wall clock the test steps. */
async function steppedGateway({ aheadS = 0, holdS, mosquitto }: Setup) {
  const [program] = PROGRAMS;
  assert.ok(program);
  await using stack = new AsyncDisposableStack();
  const victoria = stack.use(await startVictoriaMetrics());
  const hands = await Deno.makeTempFile({ prefix: "iiot-clock-" });
  stack.defer(() => Deno.remove(hands));
  /** The wall clock is so many seconds ahead from now on. */
  const step = (seconds: number) =>
    Deno.writeTextFile(hands, `${seconds < 0 ? "" : "+"}${seconds}`);
  const gateway = await GatewayProcess.create({
    program,
    env: {
      LD_PRELOAD: findFaketime(),
      FAKETIME_TIMESTAMP_FILE: hands,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    config: `
${
      mosquitto === undefined ? "" : `[mqtt]
broker_url = "${mosquitto.url}"
client_id = "clock"
topic_prefix = "iiot"
live_within_s = 1
`
    }
[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "a-token-of-its-own"
[gateway]
command = ["sh", "-c", '''${BOARD}''']
[clock]
hold_s = ${holdS}
[[metric]]
path = "x.sent"
node = "x"
name = "sent"
`,
  });
  stack.use(gateway);
  await step(aheadS);
  gateway.start();
  const moved = stack.move();
  return {
    victoria,
    gateway,
    step,
    /** Waits until so many packets more are in the journal. */
    packets: async (more: number) => {
      const count = async () =>
        (await gateway.status()).boards[0]?.packets ?? 0;
      const first = await count();
      await eventually(
        `${more} packets more\n${gateway.log}`,
        async () => await count() >= first + more,
      );
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

function findFaketime(): string {
  for (const { name } of Deno.readDirSync("/usr/lib")) {
    const path = `/usr/lib/${name}/faketime/libfaketimeMT.so.1`;
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // Not for this architecture.
    }
  }
  throw new Error("The library of faketime is not installed");
}

/** Waits until everything is in the database after the gateway's end, and looks at each time. */
async function checkTimes(
  victoria: VictoriaMetrics,
  gateway: GatewayProcess,
): Promise<ExportedPoint[]> {
  const status = await gateway.status();
  const packets = status.sinks.find(({ name }) => name === "influxdb")
    ?.received ?? 0;
  // What VictoriaMetrics has taken shows a moment later.
  const points = await eventually(
    `${packets} points\n${gateway.log}`,
    async () => {
      const points = await victoria.export();
      return points.length >= packets && points;
    },
    10_000,
  );
  assert.equal(points.length, packets);
  // No point is there twice under two times, and none is missing.
  assert.equal(new Set(points.map(({ value }) => value)).size, packets);
  for (const { timeMs, value } of points) {
    assert.ok(
      Math.abs(timeMs - value) < NEAR_MS,
      `sent at ${value}, stored at ${timeMs}\n${gateway.log}`,
    );
  }
  return points;
}

const delivered = async (gateway: GatewayProcess) =>
  (await gateway.status()).sinks.find(({ name }) => name === "influxdb")
    ?.delivered ?? 0;

Deno.test({
  name:
    "A gateway that starts with the time of last month has every point right once the clock is set, over a kill",
  ...requires("faketime", "victoria-metrics", "mosquitto"),
  fn: async () => {
    await using mosquitto = await startMosquitto();
    await using subscriber = await subscribe(mosquitto.url, "iiot/x/sent");
    await using world = await steppedGateway({
      aheadS: -30 * DAY_S,
      holdS: 300,
      mosquitto,
    });
    const { victoria, gateway, step, packets } = world;
    await packets(5);
    await gateway.end("SIGKILL");
    gateway.start();
    await packets(5);
    assert.deepEqual(await victoria.export(), []);
    const heard = subscriber.messages.length;
    assert.ok(heard >= 5, String(heard));
    assert.ok(
      subscriber.messages.every(({ userProperties }) =>
        userProperties["time"] === undefined
      ),
    );
    await step(0);
    await eventually(
      `points arrive\n${gateway.log}`,
      async () => (await delivered(gateway)) > 10,
      15_000,
    );
    assert.equal(await gateway.end("SIGTERM"), 0);
    const points = await checkTimes(victoria, gateway);
    assert.ok(points.every(({ tags }) => tags["clock"] === undefined));
    const { clock } = await gateway.status();
    assert.equal(clock?.known_by, "influxdb");
  },
});

Deno.test({
  name:
    "A gateway whose clock goes back an hour, to 2096 and back again keeps every time right and unique",
  ...requires("faketime", "victoria-metrics"),
  fn: async () => {
    await using world = await steppedGateway({ holdS: 60 });
    const { victoria, gateway, step, packets } = world;
    await packets(5);
    for (const seconds of [-3_600, 0, 73 * 365 * DAY_S, 0]) {
      await step(seconds);
      await packets(5);
    }
    await packets(5);
    await eventually(
      "everything waits no more",
      async () => (await delivered(gateway)) > 20,
      15_000,
    );
    assert.equal(await gateway.end("SIGTERM"), 0);
    await checkTimes(victoria, gateway);
    assert.match(gateway.log, /was set back by 60 min/);
    assert.match(gateway.log, /was set forward by \d+ d/);
  },
});

Deno.test({
  name:
    "A gateway whose clock nobody ever confirms goes on, and marks its points as estimated",
  ...requires("faketime", "victoria-metrics"),
  fn: async () => {
    await using world = await steppedGateway({
      aheadS: -30 * DAY_S,
      holdS: 2,
    });
    const { victoria, gateway } = world;
    const points = await eventually("points arrive", async () => {
      const points = await victoria.export();
      return points.length >= 20 && points;
    });
    for (const { tags, timeMs, value } of points) {
      assert.equal(tags["clock"], "estimated");
      assert.ok(Math.abs(timeMs + 30 * DAY_S * 1000 - value) < NEAR_MS);
    }
    assert.equal(await gateway.end("SIGTERM"), 0);
    assert.match(gateway.log, /Nobody has said for 2 s .* differs .* 30 d/);
  },
});

Deno.test({
  name:
    `A gateway that was stopped for ${STOPPED_S} s gives the packets of that time the times at which they were sent`,
  ...requires("victoria-metrics", "faketime"),
  fn: async () => {
    await using world = await steppedGateway({ holdS: 60 });
    const { victoria, gateway, packets } = world;
    await packets(10);
    Deno.kill(gateway.pid, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 1000 * STOPPED_S));
    Deno.kill(gateway.pid, "SIGCONT");
    await packets(10);
    assert.equal(await gateway.end("SIGTERM"), 0);
    const points = await checkTimes(victoria, gateway);
    const sent = points.map(({ value }) => value).sort((a, b) => a - b);
    const longest = Math.max(
      ...sent.slice(1).map((value, index) => value - sent[index]!),
    );
    assert.ok(longest < 1_000, `nothing was sent for ${longest} ms`);
    const [, stoodS] =
      /This process stood still for (\d+) s/.exec(gateway.log) ??
        [];
    assert.ok(Math.abs(Number(stoodS) - STOPPED_S) <= 1, gateway.log);
  },
});

Deno.test({
  name:
    "A first point is in the database within a second after the server answers, though nobody knows the clock",
  ...requires("victoria-metrics"),
  fn: async () => {
    await using victoria = await startVictoriaMetrics();
    const [program] = PROGRAMS;
    assert.ok(program);
    await using gateway = await GatewayProcess.create({
      program,
      config: `
[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "a-token-of-its-own"
[gateway]
command = ["sh", "-c", '''echo 'JSON sent via VCP: {"n1":{"t":21.5}}'; exec sleep 1000''']
[clock]
hold_s = 10
`,
    });
    gateway.start();
    await eventually(
      `the gateway says that its database answers`,
      () => gateway.log.includes("health check passed"),
      10_000,
    );
    const began = performance.now();
    const [point] = await eventually("the point arrives", async () => {
      const points = await victoria.export();
      return points.length === 1 && points;
    });
    assert.ok(performance.now() - began < 2_000);
    assert.equal(point?.tags["clock"], undefined);
    assert.match(gateway.log, /known to be right: influxdb/);
  },
});

Deno.test("check says whether the clock is known, and by whom", async () => {
  const [program] = PROGRAMS;
  assert.ok(program);
  for (const trust of [true, false]) {
    await using gateway = await GatewayProcess.create({
      program,
      config: `
[influxdb]
url = "http://127.0.0.1:${DEAD_PORT}"
org = "o"
bucket = "b"
token = "a-token-of-its-own"
[gateway]
command = ["sh"]
[clock]
trust = ${trust}
`,
    });
    const { stdout } = await gateway.run("check", "--config", "config.toml");
    assert.match(
      stdout,
      trust
        ? /ok +Clock +The clock of this PC is known to be right: trust/
        : /Clock +(Nobody says|The clock of this PC is known to be right: \w)/,
      join(gateway.folder, stdout),
    );
  }
});
