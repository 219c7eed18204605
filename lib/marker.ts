/**
 * The text before a board's JSON, and what `gateway.marker` should be where it is another one: in the
 * gateway's log, by `parse` and by `init` the same is found, and said in the same words.
 *
 * @module
 */

import { toTomlString } from "./toml_string.ts";

const WORD = /[A-Za-z\d_]/;
/** All up to the last word with a digit, and that. */
const UP_TO_NUMBER = /^.*\d[A-Za-z\d_]*/s;
/** A longer one is no marker, and would not be read in a log either. */
const MAX_LENGTH = 60;

/** What stands before each of a board's JSON objects, as far as all have it. */
export class CommonMarker {
  #common: string | undefined;
  #count = 0;

  /** Takes what a line says before its object, without time, level and channel. */
  take(before: string): void {
    this.#count++;
    this.#common = this.#common === undefined
      ? before
      : commonEnd(this.#common, before);
  }

  /**
   * It begins with a whole word; "" where they have nothing in common, or no word, since numbers and
   * signs may be any. Of one line alone it is what stands behind the last word with a digit: that may be a
   * time or a counter, and nothing shows that the next line has it too.
   */
  get text(): string {
    const all = this.#common ?? "";
    const common = this.#count === 1 ? all.replace(UP_TO_NUMBER, "") : all;
    const found = /(?<![A-Za-z\d_])[A-Za-z_].*$/s.exec(common)?.[0] ?? "";
    return found.length > MAX_LENGTH ? "" : found;
  }
}

/**
 * What to do where lines hold JSON and are not read: one sentence, without its end.
 *
 * @param set `gateway.marker` as it is
 * @param found as it should be; "": any text may stand before the JSON
 */
export function adviseMarker(set: string, found: string): string {
  const any = "takes any line that holds one JSON object";
  const line = `set marker = ${
    toTomlString(found)
  } under [gateway] in config.toml`;
  return `gateway.marker is ${JSON.stringify(set)}, and stands before none: ${
    found === "" ? `${line}, which ${any}` : `${line} (marker = "" ${any})`
  }`;
}

/** What both end in, beginning where a word does. */
function commonEnd(one: string, other: string): string {
  let length = 0;
  while (
    length < one.length && length < other.length &&
    one.at(-1 - length) === other.at(-1 - length)
  ) length++;
  const common = one.slice(one.length - length);
  const isCut = [one, other].some((text) =>
    WORD.test(text.at(-1 - length) ?? "")
  );
  return isCut ? common.replace(/^[A-Za-z\d_]+/, "") : common;
}
