import assert from "node:assert/strict";
import { join } from "node:path";
import { startBroker } from "../../lib/broker.ts";
import {
  type PlacedEntry,
  readRecordingFile,
} from "../../lib/source/recording_reader.ts";
import { readStatus } from "../../lib/monitor/status.ts";
import { PROGRAMS } from "../cli/program.ts";
import { formatEntry } from "../../lib/source/recording.ts";
import { freePort, requires, subscribe } from "../servers.ts";
import { makeSlowDisk } from "./flood.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const PACKETS = 200;
const CONFIG = ["--config", "config.toml"];
const FILE = "board.recording";

/** A board that says its lines when the file `go` is there, an error, and then no more. */
const BOARD = [
  "until [ -e go ]; do sleep 0.02; done",
  "[ -e said ] && exec sleep 1000",
  "touch said",
  "cat lines",
  "printf 'odd \\377\\n'",
  "echo 'Error: Exception' >&2",
  "exit 3",
].join("; ");

function config(brokerPort: number, more = ""): string {
  return `
[mqtt]
broker_url = "mqtt://127.0.0.1:${brokerPort}"
client_id = "test"
topic_prefix = "iiot"
[broker]
port = ${brokerPort}
[gateway]
command = ["sh", "-c", ${JSON.stringify(BOARD)}]
stop_timeout_s = 2
${more}`;
}

async function create(
  brokerPort: number,
  more = "",
  env: Readonly<Record<string, string>> = {},
) {
  const gateway = await GatewayProcess.create({
    program: PROGRAMS[0]!,
    config: config(brokerPort, more),
    env,
  });
  const lines = Array.from(
    { length: PACKETS },
    (_, i) => `JSON sent via VCP: {"ts":${i},"n1":{"t":${i / 10},"h":50}}\n`,
  );
  await Deno.writeTextFile(join(gateway.folder, "lines"), lines.join(""));
  return gateway;
}

function go({ folder }: GatewayProcess): Promise<void> {
  return Deno.writeTextFile(join(folder, "go"), "");
}

function read({ folder }: GatewayProcess): Promise<PlacedEntry[]> {
  return Array.fromAsync(readRecordingFile(join(folder, FILE)));
}

/** All that the board printed on a pipe. */
async function printed(
  gateway: GatewayProcess,
  pipe: "out" | "err",
): Promise<number[]> {
  const entries = await read(gateway);
  return entries.flatMap((one) => one.kind === pipe ? [...one.bytes] : []);
}

/** What `BOARD` prints on a pipe. */
async function said(
  { folder }: GatewayProcess,
  pipe: "out" | "err",
): Promise<number[]> {
  const encoder = new TextEncoder();
  return pipe === "err" ? [...encoder.encode("Error: Exception\n")] : [
    ...await Deno.readFile(join(folder, "lines")),
    ...encoder.encode("odd "),
    0xff,
    10,
  ];
}

/** A command that records to `FILE`, until it is ended. */
async function startRecording(gateway: GatewayProcess) {
  const child = gateway.spawn("record", ...CONFIG, "--output", FILE);
  const output = child.output();
  await eventually("the gateway records", async () => {
    const { size } = await Deno.stat(join(gateway.folder, FILE))
      .catch(() => ({ size: 0 }));
    return size > 0;
  });
  return async (signal: Deno.Signal) => {
    child.kill(signal);
    const { code, stderr } = await output;
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
}

async function hasEnded(gateway: GatewayProcess): Promise<void> {
  await eventually("the end of the board's program is recorded", async () => {
    const entries = await read(gateway).catch(() => []);
    return entries.some(({ kind }) => kind === "end");
  });
}

Deno.test("What a gateway that runs was recorded with is replayed: the same values in the same order, from another client into another journal", async () => {
  await using broker = await startBroker({ host: "127.0.0.1", port: 0 });
  await using heard = await subscribe(broker.url, "iiot/node1/#", {
    protocolVersion: 4,
  });
  await using gateway = await create(broker.port);
  gateway.start();
  await eventually("it runs", () => /Started "sh"/.test(gateway.log));
  const end = await startRecording(gateway);
  await go(gateway);
  await heard.waitFor(2 * PACKETS);
  await hasEnded(gateway);
  const { code, stderr } = await end("SIGINT");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /board\.recording holds 1\d\.\d kB/);
  for (const pipe of ["out", "err"] as const) {
    assert.deepEqual(await printed(gateway, pipe), await said(gateway, pipe));
  }
  const [header] = await read(gateway);
  assert.ok(header?.kind === "header" && header.running !== null);
  assert.match(gateway.log, /A command records what the board prints/);
  await eventually(
    "the gateway has let go",
    () => /The command has ended its recording/.test(gateway.log),
  );

  const replayed = await gateway.run(
    ...["replay", FILE, ...CONFIG, "--speed", "max"],
  );
  assert.equal(replayed.code, 0, replayed.stderr);
  await heard.waitFor(4 * PACKETS);
  const values = heard.messages.map(({ topic, payload }) =>
    `${topic} ${payload}`
  );
  assert.equal(values.length, 4 * PACKETS);
  assert.deepEqual(values.slice(2 * PACKETS), values.slice(0, 2 * PACKETS));
  assert.match(replayed.stderr, /Firmware crashed: .* exit code 3 .*Exception/);
  assert.match(
    replayed.stderr,
    /The recording is played: 200 packets, 0 rejects, 1 other lines/,
  );
  assert.match(replayed.stderr, /Stopped: everything is delivered/);
  // The gateway has seen nothing of it.
  const status = await gateway.status();
  assert.equal(status.sinks[0]?.received, 2 * PACKETS);
  assert.equal(await gateway.end("SIGTERM"), 0);
});

Deno.test("A recording is replayed again, from its beginning, with a broker of its own", async () => {
  const port = freePort();
  await using gateway = await create(port, `record = "${FILE}"\n`);
  await go(gateway);
  gateway.start("--embedded-broker");
  await hasEnded(gateway);
  assert.equal(await gateway.end("SIGTERM"), 0);
  const before = await Deno.readFile(join(gateway.folder, FILE));
  for (let i = 0; i < 2; i++) {
    const { code, stdout, stderr } = await gateway.run(
      ...["replay", FILE, ...CONFIG, "--speed", "10", "--embedded-broker"],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /holds .*started [12] times?.*\nIt is REPLAYED/);
    assert.match(stderr, /The recording is played: 200 packets/);
    assert.match(stderr, /Stopped: everything is delivered/);
  }
  // "gateway.record" is the board's, not the recording's.
  assert.deepEqual(await Deno.readFile(join(gateway.folder, FILE)), before);
});

Deno.test("A command that is killed leaves a readable file, and no recording behind", async () => {
  await using broker = await startBroker({ host: "127.0.0.1", port: 0 });
  await using gateway = await create(broker.port);
  gateway.start();
  await eventually("it runs", () => /Started "sh"/.test(gateway.log));
  const end = await startRecording(gateway);
  await end("SIGKILL");
  await eventually(
    "the gateway has let go",
    () => /The command has ended its recording/.test(gateway.log),
  );
  assert.equal((await read(gateway))[0]?.kind, "header");

  const again = await gateway.run("record", ...CONFIG, "--output", FILE);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /is there already: remove it/);
  const strange = await gateway.run(
    ...["record", ...CONFIG, "--output", "x", "--board", "hall"],
  );
  assert.equal(strange.code, 2);
  assert.match(strange.stderr, /no board "hall": its only one has no name/);
  assert.equal(await gateway.end("SIGTERM"), 0);
});

Deno.test("gateway.record keeps what was printed when the gateway is killed, and goes on in the same file", async () => {
  await using broker = await startBroker({ host: "127.0.0.1", port: 0 });
  await using gateway = await create(broker.port, `record = "${FILE}"\n`);
  await go(gateway);
  gateway.start();
  await hasEnded(gateway);
  await gateway.end("SIGKILL");
  assert.deepEqual(await printed(gateway, "out"), await said(gateway, "out"));

  const starts = async () =>
    (await read(gateway)).filter(({ kind }) => kind === "start").length;
  const before = await starts();
  gateway.start();
  await eventually("it goes on", async () => await starts() > before);
  assert.equal(await gateway.end("SIGTERM"), 0);
  assert.equal(
    (await read(gateway)).filter(({ kind }) => kind === "header").length,
    2,
  );
  assert.deepEqual(await printed(gateway, "out"), await said(gateway, "out"));
});

Deno.test("Where no gateway runs, record starts the board's program itself, and nothing else", async () => {
  await using gateway = await create(freePort());
  const end = await startRecording(gateway);
  await go(gateway);
  await hasEnded(gateway);
  const { code, stderr } = await end("SIGINT");
  assert.equal(code, 0, stderr);
  for (const pipe of ["out", "err"] as const) {
    assert.deepEqual(await printed(gateway, pipe), await said(gateway, pipe));
  }
  assert.match(stderr, /Firmware crashed: "sh" ended with exit code 3/);
  const files = await Array.fromAsync(Deno.readDir(gateway.folder));
  assert.deepEqual(
    files.map(({ name }) => name).sort(),
    [FILE, "config.toml", "go", "lines", "said"],
  );
});

Deno.test({
  name:
    "At speed max the file waits for a slow disk, and no packet is dropped, though they are more than memory holds",
  ...requires("gcc"),
  fn: async () => {
    const packets = 100_000;
    await using slowDisk = await makeSlowDisk(1000);
    await using broker = await startBroker({ host: "127.0.0.1", port: 0 });
    await using gateway = await create(broker.port, "", slowDisk.env);
    await writeLargeRecording(join(gateway.folder, FILE), packets);
    const { code, stderr } = await gateway.run(
      ...["replay", FILE, ...CONFIG, "--speed", "max"],
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /The recording is played: 100000 packets/);
    assert.match(stderr, /Stopped: everything is delivered/);
    assert.doesNotMatch(stderr, /does not keep up/);
    const folder = join(gateway.folder, ".dev", "replay");
    const { sinks } = await readStatus(folder, {
      now: Date.now() * 1000,
      ask: () => Promise.reject(new Error("It has ended")),
    });
    assert.deepEqual(sinks.map(({ delivered }) => delivered), [3 * packets]);
  },
});

async function writeLargeRecording(
  path: string,
  packets: number,
): Promise<void> {
  const header = {
    kind: "header",
    ms: 0,
    program: "0.1.0",
    board: "",
    time: "2026-11-23T10:00:00.000Z",
    clock: "known",
    running: { pid: 1, command: ["cat"] },
  } as const;
  const encoder = new TextEncoder();
  const lines = [formatEntry(header)];
  for (let i = 0; i < packets; i += 100) {
    const text = Array.from(
      { length: 100 },
      (_, j) =>
        `JSON sent via VCP: {"ts":${i + j},"n1":{"t":${
          j / 10
        },"h":50,"g":80000}}\n`,
    ).join("");
    lines.push(
      formatEntry({ kind: "out", ms: i, bytes: encoder.encode(text) }),
    );
  }
  await Deno.writeTextFile(path, `${lines.join("\n")}\n`);
}
