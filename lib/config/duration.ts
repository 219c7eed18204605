/**
 * Durations as config.toml writes them: `90s`, `15m`, `12h`, `30d`.
 *
 * @module
 */

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const MAX_DAYS = 36_500;

/**
 * The seconds in a duration: a whole number and one of the units `s m h d`.
 *
 * @throws {RangeError} if `text` is none, or is longer than 36500 days
 */
export function parseDuration(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text);
  if (match === null) {
    throw new RangeError('must be a duration such as "30d" (units s, m, h, d)');
  }
  const seconds = Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
  if (seconds > MAX_DAYS * SECONDS.d) {
    throw new RangeError(`must be at most "${MAX_DAYS}d"`);
  }
  return seconds;
}
