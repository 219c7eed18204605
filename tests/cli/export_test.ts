import assert from "node:assert/strict";
import { join } from "node:path";
import { createExportFormat } from "../../lib/cli/export_format.ts";
import { openDatabase } from "../../lib/journal/database.ts";
import { JournalReader } from "../../lib/journal/reader.ts";
import type { Row, Value } from "../../lib/model.ts";
import { makeFolder, openJournal, START_US, Writer } from "../journal/world.ts";
import { type Program, PROGRAMS, runToEnd } from "./program.ts";

const [source] = PROGRAMS;
assert.ok(source);

const CONFIG = `
[mqtt]
broker_url = "mqtt://127.0.0.1:4"
client_id = "test"
topic_prefix = "iiot"
[influxdb]
url = "http://127.0.0.1:4"
org = "my-org"
bucket = "telemetry"
token = "t"
tags = { site = "hall 3" }
[gateway]
command = ["true"]
`;

const MQTT = { topic_prefix: "iiot" } as never;

function row(readings: Record<string, Value>, board = ""): Row {
  return {
    seq: 7,
    board,
    timeUs: START_US + 123_456,
    timeQuality: "known",
    boardTs: null,
    total: 0,
    readings: Object.entries(readings).map(([path, value]) => ({
      path,
      value,
    })),
  };
}

function linesOf(name: "csv" | "jsonl" | "lp", row: Row): string[] {
  const format = createExportFormat(name, {
    mqtt: MQTT,
    influxdb: undefined,
    metrics: [],
  });
  return row.readings.map((reading) => String(format.line(row, reading)));
}

/** A folder with config.toml and a journal of `count` packets, one a second. */
async function makeJournal(count: number) {
  const folder = await makeFolder();
  await Deno.writeTextFile(join(folder.path, "config.toml"), CONFIG);
  await Deno.mkdir(join(folder.path, "journal"));
  await using journal = await openJournal(join(folder.path, "journal"), {
    maxBytes: 1e9,
  });
  const writer = new Writer(journal);
  for (let done = 0; done < count; done += 5000) {
    const packets = Array.from(
      { length: Math.min(5000, count - done) },
      (_, i) => ({ "n1.t": (done + i) % 50, "n1.h": 50 }),
    );
    await writer.append(...packets);
  }
  return folder;
}

function exportCommand(program: Program, ...args: string[]): string[] {
  return [...program.command, "export", ...args];
}

Deno.test("Export as CSV has a header, RFC 3339 times in microseconds, and quotes where RFC 4180 wants them", () => {
  const format = createExportFormat("csv", {
    mqtt: MQTT,
    influxdb: undefined,
    metrics: [],
  });
  assert.equal(
    format.head,
    "time,board,topic,measurement,node,unit,value,path,seq\r\n",
  );
  assert.deepEqual(linesOf("csv", row({ "n1.t": 27.6, 'a,"b"': -1 }, "b\n1")), [
    '2023-11-14T22:13:20.123456Z,"b\n1","iiot/b\n1/node1/temperature",temperature,node1,celsius,27.6,n1.t,7\r\n',
    '2023-11-14T22:13:20.123456Z,"b\n1",,,,,-1,"a,""b""",7\r\n',
  ]);
});

Deno.test("Export as JSON has an object a line, with null where the catalogue knows nothing", () => {
  assert.deepEqual(
    linesOf("jsonl", row({ "sts.rx": 5, x: 1 })).map((line) =>
      JSON.parse(line)
    ),
    [
      {
        time: "2023-11-14T22:13:20.123456Z",
        board: "",
        topic: "iiot/stats/packets_received",
        measurement: "packets_received",
        node: "stats",
        unit: null,
        value: 5,
        path: "sts.rx",
        seq: 7,
      },
      {
        time: "2023-11-14T22:13:20.123456Z",
        board: "",
        topic: null,
        measurement: null,
        node: null,
        unit: null,
        value: 1,
        path: "x",
        seq: 7,
      },
    ],
  );
});

Deno.test("JournalReader gives the packets of a time, page by page, and leaves out what is damaged", async () => {
  await using folder = await makeJournal(2500);
  const path = join(folder.path, "journal", "journal.db");
  {
    using db = openDatabase(path);
    db.exec(`UPDATE packets SET body = '{"n1.t":99}' WHERE seq = 1500`);
  }
  using reader = new JournalReader(path);
  const pages = [...reader.packets({
    fromUs: START_US + 10e6,
    toUs: START_US + 2001e6,
  })];
  assert.deepEqual(pages.map(({ rows }) => rows.length), [991, 999, 0]);
  assert.deepEqual(pages.map(({ damaged }) => damaged), [0, 1, 0]);
  assert.deepEqual(pages.map(({ part }) => part), [0.4, 0.8, 1]);
  assert.equal(pages[0]?.rows[0]?.seq, 10);
  assert.equal(pages[1]?.rows.at(-1)?.seq, 2000);
});

Deno.test("JournalReader of a journal without packets gives none", async () => {
  await using folder = await makeJournal(0);
  using reader = new JournalReader(join(folder.path, "journal", "journal.db"));
  const range = { fromUs: -Infinity, toUs: Infinity };
  assert.deepEqual([...reader.packets(range)], []);
  assert.deepEqual([...reader.rejects({})], []);
});

for (const program of PROGRAMS) {
  Deno.test(`iiot-gateway export writes what the formats and times say, to stdout or a new file (${program.form})`, async () => {
    await using folder = await makeJournal(3);
    const run = (...args: string[]) =>
      runToEnd(exportCommand(program, ...args), { cwd: folder.path });
    const csv = await run("--from", "2023-11-14T23:13:22+01:00");
    assert.equal(csv.code, 0, csv.stderr);
    assert.equal(csv.stderr, "");
    assert.equal(csv.stdout.split("\r\n").length, 1 + 2 * 2 + 1);
    assert.match(
      csv.stdout,
      /^time,.*\r\n2023-11-14T22:13:22\.000000Z,,iiot\/node1\/temperature,/,
    );
    const to = ["--to", "2023-11-14T22:13:22Z", "--output", "out.lp"];
    const lp = await run("--format", "lp", ...to);
    assert.equal(lp.code, 0, lp.stderr);
    assert.match(lp.stderr, /^2 readings of 1 packets are in out\.lp\n$/);
    assert.equal(
      await Deno.readTextFile(join(folder.path, "out.lp")),
      "temperature,node=node1,site=hall\\ 3,unit=celsius value=0 1700000001000000\n" +
        "humidity,node=node1,site=hall\\ 3,unit=percent value=50 1700000001000000\n",
    );
    const again = await run("--format", "lp", ...to);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /"out\.lp" is there already/);
  });
}

Deno.test("iiot-gateway export ends without a word when its reader has seen enough", async () => {
  await using folder = await makeJournal(20_000);
  const command = exportCommand(source)
    .map((word) => `'${word}'`).join(" ");
  const { code, stdout, stderr } = await runToEnd([
    ...["bash", "-c"],
    `${command} | head -n 1; exit \${PIPESTATUS[0]}`,
  ], { cwd: folder.path });
  assert.equal(stderr, "");
  assert.match(stdout, /^time,[^\n]*\n$/);
  assert.equal(code, 0);
});

/** Comes when a process has used no CPU time for a moment: it waits for somebody. */
async function untilIdle(pid: number): Promise<void> {
  for (let [before, now] = ["", "?"]; before !== now;) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    [before, now] = [now, stat.split(" ").slice(13, 15).join(" ")];
  }
}

Deno.test("iiot-gateway export ends by Ctrl-C though nobody reads, and says that it is not complete", async () => {
  await using folder = await makeJournal(20_000);
  const [program, ...args] = exportCommand(source);
  const child = new Deno.Command(program!, {
    args,
    cwd: folder.path,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await untilIdle(child.pid);
  child.kill("SIGINT");
  const errors = new Response(child.stderr).text();
  const { code } = await child.status;
  await reader.cancel();
  assert.equal(code, 1);
  assert.match(await errors, /^Interrupted after \d+ readings of \d+ packets/);
});

Deno.test({
  name:
    "iiot-gateway export of 200,000 packets takes no more memory for the second half",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using folder = await makeJournal(200_000);
    const [program, ...args] = exportCommand(source);
    const child = new Deno.Command(program!, {
      args,
      cwd: folder.path,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const peaksMb: number[] = [];
    let lines = 0;
    for await (const chunk of child.stdout) {
      for (const byte of chunk) if (byte === 10) lines++;
      const status = await Deno.readTextFile(`/proc/${child.pid}/status`)
        .catch(() => "");
      const peak = /VmHWM:\s+(\d+)/.exec(status)?.[1];
      if (peak !== undefined) peaksMb.push(Number(peak) / 1024);
    }
    assert.ok((await child.status).success);
    assert.equal(lines, 400_001);
    // Measured: 205 MB after 24 MB of text, and no more after 100.
    const half = peaksMb[Math.floor(peaksMb.length / 2)] ?? 0;
    const end = peaksMb.at(-1) ?? 0;
    assert.ok(end < half + 40 && end < 300, `${half} MB, then ${end} MB`);
  },
});
