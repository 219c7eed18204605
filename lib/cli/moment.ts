/**
 * Points in time on the command line and in what commands print.
 *
 * @module
 */

import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseDuration } from "../config/duration.ts";

const RFC_3339 =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** What a time can be, for the help of commands. */
export const TIMES =
  `A time is one with its zone (2026-11-23T10:00:00Z), a duration before now (2h, 30d), or "oldest".`;

/**
 * Microseconds since 1970 of `2026-11-23T10:00:00Z`, of `2h`, which is so long ago, or of `oldest`,
 * which is before everything.
 *
 * @throws {InvalidArgumentError} if it is none of these
 */
export function parseMoment(text: string): number {
  if (text === "oldest") return -Infinity;
  const [, seconds, fraction = "", zone] = RFC_3339.exec(text) ?? [];
  const ms = Date.parse(`${seconds}${zone}`);
  if (!Number.isNaN(ms)) {
    return ms * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
  }
  try {
    return (Date.now() - parseDuration(text) * 1000) * 1000;
  } catch {
    throw new InvalidArgumentError(
      'It must be a time with its zone such as "2026-11-23T10:00:00Z", a duration before now such as "2h", or "oldest".',
    );
  }
}

/** `2026-11-23T10:00:00.123456Z` */
export function formatMoment(us: number): string {
  const ms = Math.floor(us / 1000);
  const rest = String(us - ms * 1000).padStart(3, "0");
  return `${new Date(ms).toISOString().slice(0, -1)}${rest}Z`;
}
