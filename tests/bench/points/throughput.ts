/**
 * How many packets a second go the whole way, and what one costs.
 *
 * @module
 */

import { join } from "node:path";
import {
  insertBare,
  type Pace,
  publishBare,
  splitBare,
  TELL_RECEIVED,
  writeBare,
} from "../anchors.ts";
import { startMosquitto, startVictoriaMetrics } from "../../servers.ts";
import { BenchGateway, once } from "../gateway.ts";
import type { BenchContext, Figure, Point } from "../point.ts";
import { type PreparedLines, READINGS, writeLines } from "../prepared_lines.ts";
import { messagesOf, pointsOf, readRows } from "../prepared_rows.ts";
import { readUsage, usageBetween } from "../process_usage.ts";

const PACKETS = { quick: 20_000, full: 1_000_000 };
/** What the anchors are measured with, at most: they are faster. */
const MOST_ANCHOR_PACKETS = 100_000;
const MOST_ANCHOR_MESSAGES = 195_000;
/**
 * Rows of the anchor's commits: about as many as the gateway commits together in the flood, by the
 * syncs that `strace -f -e trace=fsync` counts.
 */
const ROWS_A_COMMIT = 2000;

/** The flood. */
export const THROUGHPUT: Point = {
  name: "throughput",
  title:
    "Throughput: a child's flood, synced to disk before it is sent, MQTT at QoS 1 and InfluxDB's API",
  notes: [
    `Each packet is ${READINGS} messages and ${READINGS} points. Nobody is subscribed. Server, database, child and gateway share the cores.`,
    "From the child's start to the last acknowledgement. The child is `cat` of lines that were made before.",
    "CPU of the gateway is its process's: all threads, without the child, without its own start.",
    `The anchors do one thing each with the same bytes: mosquitto_pub -l -q 1 (without the 0.2 s of its beginning and end), fetch of the same requests, inserts of the same rows (${ROWS_A_COMMIT} a commit, synced), lines of the same file.`,
  ],
  needs: ["mosquitto", "mosquitto_pub", "victoria-metrics"],
  round: measureGateway,
  anchors: measureAnchors,
  ratios: [
    {
      of: { side: "gateway", name: "messages/s" },
      to: { side: "mosquitto_pub", name: "messages/s" },
      atLeast: 0.1,
    },
    {
      of: { side: "gateway", name: "CPU per message" },
      to: { side: "mosquitto_pub", name: "CPU per message" },
    },
    {
      of: { side: "gateway", name: "points/s" },
      to: { side: "fetch", name: "points/s" },
      atLeast: 0.02,
    },
    {
      of: { side: "gateway", name: "packets/s" },
      to: { side: "SQLite", name: "rows/s" },
      atLeast: 0.008,
    },
    {
      of: { side: "gateway", name: "lines/s" },
      to: { side: "LineStream", name: "lines/s" },
      atLeast: 0.003,
    },
    { of: { side: "gateway", name: "journal per packet" }, atMost: 200 },
  ],
};

async function* measureGateway(context: BenchContext): AsyncIterable<Figure> {
  const { program, stack, shared } = context;
  const { path, packets, lines } = await prepare(
    join(shared, "flood"),
    packetsOf(context),
  );
  const gateway = stack.use(
    await BenchGateway.create({ program, child: once(["cat", path]) }),
  );
  gateway.start();
  const startedMs = await gateway.childStarted();
  const before = await gateway.usage();
  const report = await gateway.delivered({ packets });
  const seconds = (Date.now() - startedMs) / 1000;
  const after = await gateway.usage();
  for (const { name, ledger } of report.journal.sinks) {
    if (ledger.delivered === packets * READINGS) continue;
    throw new Error(
      `"${name}" has delivered ${ledger.delivered} readings of ${packets} packets`,
    );
  }
  const childMs = await gateway.childCpuMs();
  const broker = await readUsage(gateway.mosquitto.pid!);
  const database = await readUsage(gateway.victoria.pid!);
  const used = usageBetween(before, after);
  const figure = (name: string, unit: string, value: number): Figure => ({
    ...{ side: "gateway", name, unit, value },
  });
  yield figure("packets/s", "", packets / seconds);
  yield figure("messages/s", "", packets * READINGS / seconds);
  yield figure("points/s", "", packets * READINGS / seconds);
  yield figure("lines/s", "", lines / seconds);
  yield figure("CPU per packet", "ms", used.cpuMs / packets);
  yield figure("CPU per packet, main thread", "ms", used.mainMs / packets);
  yield figure("CPU per packet, journal", "ms", used.workerMs / packets);
  yield figure("CPU per message", "µs", used.cpuMs * 1000 / packets / READINGS);
  yield figure("resident memory, most", "MB", after.mostResidentMb);
  yield figure(
    "journal per packet",
    "bytes",
    report.journal.usedBytes / packets,
  );
  yield figure("written per packet", "bytes", used.diskBytes / packets);
  const cost = (side: string, cpuMs: number): Figure => ({
    ...{ side, name: "CPU per packet", unit: "ms", value: cpuMs / packets },
  });
  yield cost("child", childMs);
  yield cost("mosquitto", broker.cpuMs);
  yield cost("VictoriaMetrics", database.cpuMs);
  const code = await gateway.process.end("SIGTERM");
  if (code !== 0) {
    throw new Error(`The gateway ended with ${code}: ${gateway.process.log}`);
  }
}

async function* measureAnchors(context: BenchContext): AsyncIterable<Figure> {
  const { folder, shared, stack } = context;
  const { path, lines } = await prepare(
    join(shared, "anchors"),
    Math.min(packetsOf(context), MOST_ANCHOR_PACKETS),
  );
  yield* figures("LineStream", "lines/s", await splitBare(path, lines));
  const rows = await readRows(path);
  yield* figures(
    "SQLite",
    "rows/s",
    await insertBare(join(folder, "rows.db"), rows, {
      rowsACommit: ROWS_A_COMMIT,
    }),
  );
  const mosquitto = stack.use(await startMosquitto({ conf: TELL_RECEIVED }));
  const messages = [...messagesOf(rows)].slice(0, MOST_ANCHOR_MESSAGES);
  yield* figures(
    "mosquitto_pub",
    "messages/s",
    await publishBare(mosquitto, messages, folder),
  );
  const victoria = stack.use(await startVictoriaMetrics());
  const points = [...pointsOf(rows, (Date.now() - 600_000) * 1000)];
  yield* figures("fetch", "points/s", await writeBare(victoria.url, points));
}

function* figures(
  side: string,
  name: string,
  { perSecond, cpuMs }: Pace,
): Iterable<Figure> {
  yield { side, name, unit: "", value: perSecond };
  // `messages/s` → `CPU per message`
  const one = name.replace("s/s", "");
  yield { side, name: `CPU per ${one}`, unit: "µs", value: cpuMs * 1000 };
}

function packetsOf({ packets, size }: BenchContext): number {
  return packets ?? PACKETS[size];
}

/** Lines that were made already, by their files: they are the same in all rounds. */
const prepared = new Map<string, PreparedLines>();

async function prepare(path: string, packets: number): Promise<PreparedLines> {
  const found = prepared.get(path) ?? await writeLines(path, { packets });
  prepared.set(path, found);
  return found;
}
