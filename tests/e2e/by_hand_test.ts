import assert from "node:assert/strict";
import { join } from "node:path";
import { PROGRAMS } from "../cli/program.ts";
import {
  DEAD_PORT,
  type ExportedPoint,
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
  type VictoriaMetrics,
} from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const PACKETS = 300;
const CONFIG = ["--config", "config.toml"];
const MARKER = "JSON sent via VCP: ";

function config(url: string, more = ""): string {
  // The board says everything once, and is silent in later runs.
  const board = "[ -e said ] || { touch said; cat lines; }; exec sleep 1000";
  return `
[influxdb]
url = "${url}"
org = "my-org"
bucket = "telemetry"
token = "my-super-secret-auth-token"
[gateway]
command = ["sh", "-c", ${JSON.stringify(board)}]
stop_timeout_s = 2
${more}`;
}

async function say(gateway: GatewayProcess, lines: string[]): Promise<void> {
  await Deno.writeTextFile(
    join(gateway.folder, "lines"),
    lines.map((line) => `${line}\n`).join(""),
  );
}

function packets(): string[] {
  return Array.from(
    { length: PACKETS },
    (_, i) => `${MARKER}{"ts":${i},"n1":{"t":${i / 10},"h":50}}`,
  );
}

/** Points in a form that can be compared as sets. */
function sorted(points: readonly ExportedPoint[]): string[] {
  return points.map(({ name, tags, timeMs, value }) =>
    `${name} ${tags["node"]} ${timeMs} ${value}`
  ).sort();
}

async function untilPoints(
  victoria: VictoriaMetrics,
  count: number,
): Promise<string[]> {
  return sorted(
    await eventually(`${count} points`, async () => {
      const points = await victoria.export();
      return points.length >= count && points;
    }),
  );
}

for (const program of PROGRAMS) {
  Deno.test({
    name:
      `A database that lost its data gets all of it again by rewind, beside a running gateway (${program.form})`,
    ...requires("victoria-metrics"),
    fn: async () => {
      const first = await startVictoriaMetrics();
      await using gateway = await GatewayProcess.create({
        program,
        config: config(first.url),
      });
      let before: string[];
      try {
        await say(gateway, packets());
        gateway.start();
        before = await untilPoints(first, 2 * PACKETS);
      } finally {
        await first[Symbol.asyncDispose]();
      }
      await using victoria = await startVictoriaMetrics({ port: first.port });
      assert.deepEqual(await victoria.export(), []);

      const rewind = (...args: string[]) =>
        gateway.run("rewind", ...CONFIG, "--sink", "influxdb", ...args);
      const unasked = await rewind("--to", "oldest");
      assert.equal(unasked.code, 2);
      assert.match(unasked.stderr, /--yes does it without/);
      const strange = await gateway.run(
        ...["rewind", ...CONFIG, "--sink", "influx", "--to", "1h"],
      );
      assert.equal(strange.code, 2);
      assert.match(strange.stderr, /no sink "influx": it has influxdb/);
      const dry = await rewind("--to", "1h", "--dry-run");
      assert.match(dry.stdout, /300 packets with 600 readings would go out/);
      assert.match(dry.stdout, /The journal begins at 20/);
      assert.equal((await gateway.status()).sinks[0]?.requeued, 0);

      const done = await rewind("--to", "oldest", "--yes");
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, /300 packets with 600 readings go out again/);
      assert.deepEqual(await untilPoints(victoria, 2 * PACKETS), before);

      const status = await eventually("all is delivered again", async () => {
        const status = await gateway.status();
        return status.sinks[0]?.waiting === 0 && status;
      });
      assert.equal(status.silence, null);
      const [influxdb] = status.sinks;
      assert.equal(influxdb?.link?.kind, "connected");
      assert.ok(influxdb.balanced);
      assert.deepEqual(
        [influxdb.received, influxdb.requeued, influxdb.delivered],
        [600, 600, 1200],
      );
      const check = await gateway.run("check", ...CONFIG);
      assert.match(
        check.stdout,
        /a gateway runs, its own session with influxdb/,
      );
      const files = (name: string) => Deno.stat(join(gateway.folder, name));
      await files("journal/control.sock");
      assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
      await assert.rejects(files("journal/control.sock"));

      // Without a gateway the command works on the journal itself.
      const alone = await rewind("--to", "oldest", "--yes");
      assert.match(alone.stdout, /300 packets with 600 readings go out again/);
      assert.equal((await gateway.status()).sinks[0]?.waiting, 600);
    },
  });

  Deno.test({
    name:
      `What a wrong range kept out arrives after it is mended, each value once and at its time (${program.form})`,
    ...requires("victoria-metrics"),
    fn: async () => {
      await using victoria = await startVictoriaMetrics();
      const range = (max: number) =>
        config(
          victoria.url,
          `[[metric]]\npath = "n1.t"\nrange = [0, ${max}]\n`,
        );
      await using gateway = await GatewayProcess.create({
        program,
        config: range(10),
      });
      const strange = `${MARKER}{"n9":{"t":1}}`;
      await say(gateway, [...packets(), strange, `${MARKER}{"n1":{"t":`]);
      gateway.start();
      // 0 to 10.0 are 101 temperatures.
      const before = await untilPoints(victoria, PACKETS + 101);
      const listed = await eventually("all rejects", async () => {
        const { stdout } = await gateway.run(
          ...["rejects", "--json", "--limit", "1000", ...CONFIG],
        );
        const lines = stdout.trim().split("\n");
        return lines.length === 201 && lines;
      });
      const reject = JSON.parse(listed[0] ?? "");
      assert.equal(reject.reason, "implausible: n1.t = 10.1");
      assert.equal(reject.origin, "source");
      const shown = await gateway.run("rejects", "--limit", "1", ...CONFIG);
      assert.match(
        shown.stdout,
        /source: The line ends where .*\n.*VCP: \{"n1/,
      );
      assert.match(shown.stdout, /The newest 1 of 201/);

      const resend = () => gateway.run("rejects", "resend", ...CONFIG);
      await Deno.writeTextFile(join(gateway.folder, "config.toml"), range(50));
      const early = await resend();
      assert.equal(early.code, 1);
      assert.match(early.stderr, /changed since it started\): restart/);

      assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
      gateway.start();
      await eventually("it runs", async () => {
        const { gateway: pid, silence } = await gateway.status();
        return pid === gateway.pid && silence === null;
      });
      const sent = await resend();
      assert.equal(sent.code, 0, sent.stderr);
      assert.match(sent.stdout, /199 lines are packets now, with 199 readings/);
      assert.match(sent.stdout, /2 lines are as unusable as before/);
      const after = await untilPoints(victoria, 2 * PACKETS);
      assert.deepEqual(before.filter((point) => !after.includes(point)), []);
      assert.equal(after.length, 2 * PACKETS);
      const temperatures = after.filter((point) => /^temperature/.test(point));
      assert.equal(new Set(temperatures).size, PACKETS);

      const { sinks: [influxdb] } = await eventually("done", async () => {
        const status = await gateway.status();
        return status.sinks[0]?.waiting === 0 && status;
      });
      assert.ok(influxdb?.balanced);
      assert.deepEqual(
        [influxdb.received, influxdb.requeued, influxdb.delivered],
        [600, 199, 600],
      );
      assert.deepEqual(influxdb.dropped, { implausible: 199 });
      const unasked = await gateway.run("rejects", "clear", ...CONFIG);
      assert.equal(unasked.code, 2);
      const cleared = await gateway.run("rejects", "clear", "--yes", ...CONFIG);
      assert.equal(cleared.stdout, "2 rejects are deleted.\n");
      const none = await gateway.run("rejects", ...CONFIG);
      assert.equal(none.stdout, "There are no rejects.\n");
      assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    },
  });
}

Deno.test({
  name: "An export in line protocol gives another database the same points",
  ...requires("victoria-metrics"),
  fn: async () => {
    await using victoria = await startVictoriaMetrics();
    await using gateway = await GatewayProcess.create({
      program: PROGRAMS[0]!,
      config: config(victoria.url),
    });
    await say(gateway, packets());
    gateway.start();
    const points = await untilPoints(victoria, 2 * PACKETS);
    const { code, stdout } = await gateway.run(
      ...["export", ...CONFIG, "--format", "lp"],
    );
    assert.equal(code, 0);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    await using other = await startVictoriaMetrics();
    const answer = await fetch(
      `${other.url}/api/v2/write?org=o&bucket=telemetry&precision=us`,
      { method: "POST", body: stdout },
    );
    await answer.body?.cancel();
    assert.equal(answer.status, 204);
    assert.deepEqual(await untilPoints(other, 2 * PACKETS), points);
  },
});

Deno.test({
  name:
    "A rewind of MQTT sends the past again in order, and what is retained stays the newest",
  ...requires("mosquitto"),
  fn: async () => {
    await using mosquitto = await startMosquitto();
    await using subscriber = await subscribe(mosquitto.url, "iiot/#", {
      clientId: "durable",
    });
    await using gateway = await GatewayProcess.create({
      program: PROGRAMS[0]!,
      config: config("").replace(
        /\[influxdb\][^[]*/,
        `[mqtt]\nbroker_url = "${mosquitto.url}"\nclient_id = "g"\ntopic_prefix = "iiot"\n`,
      ),
    });
    await say(gateway, packets());
    gateway.start();
    await subscriber.waitFor(2 * PACKETS);
    await eventually("all is confirmed", async () => {
      return (await gateway.status()).sinks[0]?.delivered === 2 * PACKETS;
    });
    const done = await gateway.run(
      ...["rewind", ...CONFIG, "--sink", "mqtt", "--to", "oldest", "--yes"],
    );
    assert.match(done.stdout, /300 packets with 600 readings go out again/);
    const heard = (await subscriber.waitFor(4 * PACKETS))
      .filter(({ topic }) => topic === "iiot/node1/temperature")
      .map(({ payload }) => Number(payload));
    const once = Array.from({ length: PACKETS }, (_, i) => i / 10);
    assert.deepEqual(heard, [...once, ...once]);
    await using late = await subscribe(mosquitto.url, "iiot/#");
    await late.waitFor(2);
    assert.deepEqual(
      late.messages.map(({ payload }) => payload).sort(),
      ["29.9", "50"],
    );
    // Its own session stands, so no second client connects.
    const check = await gateway.run("check", ...CONFIG);
    assert.match(check.stdout, /own session with mqtt has been up for/);
    assert.doesNotMatch(mosquitto.log, /g-check/);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});

Deno.test("A gateway that was killed leaves nothing in the way of the next, nor of a command", async () => {
  await using gateway = await GatewayProcess.create({
    program: PROGRAMS[0]!,
    config: config(`http://127.0.0.1:${DEAD_PORT}`),
  });
  await say(gateway, packets());
  gateway.start();
  await eventually("it has read all", async () => {
    const { boards, silence } = await gateway.status();
    return silence === null && boards[0]?.packets === PACKETS;
  });
  await gateway.end("SIGKILL");
  const done = await gateway.run(
    ...["rewind", ...CONFIG, "--sink", "influxdb", "--to", "1h", "--yes"],
  );
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /nothing goes out again/);
  gateway.start();
  const status = await eventually("it runs and answers", async () => {
    const status = await gateway.status();
    return status.gateway === gateway.pid && status.silence === null &&
      status.sinks[0]?.link?.kind === "failing" && status;
  });
  assert.match(status.summary, /^The link to influxdb has failed for/);
  assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
});
