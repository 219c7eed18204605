/**
 * Topic filters (MQTT 5, section 4.7) on the command line.
 *
 * @module
 */

import { UsageError } from "../usage_error.ts";

/** Options for {@linkcode topicFilters}. */
export interface TopicFiltersOptions {
  /** `mqtt.topic_prefix` */
  readonly prefix: string;
  /** A board's name; undefined: all of them. */
  readonly board: string | undefined;
}

/**
 * The filters that a broker is asked for, of those that stand below the prefix; all below it where there
 * are none.
 *
 * @throws {UsageError} if one is no filter
 */
export function topicFilters(
  given: readonly string[],
  { prefix, board }: TopicFiltersOptions,
): string[] {
  const below = given.map((one) => checked(one, prefix));
  const [first = "#", ...others] = below;
  const all = [first, ...others];
  const filters = board === undefined
    ? all.map((one) => `${prefix}/${one}`)
    // What a board sent late has the word before its name.
    : all.flatMap((one) => [
      `${prefix}/${board}/${one}`,
      `${prefix}/history/${board}/${one}`,
    ]);
  return [...new Set(filters)];
}

/** A filter below the prefix; it may have been written with it. */
function checked(filter: string, prefix: string): string {
  const below = filter.startsWith(`${prefix}/`)
    ? filter.slice(prefix.length + 1)
    : filter;
  const levels = below.split("/");
  const isValid = below !== "" && !/\p{Cc}/u.test(below) &&
    levels.every((level, index) =>
      level === "+" || (level === "#" && index === levels.length - 1) ||
      !/[+#]/.test(level)
    );
  if (isValid) return below;
  throw new UsageError(
    `"${
      escape(filter)
    }" is no topic filter: levels with "/" between them, "+" for any one level, "#" at the end for all below, such as "node1/#" or "+/temperature"`,
  );
}

function escape(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
