/**
 * What the gateway costs while next to nothing happens.
 *
 * @module
 */

import { join } from "node:path";
import { BenchGateway, once } from "../gateway.ts";
import { Latencies } from "../latencies.ts";
import type { BenchContext, Figure, Point } from "../point.ts";
import {
  type ProcessUsage,
  readUsage,
  usageBetween,
} from "../process_usage.ts";
import { stampedBoard } from "../stamped_board.ts";
import { countCalls } from "../system_calls.ts";

const INTERVAL_S = 10;
/** Packets that are let go by first, then those in which CPU is counted, then those with each system call. */
const PACKETS = {
  quick: { earlier: 2, used: 2, traced: 2 },
  full: { earlier: 6, used: 12, traced: 4 },
};

/** One packet every ten seconds. */
export const IDLE: Point = {
  name: "idle",
  title: `Idle: one packet every ${INTERVAL_S} s`,
  notes: [
    "CPU and wake-ups are the whole process's, by Linux's books of each thread: a wake-up follows a voluntary context switch. System calls are counted afterwards, with strace.",
    "Writes are of both kinds of sockets, whatever a packet's nine messages and nine points come to; MQTT's pings are left out, for they are no packet's.",
    `bare timer: a Deno process that does nothing but wait for a timer of ${INTERVAL_S} s, again and again.`,
  ],
  needs: ["mosquitto", "victoria-metrics", "strace"],
  round: measureGateway,
  anchors: measureTimer,
  ratios: [
    {
      of: { side: "gateway", name: "wake-ups/s" },
      to: { side: "bare timer", name: "wake-ups/s" },
    },
    { of: { side: "gateway", name: "wake-ups/s" }, atMost: 10 },
    { of: { side: "gateway", name: "syncs per packet" }, atMost: 1 },
    {
      of: { side: "gateway", name: "writes to the broker per packet" },
      atMost: 1,
    },
    {
      of: { side: "gateway", name: "writes to the database per packet" },
      atMost: 1,
    },
  ],
};

async function* measureGateway(
  { program, size, folder }: BenchContext,
): AsyncIterable<Figure> {
  const { earlier, used, traced } = PACKETS[size];
  const packets = earlier + used + traced;
  await using gateway = await BenchGateway.create({
    program,
    child: once(stampedBoard({ rate: 1 / INTERVAL_S, packets })),
  });
  await using heard = await Latencies.of(gateway.mosquitto.url);
  gateway.start();
  await heard.has(earlier);
  const before = await gateway.usage();
  await heard.has(earlier + used);
  yield* figures("gateway", before, await gateway.usage());
  {
    await using calls = await countCalls(gateway.pid, join(folder, "calls"));
    await heard.has(packets);
    const { syncs, writesTo } = await calls.end();
    const figure = (name: string, count: number): Figure => ({
      ...{ side: "gateway", name, unit: "", value: count / traced },
    });
    yield figure("syncs per packet", syncs);
    yield figure(
      "writes to the broker per packet",
      writesTo(gateway.mosquitto.port),
    );
    yield figure(
      "writes to the database per packet",
      writesTo(gateway.victoria.port),
    );
  }
  await gateway.delivered({ packets });
}

async function* measureTimer({ size }: BenchContext): AsyncIterable<Figure> {
  const timer = new Deno.Command(Deno.execPath(), {
    args: ["eval", "-q", `setInterval(() => {}, ${INTERVAL_S * 1000})`],
  }).spawn();
  const wait = (packets: number) =>
    new Promise((resolve) => setTimeout(resolve, packets * INTERVAL_S * 1000));
  try {
    await wait(1);
    const before = await readUsage(timer.pid);
    await wait(PACKETS[size].used);
    yield* figures("bare timer", before, await readUsage(timer.pid));
  } finally {
    timer.kill("SIGKILL");
    await timer.status;
  }
}

function* figures(
  side: string,
  before: ProcessUsage,
  after: ProcessUsage,
): Iterable<Figure> {
  const { seconds, runMs, sleeps } = usageBetween(before, after);
  const share = runMs / 1000 / seconds;
  yield { side, name: "CPU", unit: "% of a core", value: share * 100 };
  yield { side, name: "wake-ups/s", unit: "", value: sleeps / seconds };
}
