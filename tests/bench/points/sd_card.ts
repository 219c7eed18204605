/**
 * What an SD card has to bear, and how a slow one is borne.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeSlowDisk } from "../../e2e/flood.ts";
import { BenchGateway, once } from "../gateway.ts";
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
import { writeLines } from "../prepared_lines.ts";
import { usageBetween } from "../process_usage.ts";
import { percentile } from "../stats.ts";

const FSYNC_MS = 50;
const PER_SECOND = 500;
const SECONDS = { quick: 6, full: 20 };
/** What comes first is a program that has just been started, and is not looked at. */
const WARM_UP_S = 2;
/** So far apart that each packet, and then each sink's cursor, has a commit of its own. */
const IDLE = { perSecond: 0.5, packets: { quick: 4, full: 10 } };
const FLOOD_PACKETS = { quick: 20_000, full: 100_000 };
/** Commits of the anchor. */
const INSERTS = { quick: 40, full: 200 };
const GATEWAY = `gateway, sync of ${FSYNC_MS} ms`;
const SQLITE = `SQLite, sync of ${FSYNC_MS} ms`;

/** Writing. */
export const SD_CARD: Point = {
  name: "sd_card",
  title:
    "SD cards: bytes written for each packet, and a disk whose every sync takes 50 ms",
  notes: [
    "Written per packet: what the kernel was made to write (/proc/PID/io, whole pages), the write-ahead log, its copying into the file and everything else included. A packet every 2 s costs what one every 10 s costs.",
    `The slow disk: ${PER_SECOND} packets/s, from a line's leaving the child to the subscriber. The child stamps its lines, and how long each of its writes to stdout takes.`,
    `SQLite: one row a commit, and nothing else; what comes while a sync is under way waits for two.`,
  ],
  needs: ["mosquitto", "victoria-metrics", "gcc"],
  async *round(context) {
    const { size, packets } = context;
    yield* written(context, "1 packet every 2 s", {
      child: pacedChild(IDLE.packets[size], IDLE.perSecond),
      packets: IDLE.packets[size],
    });
    const paced = PER_SECOND * SECONDS[size];
    yield* written(context, `${PER_SECOND} packets/s`, {
      child: pacedChild(paced, PER_SECOND),
      packets: paced,
    });
    const flood = packets ?? FLOOD_PACKETS[size];
    const path = join(context.folder, "lines");
    await writeLines(path, { packets: flood });
    yield* written(context, "flood", {
      child: once(["cat", path]),
      packets: flood,
    });
    yield* slowly(context);
  },
  anchors: insertSlowly,
  ratios: [
    {
      of: { side: GATEWAY, name: "median" },
      to: { side: SQLITE, name: "median" },
      atMost: 2.5,
    },
    {
      of: { side: GATEWAY, name: "worst" },
      to: { side: SQLITE, name: "worst" },
    },
    ...["1 packet every 2 s", `${PER_SECOND} packets/s`].map((side) => ({
      of: { side, name: "written per packet" },
      atMost: 40_000,
    })),
  ],
};

async function* written(
  { program }: BenchContext,
  side: string,
  { child, packets }: { child: string[]; packets: number },
): AsyncIterable<Figure> {
  await using gateway = await BenchGateway.create({
    ...{ program, child, toml: SENT_METRIC },
  });
  gateway.start();
  await gateway.childStarted();
  const before = await gateway.usage();
  await gateway.delivered({ packets });
  // The cursors' own commit comes within a second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const { diskBytes } = usageBetween(before, await gateway.usage());
  await gateway.end();
  // A file system in memory writes nothing.
  if (diskBytes === 0) return;
  yield figure(side, "written per packet", "bytes", diskBytes / packets);
}

async function* slowly(
  { program, size, stack }: BenchContext,
): AsyncIterable<Figure> {
  const { env } = stack.use(await makeSlowDisk(FSYNC_MS));
  const packets = PER_SECOND * SECONDS[size];
  const child = pacedChild(packets, PER_SECOND);
  await using gateway = await BenchGateway.create({
    ...{ program, child, toml: SENT_METRIC, env },
  });
  const heard = await AgeSubscriber.open(gateway);
  gateway.start();
  await gateway.delivered({ packets });
  const { longestMs } = await pacedResult(gateway);
  await heard[Symbol.asyncDispose]();
  await gateway.end();
  const agesMs = heard.agesMs.slice(WARM_UP_S * PER_SECOND);
  yield figure(GATEWAY, "median", "ms", percentile(agesMs, 0.5));
  yield figure(GATEWAY, "p99", "ms", percentile(agesMs, 0.99));
  yield figure(GATEWAY, "worst", "ms", percentile(agesMs, 1));
  yield figure(GATEWAY, "child's longest write", "ms", longestMs);
}

async function* insertSlowly(
  { folder, size, stack }: BenchContext,
): AsyncIterable<Figure> {
  const { env } = stack.use(await makeSlowDisk(FSYNC_MS));
  const script = fileURLToPath(new URL("../insert_alone.ts", import.meta.url));
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "-A", script],
      ...[join(folder, "journal.db"), String(INSERTS[size])],
    ],
    env,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("The bare inserts failed");
  const tookMs = JSON.parse(new TextDecoder().decode(stdout)) as number[];
  yield figure(SQLITE, "median", "ms", percentile(tookMs, 0.5));
  yield figure(SQLITE, "worst", "ms", percentile(tookMs, 1));
}
