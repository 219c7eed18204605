/**
 * Log lines that are not telemetry: what the firmware said, and how loud.
 *
 * The layouts are those of defmt 0.27 to 1.0 and of plain RTT, as probe-rs prints them.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import { ownText } from "../own_text.ts";

/** How loud a log line is, in the gateway's own words. */
export type Level = "debug" | "info" | "warning" | "error";

/**
 * How a line is laid out: `defmt` 0.28 and later with its level in brackets, `two-line` for 0.27 and
 * older, the `location` below it, `plain` RTT with its time, `hex` of a channel that nobody decodes,
 * and `bare` for anything else.
 */
export type Layout =
  | "defmt"
  | "two-line"
  | "location"
  | "plain"
  | "hex"
  | "bare";

/** A log line, taken apart. */
export interface FirmwareText {
  readonly layout: Layout;
  readonly level: Level;
  /** Without prefix, level, colours and location; what could play tricks on a terminal escaped. */
  readonly text: string;
  /** `app src/main.rs:42`, or `app::main @ src/main.rs:42` of a line of its own; where it is known. */
  readonly location?: string;
}

const LEVELS: Readonly<Record<string, Level>> = {
  TRACE: "debug",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warning",
  ERROR: "error",
};

/** `[channel] ` as often as probe-rs puts it, a timestamp, then `[INFO ] ` or `INFO  `. */
const DEFMT =
  /^(?:\[[^\]]{1,40}\] )*?(?:[\d.:]{1,30}(?:[m\xb5n]?s)? )?(?:\[(TRACE|DEBUG|INFO|WARN|ERROR) {0,2}\] ?|(TRACE|DEBUG|INFO ?|WARN ?|ERROR)(?: |$))/;

/** Plain RTT: local time before the text. */
const PLAIN = /^(?:\[[^\]]{1,40}\] )*?\d\d:\d\d:\d\d\.\d{3}: /;

/**
 * The line below the text in defmt 0.27 and older, "└─ ". Escaped here: one such letter in an expression
 * makes V8 keep the whole bundle with two bytes a letter.
 */
const LOCATION_LINE = /^(?:\[[^\]]{1,40}\] )*?\s*\u2514\u2500 /;

/** What probe-rs prints of a channel that it takes for binary: no space, no newline, no end. */
const HEX = /^(?:(?:\[[^\]]{1,40}\] )*0x[0-9a-f]{2}){3}/;
/** So much of it says that it is hex. */
const HEX_SHOWN = 40;

/** Characters of a line that are shown as a sample. */
const SAMPLE = 100;

/** Control characters and what turns or hides text: U+202E, zero widths, line separators. */
const TRICKS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Nothing but what is visible: most lines, and much quicker to find out. */
const ASCII = /^[ -~]*$/;

/** Takes a log line apart; a layout that is not known is `bare` text at level `info`. */
export function readFirmwareText(line: string): FirmwareText {
  const bare = stripColours(line);
  const defmt = DEFMT.exec(bare);
  const level = defmt?.[1] ?? defmt?.[2]?.trimEnd();
  if (defmt && level) {
    const said = splitLocation(escapeTricks(bare.slice(defmt[0].length)));
    return {
      layout: defmt[1] ? "defmt" : "two-line",
      level: LEVELS[level] ?? "info",
      ...said,
    };
  }
  const below = LOCATION_LINE.exec(bare);
  if (below) {
    const location = escapeTricks(bare.slice(below[0].length));
    return {
      layout: "location",
      level: "debug",
      text: `└─ ${location}`,
      ...(namesNoPlace(location) ? {} : { location }),
    };
  }
  if (HEX.test(bare)) {
    const shown = escapeTricks(bare.slice(0, HEX_SHOWN));
    const text =
      `A channel prints bytes, perhaps defmt whose table is not in the firmware file: ${shown}…`;
    return { layout: "hex", level: "warning", text };
  }
  const plain = PLAIN.exec(bare);
  return {
    layout: plain ? "plain" : "bare",
    level: "info",
    text: escapeTricks(bare.slice(plain?.[0].length ?? 0)),
  };
}

/** `text` without ANSI escape sequences. */
export function stripColours(text: string): string {
  return text.includes("\u001b") ? stripVTControlCharacters(text) : text;
}

/** `text` with everything that is not plainly visible written as `\u{202e}`. */
export function escapeTricks(text: string): string {
  return ASCII.test(text) ? text : text.replace(
    TRICKS,
    (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/**
 * `text` as a message for LogTape, in which braces would be placeholders.
 *
 * Where no brace opens LogTape leaves the text as it is, doubled closing braces included.
 */
export function verbatim(text: string): string {
  return text.includes("{") ? text.replace(/[{}]/g, "$&$&") : text;
}

/**
 * Takes ` (crate src/main.rs:13)` off the end of `text`, and ` (<crate> └─ <invalid location: …>:0)`,
 * which names no place. By hand, because a regular expression would be quadratic.
 */
export function splitLocation(
  text: string,
): Pick<FirmwareText, "text" | "location"> {
  if (!text.endsWith(")")) return { text };
  const start = text.lastIndexOf(" (");
  const location = text.slice(start + 2, -1);
  if (start < 0 || !/(?:\.rs|>):\d+$/.test(location)) return { text };
  const before = text.slice(0, start);
  return namesNoPlace(location) ? { text: before } : { text: before, location };
}

/** Whether it is what probe-rs prints where the firmware file lacks the place. */
function namesNoPlace(location: string): boolean {
  return location.endsWith(">:0");
}

/** A line as a sentence quotes it: short, harmless to a terminal, and in memory of its own. */
export function sampleOf(line: string): string {
  const said = escapeTricks(readFirmwareText(line).text);
  return ownText(said.length > SAMPLE ? `${said.slice(0, SAMPLE)}…` : said);
}
