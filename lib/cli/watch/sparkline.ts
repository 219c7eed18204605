/**
 * A few numbers as a picture: `▁▂▅█▆▃`, and whether they rise.
 *
 * @module
 */

const BARS = "▁▂▃▄▅▆▇█";
/** Of a rise the means of the first and the last third are apart by this much of all that they span. */
const CLEARLY = 0.25;

/** A bar for each of the last `width` numbers, from the smallest to the largest of these. */
export function sparkline(numbers: readonly number[], width: number): string {
  const shown = width > 0 ? numbers.slice(-width) : [];
  const [min, max] = [Math.min(...shown), Math.max(...shown)];
  // Half of each, because the whole of two huge ones may be no number any more.
  const span = max / 2 - min / 2;
  return shown.map((one) => {
    const part = span === 0 ? 0.5 : (one / 2 - min / 2) / span;
    return BARS[Math.round(part * (BARS.length - 1))];
  }).join("");
}

/** `↗` where the numbers rise, `↘` where they fall, `→` where they do neither; empty for fewer than two. */
export function trend(numbers: readonly number[]): "" | "↗" | "→" | "↘" {
  if (numbers.length < 2) return "";
  const third = Math.max(1, Math.floor(numbers.length / 3));
  const rise = mean(numbers.slice(-third)) - mean(numbers.slice(0, third));
  const span = Math.max(...numbers) - Math.min(...numbers);
  if (span === 0 || Math.abs(rise) < CLEARLY * span) return "→";
  return rise > 0 ? "↗" : "↘";
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one / numbers.length, 0);
}
