/**
 * Whether a packet costs more with a full journal, many boards or many metrics.
 *
 * @module
 */

import { join } from "node:path";
import { giveRows, ROOMY } from "../filled_journal.ts";
import { BenchGateway, once, STARTED } from "../gateway.ts";
import {
  type BenchContext,
  type Figure,
  figure,
  type Point,
} from "../point.ts";
import { READINGS, writeLines } from "../prepared_lines.ts";
import { usageBetween } from "../process_usage.ts";

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

/** What grows. */
export const GROWTH: Point = {
  name: "growth",
  title:
    "Growth: the same flood with a full journal, many boards, many metrics",
  notes: [
    `The flood goes the whole way, to mosquitto and VictoriaMetrics; packets have ${READINGS} metrics unless told otherwise. CPU is the gateway's process.`,
  ],
  needs: ["mosquitto", "victoria-metrics"],
  async *round(context) {
    yield* withRows(context);
    yield* withBoards(context);
    yield* withMetrics(context);
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
