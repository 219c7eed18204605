/**
 * Measures a point in rounds: in each of them every side once, in turn forwards and backwards, so that
 * a machine that grows slower or warmer does it to all sides alike.
 *
 * @module
 */

import { join } from "node:path";
import type { Program } from "../cli/program.ts";
import type { BenchContext, Figure, Point } from "./point.ts";
import {
  compare,
  gather,
  type MeasuredPoint,
  type Run,
  sideBefore,
} from "./results.ts";

/** Options for {@linkcode measure}. */
export interface MeasureOptions {
  readonly run: Run;
  readonly program: Program;
  /** The other checkout's; undefined without `--against`. */
  readonly before?: Program | undefined;
  /** As `--packets` says. */
  readonly packets?: number | undefined;
  /** An empty folder for all that is written. */
  readonly folder: string;
  /** Aborted to end it: what was started is ended then, too. */
  readonly signal: AbortSignal;
  /** Tells what is going on. */
  say(text: string): void;
}

type Side = (round: number) => Promise<Figure[]>;

/** @throws {Error} of the first side that cannot be measured, or the reason of `signal` */
export async function measure(
  point: Point,
  options: MeasureOptions,
): Promise<MeasuredPoint> {
  const { run } = options;
  const sides = sidesOf(point, options);
  const rounds: Figure[][] = [];
  for (let round = 1; round <= run.rounds; round++) {
    options.say(`${point.name}: round ${round} of ${run.rounds}`);
    const figures: Figure[][] = [];
    const turn = sides.map((side, index) => ({ side, index }));
    if (round % 2 === 0) turn.reverse();
    for (const { side, index } of turn) figures[index] = await side(round);
    rounds.push(figures.flat());
  }
  const { name, title, notes = [], ratios } = point;
  return {
    name,
    title,
    notes,
    run,
    figures: gather(rounds),
    ratios: compare(rounds, ratios),
  };
}

function sidesOf(point: Point, options: MeasureOptions): Side[] {
  const { program, before } = options;
  const sides: Side[] = [
    (round) => once(point.round.bind(point), round, program, options),
  ];
  if (before !== undefined) {
    sides.push(async (round) =>
      (await once(point.round.bind(point), round, before, options))
        .map((figure) => ({ ...figure, side: sideBefore(figure.side) }))
    );
  }
  const anchors = point.anchors?.bind(point);
  if (anchors !== undefined) {
    sides.push((round) => once(anchors, round, program, options));
  }
  return sides;
}

/** Calls one side, and removes afterwards what it left. */
async function once(
  side: (context: BenchContext) => AsyncIterable<Figure>,
  round: number,
  program: Program,
  { run, packets, folder, signal, say }: MeasureOptions,
): Promise<Figure[]> {
  const [shared, own] = [join(folder, "shared"), join(folder, "own")];
  await Deno.mkdir(shared, { recursive: true });
  await Deno.mkdir(own);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(own, { recursive: true }));
  const { size, rounds } = run;
  const context: BenchContext = {
    ...{ program, size, packets, round, rounds, folder: own, shared },
    // Ended before the folder is removed.
    stack: stack.use(new AsyncDisposableStack()),
    say,
  };
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  stack.defer(() => signal.removeEventListener("abort", abort));
  signal.throwIfAborted();
  return await Promise.race([collect(side(context)), aborted.promise]);
}

async function collect(source: AsyncIterable<Figure>): Promise<Figure[]> {
  const figures: Figure[] = [];
  for await (const figure of source) {
    if (!Number.isFinite(figure.value)) {
      throw new Error(
        `"${figure.name}" of "${figure.side}" is no number: ${figure.value}`,
      );
    }
    figures.push(figure);
  }
  return figures;
}
