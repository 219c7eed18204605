/**
 * `--check`: whether what was measured is about what it should be. Only ratios and counts are looked
 * at, with wide margins: a machine may be fast or slow, and busy.
 *
 * @module
 */

import type { MeasuredPoint, MeasuredRatio, Run } from "./results.ts";
import { median } from "./stats.ts";
import { formatNumber } from "./table.ts";

/** What is not as it should be, a line each: what was found and what was wanted. */
export function check(points: readonly MeasuredPoint[]): string[] {
  return points.flatMap(({ name, ratios, run }) =>
    ratios.filter((ratio) => !isKept(ratio, run))
      .map((ratio) => `${name}: ${describe(ratio)}`)
  );
}

function isKept(
  { values, atLeast, atMost }: MeasuredRatio,
  { size }: Run,
): boolean {
  if (atLeast === undefined && atMost === undefined) return true;
  // A quick run may leave sides out.
  if (values.length === 0) return size === "quick";
  const value = median(values);
  return value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
}

function describe({ of, to, values, atLeast, atMost }: MeasuredRatio): string {
  const found = values.length === 0 ? "unknown" : formatNumber(median(values));
  const wanted = [
    ...(atLeast === undefined ? [] : [`at least ${formatNumber(atLeast)}`]),
    ...(atMost === undefined ? [] : [`at most ${formatNumber(atMost)}`]),
  ].join(" and ");
  const figure = `${of.name} of "${of.side}"`;
  return to === undefined
    ? `${figure} is ${found}, wanted ${wanted}`
    : `${figure} is ${found} of the ${to.name} of "${to.side}", wanted ${wanted}`;
}
