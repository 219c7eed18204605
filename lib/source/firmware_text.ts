/**
 * Log lines that are not telemetry: what the firmware said, and how loud.
 *
 * The layouts are those of defmt 0.27 to 1.0 and of plain RTT, as probe-rs prints them.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";

/** How loud a log line is, in the gateway's own words. */
export type Level = "debug" | "info" | "warning" | "error";

/** A log line, taken apart. */
export interface FirmwareText {
  readonly level: Level;
  /** Without prefix, level, colours and location; what could play tricks on a terminal escaped. */
  readonly text: string;
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
  /^(?:\[[^\]]{1,40}\] )*?(?:[\d.:]{1,30}(?:[mµn]?s)? )?(?:\[(TRACE|DEBUG|INFO|WARN|ERROR) {0,2}\]|(TRACE|DEBUG|INFO |WARN |ERROR)) ?/;

/** Plain RTT: local time before the text. */
const PLAIN = /^(?:\[[^\]]{1,40}\] )*?\d\d:\d\d:\d\d\.\d{3}: /;

/** The line below the text in defmt 0.27 and older. */
const LOCATION_LINE = /^\s*└─ /;

/** Control characters and what turns or hides text: U+202E, zero widths, line separators. */
const TRICKS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Takes a log line apart; a layout that is not known is text at level `info`. */
export function readFirmwareText(line: string): FirmwareText {
  const bare = stripColours(line);
  const defmt = DEFMT.exec(bare);
  const level = defmt?.[1] ?? defmt?.[2]?.trimEnd();
  if (defmt && level) {
    const text = withoutLocation(bare.slice(defmt[0].length));
    return { level: LEVELS[level] ?? "info", text: escapeTricks(text) };
  }
  const text = escapeTricks(bare.replace(PLAIN, ""));
  return { level: LOCATION_LINE.test(bare) ? "debug" : "info", text };
}

/** `text` without ANSI escape sequences. */
export function stripColours(text: string): string {
  return text.includes("\u001b") ? stripVTControlCharacters(text) : text;
}

/** `text` with everything that is not plainly visible written as `\u{202e}`. */
export function escapeTricks(text: string): string {
  return text.replace(
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

/** Cuts ` (crate src/main.rs:13)`; by hand, because a regular expression would be quadratic. */
function withoutLocation(text: string): string {
  if (!text.endsWith(")")) return text;
  const start = text.lastIndexOf(" (");
  const location = text.slice(start + 2, -1);
  return start >= 0 && /(?:\.rs|>):\d+$/.test(location)
    ? text.slice(0, start)
    : text;
}
