/**
 * How long a packet takes from the board's program to a subscriber.
 *
 * @module
 */

import { startMosquitto } from "../../servers.ts";
import { bareRelay } from "../bare_relay.ts";
import { BenchGateway, once } from "../gateway.ts";
import { Latencies } from "../latencies.ts";
import type { BenchContext, Figure, Point } from "../point.ts";
import {
  type ProcessUsage,
  readUsage,
  usageBetween,
} from "../process_usage.ts";
import { stampedBoard } from "../stamped_board.ts";
import { median, percentile } from "../stats.ts";

/** V8 has compiled by then what a packet takes: 6000 are ten minutes of a board at 10 a second. */
const LONG_RUN = { rate: 500, packets: { quick: 1000, full: 6000 } };
/** What a program that was just started reads of its own code comes before these. */
const JUST_STARTED = { rate: 10, packets: { quick: 30, full: 30 } };

/** Packets a second, how many are looked at, and what comes earlier. */
const PACES = [
  {
    name: "10 packets/s",
    rate: 10,
    packets: { quick: 100, full: 400 },
    earlier: LONG_RUN,
  },
  {
    name: "10 packets/s, just started",
    rate: 10,
    packets: { quick: 50, full: 400 },
    earlier: JUST_STARTED,
  },
  {
    name: "500 packets/s",
    rate: 500,
    packets: { quick: 2500, full: 10_000 },
    earlier: LONG_RUN,
  },
] as const;
type Pace = typeof PACES[number];

/** The way of one packet. */
export const LATENCY: Point = {
  name: "latency",
  title:
    "Latency: from the board's program printing a line to a subscriber having its last reading, with the sync of the disk in between",
  notes: [
    "The program puts the moment into the packet, the subscriber compares it with the same clock: nine messages at QoS 1, of which it subscribes to the last. InfluxDB's API takes the points meanwhile.",
    `Behind ${LONG_RUN.packets.full} packets, as a board brings them in ten minutes at 10 a second (with --quick ${LONG_RUN.packets.quick}); they come at ${LONG_RUN.rate} a second. Just started: behind ${JUST_STARTED.packets.full}, at ${JUST_STARTED.rate} a second.`,
    "bare: the same program's lines read, appended to a file, synced, published, and nothing else; sync is what its append and sync take of that. A machine that is mostly idle takes longer for all of it: it has to wake at each step, and its disk too.",
  ],
  needs: ["mosquitto", "victoria-metrics"],
  round: measureGateway,
  anchors: measureBare,
  ratios: PACES.map((pace) => ({
    of: { side: side("gateway", pace), name: "median" },
    to: { side: side("bare", pace), name: "median" },
    atMost: 5,
  })),
};

async function* measureGateway(
  { program, size }: BenchContext,
): AsyncIterable<Figure> {
  for (const pace of PACES) {
    await using gateway = await BenchGateway.create({
      program,
      child: once(boardOf(pace, size)),
    });
    await using heard = await Latencies.of(gateway.mosquitto.url);
    gateway.start();
    yield* await measure(heard, "gateway", pace, size, () => gateway.usage());
    await gateway.delivered({ packets: totalOf(pace, size) });
    const code = await gateway.process.end("SIGTERM");
    if (code !== 0) {
      throw new Error(`The gateway ended with ${code}: ${gateway.process.log}`);
    }
  }
}

async function* measureBare({ size }: BenchContext): AsyncIterable<Figure> {
  for (const pace of PACES) {
    await using mosquitto = await startMosquitto();
    await using heard = await Latencies.of(mosquitto.url);
    const [program = "", ...args] = bareRelay(
      mosquitto.url,
      boardOf(pace, size),
    );
    const relay = new Deno.Command(program, { args, stdout: "piped" }).spawn();
    const ended = relay.output();
    try {
      const usage = () => readUsage(relay.pid);
      yield* await measure(heard, "bare", pace, size, usage);
    } finally {
      relay.kill("SIGTERM");
    }
    const { stdout } = await ended;
    const syncsMs: number[] = JSON.parse(new TextDecoder().decode(stdout));
    // Packets that came together were synced together: then some of the earlier ones are among these.
    yield* figures(side("sync", pace), syncsMs.slice(-pace.packets[size]));
  }
}

function side(of: string, { name }: Pace): string {
  return `${of}, ${name}`;
}

/** The median, the 99th percentile and the worst. */
function* figures(side: string, valuesMs: number[]): Iterable<Figure> {
  yield { side, name: "median", unit: "ms", value: median(valuesMs) };
  yield { side, name: "p99", unit: "ms", value: percentile(valuesMs, 0.99) };
  yield { side, name: "max", unit: "ms", value: percentile(valuesMs, 1) };
}

function totalOf(pace: Pace, size: BenchContext["size"]): number {
  return pace.earlier.packets[size] + pace.packets[size];
}

function boardOf(
  { rate, packets, earlier }: Pace,
  size: BenchContext["size"],
): string[] {
  return stampedBoard({
    ...{ rate, packets: packets[size] },
    earlier: { rate: earlier.rate, packets: earlier.packets[size] },
  });
}

/** Waits for all packets of a pace, and tells of those behind the first ones. */
async function measure(
  heard: Latencies,
  of: string,
  pace: Pace,
  size: BenchContext["size"],
  usage: () => Promise<ProcessUsage>,
): Promise<Figure[]> {
  const earlier = pace.earlier.packets[size];
  const total = totalOf(pace, size);
  await heard.has(earlier);
  const [before, first] = [await usage(), heard.valuesMs.length];
  await heard.has(total);
  const used = usageBetween(before, await usage());
  const name = side(of, pace);
  const cpuMs = used.cpuMs / (total - first);
  return [
    ...figures(name, heard.valuesMs.slice(earlier)),
    { side: name, name: "CPU per packet", unit: "ms", value: cpuMs },
  ];
}
