/**
 * Numbers told by a few others.
 *
 * @module
 */

/** The middle one, or the mean of the two in the middle. @throws {RangeError} if there are none */
export function median(values: readonly number[]): number {
  const sorted = sort(values);
  const half = (sorted.length - 1) / 2;
  return (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2;
}

/**
 * The smallest value that at least `share` (0 to 1) of all do not exceed: the p99 for 0.99, the largest
 * for 1.
 *
 * @throws {RangeError} if there are no values
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = sort(values);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)]!;
}

/** The middle of some values, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws {RangeError} if there are no values */
export function spread(values: readonly number[]): Spread {
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

function sort(values: readonly number[]): Float64Array {
  if (values.length === 0) throw new RangeError("There are no values");
  return Float64Array.from(values).sort();
}
