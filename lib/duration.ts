/**
 * Times as an operator says them.
 *
 * @module
 */

/** Milliseconds in an operator's words: `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function formatDuration(ms: number): string {
  const units: [string, number][] = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1000],
  ];
  const [unit, size] = units.find(([, size]) => ms >= 2 * size) ?? ["ms", 1];
  return `${Math.round(ms / size)} ${unit}`;
}
