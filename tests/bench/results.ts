/**
 * What was measured, as `--json` keeps it: a file holds the newest run of each point.
 *
 * @module
 */

import type { Build, Machine } from "./machine.ts";
import type { Figure, FigureName, Ratio } from "./point.ts";

/** The circumstances of a run. */
export interface Run {
  /** When it began, RFC 3339. */
  readonly at: string;
  readonly machine: Machine;
  readonly build: Build;
  /** The checkout that `--against` named; null without one. */
  readonly before: Build | null;
  readonly size: "quick" | "full";
  readonly rounds: number;
}

/** A figure over the rounds. */
export interface MeasuredFigure extends FigureName {
  readonly unit: string;
  /** One of each round, in their order. */
  readonly values: readonly number[];
}

/** A ratio over the rounds: `of / to` of each, or `of` itself; none of a round that did not measure both. */
export interface MeasuredRatio extends Ratio {
  readonly values: readonly number[];
}

/** A point and all that was measured of it. */
export interface MeasuredPoint {
  readonly name: string;
  readonly title: string;
  readonly notes: readonly string[];
  readonly run: Run;
  readonly figures: readonly MeasuredFigure[];
  readonly ratios: readonly MeasuredRatio[];
}

/** The file. */
export interface Results {
  readonly points: readonly MeasuredPoint[];
}

/** The name of a side of the checkout before. */
export function sideBefore(side: string): string {
  return `${side}, before`;
}

/** The figure with this name. */
export function findFigure<F extends FigureName>(
  figures: readonly F[],
  { side, name }: FigureName,
): F | undefined {
  return figures.find((one) => one.side === side && one.name === name);
}

/** The figures of all rounds, each under its name, in the order in which they first came. */
export function gather(
  rounds: readonly (readonly Figure[])[],
): MeasuredFigure[] {
  const names = rounds.flat().filter((figure, index, all) =>
    all.findIndex(({ side, name }) =>
      side === figure.side && name === figure.name
    ) === index
  );
  return names.map(({ side, name, unit }) => ({
    side,
    name,
    unit,
    values: rounds.flatMap((figures) =>
      figures.filter((one) => one.side === side && one.name === name)
        .map(({ value }) => value)
    ),
  }));
}

/**
 * The ratios of each round, and of what was measured with the checkout before, how it is now to how it
 * was.
 */
export function compare(
  rounds: readonly (readonly Figure[])[],
  ratios: readonly Ratio[],
): MeasuredRatio[] {
  const figures = gather(rounds);
  const toBefore = figures.flatMap(({ side, name }): Ratio[] => {
    const before = { side: sideBefore(side), name };
    return findFigure(figures, before) === undefined
      ? []
      : [{ of: { side, name }, to: before }];
  });
  return [...ratios, ...toBefore].map((ratio) => ({
    ...ratio,
    values: rounds.flatMap((round) => {
      const of = findFigure(round, ratio.of)?.value;
      const to = ratio.to === undefined ? 1 : findFigure(round, ratio.to)
        ?.value;
      return of === undefined || to === undefined || to === 0 ? [] : [of / to];
    }),
  }));
}

/** Reads a file of results; an empty one where there is none. @throws {SyntaxError} if it is no JSON */
export async function readResults(path: string): Promise<Results> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { points: [] };
    throw error;
  }
}

/** Puts `point` into the file at `path`, in the place of what it held of that point. */
export async function keepPoint(
  path: string,
  point: MeasuredPoint,
): Promise<void> {
  const { points } = await readResults(path);
  const others = points.filter(({ name }) => name !== point.name);
  const results: Results = { points: [...others, point] };
  await Deno.writeTextFile(path, JSON.stringify(results, null, 2) + "\n");
}
