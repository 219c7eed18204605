/**
 * How much memory the gateway takes: while a packet comes every second, for minutes or for an hour, and
 * while a flood waits for servers that are down.
 *
 * @module
 */

import { join } from "node:path";
import { eventually } from "../../e2e/gateway_process.ts";
import { BenchGateway, once } from "../gateway.ts";
import type { BenchContext, Figure, Point } from "../point.ts";
import { READINGS, writeLines } from "../prepared_lines.ts";

/** Seconds at a packet a second. */
const SECONDS = { quick: 20, full: 300 };
/** The same of the longer point. */
const HOUR_S = { quick: 60, full: 3600 };
/** Packets that wait. */
const WAITING = { quick: 20_000, full: 1_000_000 };
/** From one look to the next. */
const LOOK_MS = 1000;

/** Memory. */
export const MEMORY: Point = {
  name: "memory",
  title: "Memory: resident, with the runtime and the program's own pages",
  notes: [
    'Five minutes at a packet a second, and then a million packets; the point "hour" is the longer one.',
    "Waiting: both servers are down while the packets come; then they are started, and all goes out.",
  ],
  needs: ["mosquitto", "victoria-metrics"],
  round: measure,
  ratios: [
    {
      of: { side: "a packet a second", name: "resident, most" },
      atMost: 160,
    },
    { of: { side: "waiting", name: "resident, most" }, atMost: 450 },
  ],
};

/** The same for an hour. */
export const HOUR: Point = {
  name: "hour",
  title:
    "An hour at a packet a second (a minute with --quick): resident memory, and whether it grows",
  notes: ["Growth is the slope over the second half."],
  needs: ["mosquitto", "victoria-metrics"],
  onlyNamed: true,
  round: (context) => measureSteady(context, HOUR_S[context.size]),
  ratios: [],
};

async function* measure(context: BenchContext): AsyncIterable<Figure> {
  yield* measureSteady(context, SECONDS[context.size]);
  yield* measureWaiting(context);
}

async function* measureSteady(
  { program, folder, say }: BenchContext,
  seconds: number,
): AsyncIterable<Figure> {
  say(`a packet a second, for ${seconds} s`);
  const { path } = await writeLines(join(folder, "steady"), {
    packets: seconds,
  });
  await using gateway = await BenchGateway.create({
    program,
    // The telemetry a line a second, the firmware's other lines between.
    child: once(["sh", "-c", PACED, "paced", path]),
  });
  gateway.start();
  await gateway.childStarted();
  const samples: { atS: number; mb: number }[] = [];
  await eventually("all packets came", async () => {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const { atMs, residentMb } = await gateway.usage();
    samples.push({ atS: atMs / 1000, mb: residentMb });
    return samples.length >= seconds;
  }, (seconds + 60) * 2000);
  const { mostResidentMb } = await gateway.usage();
  await gateway.delivered({ packets: seconds });
  const of = { side: "a packet a second", unit: "MB" };
  yield { ...of, name: "resident, most", value: mostResidentMb };
  yield { ...of, name: "resident, at the end", value: samples.at(-1)!.mb };
  const later = samples.slice(samples.length >> 1);
  yield { ...of, name: "growth in an hour", value: slope(later) * 3600 };
}

/** Prints a file's lines, each of telemetry a second after the one before. */
const PACED =
  'while IFS= read -r line; do printf "%s\\n" "$line"; case "$line" in *"JSON sent"*) sleep 1;; esac; done < "$1"';

async function* measureWaiting(
  { program, packets, size, folder, say }: BenchContext,
): AsyncIterable<Figure> {
  const waiting = packets ?? WAITING[size];
  say(`${waiting} packets wait`);
  const { path } = await writeLines(join(folder, "waiting"), {
    packets: waiting,
  });
  await using gateway = await BenchGateway.create({
    program,
    child: once(["cat", path]),
  });
  await Promise.all([gateway.mosquitto.stop(), gateway.victoria.stop()]);
  gateway.start();
  await eventually("all packets wait", async () => {
    const report = await gateway.report().catch(() => undefined);
    const sinks = report?.journal.sinks ?? [];
    return sinks.length === 2 &&
      sinks.every((sink) => sink.waiting === waiting * READINGS);
  }, 600_000);
  const full = await gateway.usage();
  await Promise.all([gateway.mosquitto.start(), gateway.victoria.start()]);
  await gateway.delivered({ packets: waiting });
  const sent = await gateway.usage();
  const of = { side: "waiting", unit: "MB" };
  yield { ...of, name: "resident, most", value: full.mostResidentMb };
  yield { ...of, name: "resident, all wait", value: full.residentMb };
  yield {
    ...of,
    name: "resident, most until all is out",
    value: sent.mostResidentMb,
  };
}

/** Of a straight line through the samples, in MB a second. */
function slope(samples: readonly { atS: number; mb: number }[]): number {
  const mean = (of: (sample: { atS: number; mb: number }) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [atS, mb] = [mean((one) => one.atS), mean((one) => one.mb)];
  const over = mean((one) => (one.atS - atS) * (one.mb - mb));
  return over / mean((one) => (one.atS - atS) ** 2);
}
