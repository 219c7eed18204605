/**
 * Whether a packet costs more with a full journal, many boards or many metrics, and whether deleting old
 * ones is felt.
 *
 * @module
 */

import { join } from "node:path";
import { EMPTY_COMMIT, logBytesOf } from "../../../lib/journal/disk.ts";
import { journalPath } from "../../../lib/journal/folder.ts";
import { chunkRows } from "../../../lib/journal/retention.ts";
import { Store } from "../../../lib/journal/store.ts";
import { fillJournal, rowMaker } from "../filled_journal.ts";
import { BenchGateway, once, STARTED } from "../gateway.ts";
import {
  AgeSubscriber,
  pacedChild,
  pacedResult,
  SENT_METRIC,
} from "../paced.ts";
import {
  type BenchContext,
  type Figure,
  figure,
  type Point,
} from "../point.ts";
import { READINGS, writeLines } from "../prepared_lines.ts";
import { usageBetween } from "../process_usage.ts";
import { percentile } from "../stats.ts";

const PACKETS = { quick: 10_000, full: 60_000 };
const ROWS: Readonly<Record<string, number>> = {
  "10 thousand rows": 10_000,
  "100 thousand": 100_000,
  "1 million": 1_000_000,
  "10 million": 10_000_000,
};
/** What `--quick` leaves out: it takes 1.6 GB, and more time to copy than to measure. */
const MOST_QUICK_ROWS = 1_000_000;
const BOARDS = [1, 5, 20];
const METRICS = [10, 30, 100];
/** What comes first is a program that has just been started, and is not looked at. */
const WARM_UP_S = 2;
/** Rows that are deleted while packets come at a steady pace. */
const OLD_ROWS = 1_000_000;
/** Of a journal of that many rows, 160 MB, two thirds have to go. */
const TIGHT = "max_megabytes = 60\nreserve = false";
const ROOMY = "max_megabytes = 4000\nreserve = false";
/** Commits that delete the oldest rows, and as many that delete none. */
const COMMITS = { quick: 200, full: 1500 };
const PACE = { perSecond: 500, seconds: { quick: 5, full: 15 } };

/** What grows. */
export const GROWTH: Point = {
  name: "growth",
  title:
    "Growth: the same flood with a full journal, many boards, many metrics; and while old packets are deleted",
  notes: [
    `The flood goes the whole way, to mosquitto and VictoriaMetrics; packets have ${READINGS} metrics unless told otherwise. CPU is the gateway's process.`,
    `Longest stall: from a line's leaving the child to the subscriber, of all packets at ${PACE.perSecond} a second, while most of ${
      OLD_ROWS / 1e6
    } million old ones are deleted (by size or by age), and while none is.`,
    "Commits: of one row each, with nothing else under way, and with as many of the oldest rows deleted as the gateway deletes at once. What a deletion adds to them is all that it adds to the way.",
  ],
  needs: ["mosquitto", "victoria-metrics"],
  async *round(context) {
    yield* withRows(context);
    yield* withBoards(context);
    yield* withMetrics(context);
    yield* whileDeleting(context);
    yield* commits(context);
  },
  ratios: [
    ...["100 thousand", "1 million", "10 million"].map((side) => ({
      of: { side, name: "CPU per packet" },
      to: { side: "10 thousand rows", name: "CPU per packet" },
      atMost: 1.5,
    })),
    ...["5 boards", "20 boards"].map((side) => ({
      of: { side, name: "CPU per packet" },
      to: { side: "1 board", name: "CPU per packet" },
      atMost: 2,
    })),
    ...["30 metrics", "100 metrics"].map((side) => ({
      of: { side, name: "CPU per reading" },
      to: { side: "10 metrics", name: "CPU per reading" },
      atMost: 1.5,
    })),
    {
      of: { side: "10 metrics", name: "journal per packet" },
      atMost: 200,
    },
    ...["deleting by size", "deleting by age"].map((side) => ({
      of: { side, name: "longest stall" },
      to: { side: "deleting nothing", name: "longest stall" },
      atMost: 10,
    })),
  ],
};

async function* withRows(context: BenchContext): AsyncIterable<Figure> {
  const packets = packetsOf(context);
  const { path } = await writeLines(join(context.folder, "lines"), { packets });
  for (const [side, rows] of Object.entries(ROWS)) {
    if (context.size === "quick" && rows > MOST_QUICK_ROWS) continue;
    const toml = `[journal]\n${ROOMY}`;
    await using gateway = await BenchGateway.create({
      ...{ program: context.program, startAt: "now", toml },
      child: once(["cat", path]),
    });
    await giveRows(context, gateway, rows);
    const flooding = { packets, readings: READINGS, isNew: false };
    yield* flood(side, gateway, flooding);
  }
}

/** Twenty that print as fast as they can share what may wait before the journal: more would be dropped. */
const MOST_FROM_BOARDS = 10_000;

async function* withBoards(context: BenchContext): AsyncIterable<Figure> {
  const packets = Math.min(packetsOf(context), MOST_FROM_BOARDS);
  for (const boards of BOARDS) {
    const each = Math.floor(packets / boards);
    const tables: string[] = [];
    for (let i = 0; i < boards; i++) {
      const file = join(context.folder, `lines-${boards}-${i}`);
      await writeLines(file, { packets: each, seed: i });
      const script =
        `[ -e b${i} ] && exec sleep 1000000; touch b${i} ${STARTED}; cat "$0"; exec sleep 1000000`;
      const command = JSON.stringify(["sh", "-c", script, file]);
      tables.push(`[[board]]\nname = "b${i}"\ncommand = ${command}`);
    }
    await using gateway = await BenchGateway.create({
      program: context.program,
      toml: tables.join("\n"),
    });
    const side = boards === 1 ? "1 board" : `${boards} boards`;
    const flooding = { packets: each * boards, readings: READINGS };
    yield* flood(side, gateway, flooding);
  }
}

async function* withMetrics(context: BenchContext): AsyncIterable<Figure> {
  for (const metrics of METRICS) {
    // As many readings as otherwise.
    const packets = Math.ceil(packetsOf(context) * READINGS / metrics);
    const file = join(context.folder, `lines-${metrics}`);
    const names = Array.from({ length: metrics }, (_, i) => `m${i}`);
    const line = (n: number) => {
      const values = names.map((name, i) => `"${name}":${(n + i) % 1000 / 10}`);
      return `JSON sent via VCP: {"ts":${n},"x":{${values.join()}}}\n`;
    };
    const lines = Array.from({ length: packets }, (_, n) => line(n));
    await Deno.writeTextFile(file, lines.join(""));
    await using gateway = await BenchGateway.create({
      program: context.program,
      child: once(["cat", file]),
      toml: names.map((name) =>
        `[[metric]]\npath = "x.${name}"\nnode = "x"\nname = "${name}"\n`
      ).join(""),
    });
    const side = `${metrics} metrics`;
    yield* flood(side, gateway, { packets, readings: metrics });
  }
}

async function* whileDeleting(context: BenchContext): AsyncIterable<Figure> {
  const sides = {
    "deleting nothing": ROOMY,
    "deleting by size": TIGHT,
    "deleting by age": `${ROOMY}\nhistory = "1h"`,
  };
  const { perSecond } = PACE;
  const packets = perSecond * PACE.seconds[context.size];
  for (const [side, journal] of Object.entries(sides)) {
    await using gateway = await BenchGateway.create({
      ...{ program: context.program, startAt: "now" },
      child: pacedChild(packets, perSecond),
      toml: `${SENT_METRIC}\n[journal]\n${journal}`,
    });
    await giveRows(context, gateway, OLD_ROWS);
    const heard = await AgeSubscriber.open(gateway);
    gateway.start();
    const report = await gateway.delivered({ packets });
    await pacedResult(gateway);
    await heard[Symbol.asyncDispose]();
    await gateway.end();
    const agesMs = heard.agesMs.slice(WARM_UP_S * perSecond);
    yield figure(side, "median", "ms", percentile(agesMs, 0.5));
    yield figure(side, "longest stall", "ms", percentile(agesMs, 1));
    yield figure(side, "journal", "MB", report.journal.usedBytes / 1e6);
  }
}

async function* commits(
  { shared, folder, size }: BenchContext,
): AsyncIterable<Figure> {
  const rowOf = rowMaker();
  const chunk = chunkRows({
    ...{ excessBytes: 1, committedRows: 1, readingsPerRow: READINGS },
  });
  for (const deletes of [0, chunk]) {
    const path = join(folder, `commits-${deletes}.db`);
    await copyWhole(join(shared, `${OLD_ROWS}.db`), path);
    const store = new Store();
    store.open(path, logBytesOf(64e6));
    const tookMs: number[] = [];
    for (let i = 0; i < COMMITS[size]; i++) {
      const first = 1 + i * deletes;
      const deleted = deletes === 0
        ? null
        : [first, first + deletes - 1] as const;
      const rows = [rowOf(OLD_ROWS + 1 + i)];
      const beganMs = performance.now();
      store.commit({ ...EMPTY_COMMIT, rows, deleted });
      tookMs.push(performance.now() - beganMs);
    }
    store.close();
    const side = deletes === 0 ? "commits" : `commits that delete ${deletes}`;
    yield figure(side, "median", "ms", percentile(tookMs, 0.5));
    yield figure(side, "longest", "ms", percentile(tookMs, 1));
  }
}

/** The gateway finds a journal with so many rows; its sinks have nothing to do with them. */
async function giveRows(
  { shared, say }: BenchContext,
  gateway: BenchGateway,
  rows: number,
): Promise<void> {
  const made = join(shared, `${rows}.db`);
  const isMade = await Deno.stat(made).then(() => true, () => false);
  if (!isMade) {
    say(`Making a journal of ${rows} rows`);
    // A day ago: old enough to be deleted by age where that is asked for.
    fillJournal(made, { rows, untilUs: (Date.now() - 86_400_000) * 1000 });
  }
  await Deno.mkdir(gateway.journalFolder, { recursive: true });
  const path = journalPath(gateway.journalFolder);
  await copyWhole(made, path);
}

/** Copies a file down to the disk: what is still to be written is not for somebody's syncs to wait for. */
async function copyWhole(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, to);
  using file = await Deno.open(to);
  await file.sync();
}

interface Flood {
  readonly packets: number;
  /** Of each packet. */
  readonly readings: number;
  /** Whether the journal begins with it. @default {true} */
  readonly isNew?: boolean;
}

/** Has the gateway read and deliver what its children print. */
async function* flood(
  side: string,
  gateway: BenchGateway,
  { packets, readings, isNew = true }: Flood,
): AsyncIterable<Figure> {
  gateway.start();
  const startedMs = await gateway.childStarted();
  const before = await gateway.usage();
  const report = await gateway.delivered({ packets });
  const seconds = (Date.now() - startedMs) / 1000;
  const used = usageBetween(before, await gateway.usage());
  await gateway.end();
  yield figure(side, "packets/s", "", packets / seconds);
  yield figure(side, "CPU per packet", "ms", used.cpuMs / packets);
  const µs = used.cpuMs * 1000 / packets / readings;
  yield figure(side, "CPU per reading", "µs", µs);
  yield figure(side, "CPU per packet, journal", "ms", used.workerMs / packets);
  if (!isNew) return;
  const { usedBytes } = report.journal;
  yield figure(side, "journal per packet", "bytes", usedBytes / packets);
}

function packetsOf({ packets, size }: BenchContext): number {
  return packets ?? PACKETS[size];
}
