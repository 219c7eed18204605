/**
 * How long from starting the program to the first line that it has read, however much its journal holds.
 *
 * @module
 */

import { join } from "node:path";
import { eventually } from "../../e2e/gateway_process.ts";
import type { Program } from "../../cli/program.ts";
import { fillJournal } from "../filled_journal.ts";
import { BenchGateway, once } from "../gateway.ts";
import type { BenchContext, Figure, Point } from "../point.ts";
import { writeLines } from "../prepared_lines.ts";

const ROWS = { quick: 100_000, full: 10_000_000 };
/** A start is short, and what else the machine does shows: the median of so many is one figure. */
const STARTS = 5;

/** The start. */
export const START: Point = {
  name: "start",
  title: "Start: from exec to the first line read",
  notes: [
    "The child is `cat` of a packet, so its own start is in it. Read: the time that the packet's row in the journal has.",
    `Each figure is the median of ${STARTS} starts. "version" is the whole run of \`iiot-gateway version\`: the runtime, and what the program loads first.`,
    "The executable keeps compiled code in TMPDIR; anew: that is empty each time, as after a reboot.",
  ],
  needs: ["mosquitto", "victoria-metrics"],
  round: measure,
  ratios: [
    {
      of: { side: "many rows", name: "first line" },
      to: { side: "empty journal", name: "first line" },
      atMost: 2,
    },
    {
      of: { side: "empty journal", name: "first line" },
      to: { side: "version", name: "whole run" },
      atMost: 8,
    },
  ],
};

async function* measure(context: BenchContext): AsyncIterable<Figure> {
  const { program, size, shared, folder, say } = context;
  const { path } = await writeLines(join(folder, "line"), { packets: 1 });
  const many = join(shared, "many-rows");
  const isMade = await Deno.stat(many).then(() => true, () => false);
  if (!isMade) {
    say(`making a journal of ${ROWS[size]} rows`);
    await Deno.mkdir(many);
    fillJournal(join(many, "journal.db"), {
      rows: ROWS[size],
      untilUs: Date.now() * 1000,
    });
  }
  const milliseconds = { unit: "ms", name: "first line" };
  yield {
    ...{ ...milliseconds, side: "version", name: "whole run" },
    value: await median(() => runVersion(program)),
  };
  yield {
    ...{ ...milliseconds, side: "empty journal" },
    value: await median(() => start(context, path)),
  };
  yield {
    ...{ ...milliseconds, side: "anew" },
    value: await median(async () => {
      const emptied = await Deno.makeTempDir();
      return await start(context, path, { env: { TMPDIR: emptied } });
    }),
  };
  yield {
    ...{ ...milliseconds, side: "many rows" },
    value: await median(() => start(context, path, { journal: many })),
  };
}

/** The middle one of {@linkcode STARTS} measurements. */
async function median(measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  while (values.length < STARTS) values.push(await measure());
  return values.toSorted((a, b) => a - b)[STARTS >> 1]!;
}

async function runVersion({ command }: Program): Promise<number> {
  const [program = "", ...args] = command;
  const startedMs = performance.now();
  const { success } = await new Deno.Command(program, {
    args: [...args, "version"],
    stdout: "null",
  }).output();
  if (!success) throw new Error("`version` failed");
  return performance.now() - startedMs;
}

/** Starts the gateway, with the journal in the folder `journal` if one is given; milliseconds to the first line. */
async function start(
  { program }: BenchContext,
  line: string,
  { journal, env = {} }: {
    readonly journal?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<number> {
  await using gateway = await BenchGateway.create({
    ...{ program, env },
    child: once(["cat", line]),
    // Nobody has to send again what a journal holds.
    toml:
      '[journal]\nmax_megabytes = 4000\nreserve = false\n[log]\nlevel = "warning"',
    startAt: "now",
  });
  if (journal !== undefined) {
    await Deno.symlink(journal, gateway.journalFolder);
  }
  const before = Date.now();
  gateway.start();
  const timeUs = await eventually("the first packet", async () => {
    const { newest } = (await gateway.report().catch(() => undefined))
      ?.journal ?? {};
    return newest && newest.timeUs > before * 1000 ? newest.timeUs : false;
  });
  const code = await gateway.process.end("SIGTERM");
  if (code !== 0) throw new Error(gateway.process.log);
  return timeUs / 1000 - before;
}
