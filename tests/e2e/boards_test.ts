import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUILT_IN_METRICS } from "../../lib/catalogue.ts";
import {
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
} from "../servers.ts";
import { PROGRAMS } from "../cli/program.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";
import { values } from "./numbered_packet.ts";

const NUMBERED = fileURLToPath(new URL("numbered_board.ts", import.meta.url));
const METRICS = BUILT_IN_METRICS.filter(({ path }) => path in values(0));
/** Packets of each numbered board. */
const PACKETS = 400;
/** Packets of each life of the board that floods; each is one reading. */
const FLOOD = 3000;

const BOTH_SERVERS = requires("mosquitto", "victoria-metrics");

/** A board that is started several times until it has printed its numbered packets. */
function numbered(state: string): string {
  return JSON.stringify([
    ...[Deno.execPath(), "run", "-A", "-q", "--cached-only", NUMBERED],
    ...[state, String(PACKETS), "200"],
  ]);
}

/** A board that prints everything at once, whenever it is started, and then no more. */
const FLOODING = JSON.stringify([
  ...["sh", "-c"],
  `seq ${FLOOD} | sed 's/.*/JSON sent via VCP: {"n1":{"g":&}}/'; exec sleep 1000`,
]);

const BROKEN = JSON.stringify([
  ...["sh", "-c"],
  "echo 'Error: The yard is flooded' >&2; exit 1",
]);

/** Each value of a numbered board's metric, in the order of its packets. */
function expected(path: string): number[] {
  return Array.from(
    { length: PACKETS },
    (_, index) => values(index)[path as keyof ReturnType<typeof values>],
  );
}

Deno.test({
  name:
    "Four boards of one gateway: each has topics, points, lines and a state of its own, whatever becomes of the others",
  ...BOTH_SERVERS,
  fn: async () => {
    await using mosquitto = await startMosquitto();
    await using victoria = await startVictoriaMetrics();
    await using subscriber = await subscribe(mosquitto.url, "iiot/#");
    const servers = `
[mqtt]
broker_url = "${mosquitto.url}"
client_id = "boards"
topic_prefix = "iiot"
start_at = "oldest"
[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "boards"
`;
    const folder = await Deno.makeTempDir({ prefix: "iiot-boards-" });
    await using _removed = {
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
    const single = `[gateway]\ncommand = ${numbered(join(folder, "single"))}\n`;
    const hall = `[[board]]\nname = "hall"\ncommand = ${
      numbered(join(folder, "hall"))
    }\n`;
    const yard = `[[board]]\nname = "yard"\ncommand = ${BROKEN}\n`;
    const tower = `[[board]]\nname = "tower"\ncommand = ${FLOODING}\n`;
    await using gateway = await GatewayProcess.create({
      program: PROGRAMS[0]!,
      config: servers + single + hall + yard + tower,
    });
    gateway.start();

    // The tower's board is killed once it has said everything, and says it again.
    const board = async (name: string) =>
      (await gateway.status()).boards.find((one) => one.name === name);
    const pid = await eventually("the tower has said everything", async () => {
      const tower = await board("tower");
      if (tower?.packets !== FLOOD) return undefined;
      return tower.child?.process ?? undefined;
    });
    Deno.kill(pid, "SIGKILL");
    const status = await eventually("everything is delivered", async () => {
      const status = await gateway.status();
      const packets = Object.fromEntries(
        status.boards.map(({ name, packets }) => [name, packets]),
      );
      return packets[""] === PACKETS && packets.hall === PACKETS &&
        packets.tower === 2 * FLOOD &&
        status.sinks.every(({ waiting }) => waiting === 0) && status;
    });

    for (const sink of status.sinks) {
      assert.equal(sink.received, 2 * 9 * PACKETS + 2 * FLOOD, sink.name);
      assert.equal(sink.delivered, sink.received, sink.name);
      assert.ok(sink.balanced, sink.name);
    }
    assert.deepEqual(
      status.boards.map(({ name, configured, child }) => [
        name,
        configured,
        child?.failure?.error ?? null,
      ]),
      [
        ["", true, null],
        ["hall", true, null],
        ["yard", true, "Error: The yard is flooded"],
        ["tower", true, null],
      ],
    );
    assert.match(status.summary, /the program of the board yard ended/i);
    assert.match(gateway.log, /The yard is flooded.* board="yard"/);

    await subscriber.waitFor(2 * 9 * PACKETS + 2 * FLOOD);
    const topics = Map.groupBy(subscriber.messages, ({ topic }) => topic);
    const heard = (topic: string) =>
      topics.get(topic)?.map(({ payload }) => Number(payload)) ?? [];
    for (const place of ["iiot", "iiot/hall"]) {
      for (const { path, node, name } of METRICS) {
        const topic = `${place}/${node}/${name}`;
        assert.deepEqual(heard(topic), expected(path), topic);
      }
    }
    const flood = Array.from({ length: FLOOD }, (_, index) => index + 1);
    assert.deepEqual(
      heard("iiot/tower/node1/gas_resistance"),
      [...flood, ...flood],
    );
    assert.equal(topics.size, 2 * METRICS.length + 1);

    const points = await eventually("every point can be read", async () => {
      const all = await victoria.export();
      return all.length >= 2 * 9 * PACKETS + 2 * FLOOD && all;
    });
    for (const name of ["", "hall"]) {
      const own = points.filter(({ tags }) => (tags.board ?? "") === name);
      assert.equal(own.length, 9 * PACKETS, name);
      for (const { path, node, measurement } of METRICS) {
        const found = own.filter((point) =>
          point.name === `${measurement}_value` && point.tags.node === node
        ).map(({ value }) => value);
        assert.deepEqual(
          found.toSorted((a, b) => a - b),
          expected(path).toSorted((a, b) => a - b),
          `${name} ${path}`,
        );
      }
    }

    const checked = await gateway.run("check", "--config", "config.toml");
    assert.equal(checked.code, 0, checked.stdout);
    assert.match(checked.stdout, /^ok +command +\/.*deno$/m);
    assert.match(checked.stdout, /^ok +command of hall +\/.*deno$/m);

    const release = (...args: string[]) =>
      gateway.run("release", "--config", "config.toml", ...args);
    const lent = await release("--board", "yard", "--minutes", "5");
    assert.match(lent.stdout, /^The probe of yard is free .* --board yard" do/);
    assert.equal((await board("yard"))?.child?.phase, "released");
    const back = await release("--end", "--board", "yard");
    assert.equal(back.stdout, "The probe of yard is taken back.\n");

    const children = status.boards.flatMap(({ child }) => child?.process ?? []);
    assert.equal(children.length, 3);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    for (const pid of children) {
      assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
    }

    // Two boards are taken away, and the broker comes back without a memory.
    await mosquitto.stop();
    await using forgetful = await startMosquitto({ port: mosquitto.port });
    await Deno.writeTextFile(
      join(gateway.folder, "config.toml"),
      servers + hall + "[clock]\ntrust = true\n",
    );
    const before = await gateway.status();
    assert.deepEqual(
      before.boards.map(({ name, configured }) => [name, configured]),
      [["", false], ["hall", true], ["yard", false], ["tower", false]],
    );
    await using late = await subscribe(forgetful.url, "iiot/#");
    gateway.start();
    const retained = METRICS.filter(({ retain }) => retain)
      .map(({ path, node, name }) =>
        `iiot/hall/${node}/${name} ${expected(path).at(-1)}`
      );
    await late.waitFor(retained.length);
    await eventually(
      "the board of the hall runs",
      async () => (await board("hall"))?.child?.phase === "running",
    );
    assert.deepEqual(
      late.messages.map(({ topic, payload }) => `${topic} ${payload}`)
        .toSorted(),
      retained.toSorted(),
    );
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});
