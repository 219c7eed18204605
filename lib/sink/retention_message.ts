/**
 * How long a bucket keeps its points, as InfluxDB says it when it refuses older ones.
 *
 * @module
 */

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  h: 3_600,
  m: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  "µs": 1e-6,
  ns: 1e-9,
};

/**
 * Seconds of `… outside retention policy of duration 168h0m0s …` (a duration as Go prints it), or
 * undefined where `message` says no such thing.
 */
export function retentionSeconds(message: string): number | undefined {
  const duration =
    /outside retention policy of duration ((?:[\d.]+(?:ns|us|\xb5s|ms|h|m|s))+)/
      .exec(message)?.[1];
  if (duration === undefined) return undefined;
  let seconds = 0;
  for (
    const [, amount, unit] of duration.matchAll(
      /([\d.]+)(ns|us|\xb5s|ms|h|m|s)/g,
    )
  ) {
    seconds += Number(amount) * UNIT_SECONDS[unit!]!;
  }
  return seconds;
}
