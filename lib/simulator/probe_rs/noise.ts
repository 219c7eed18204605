/**
 * Damage as the field shows it.
 *
 * @module
 */

import type { LogLine } from "../board.ts";

/** So many bytes of a channel that nobody decodes, without a newline. */
const HEX_BYTES = 20_000;

/** A packet that lost its end. */
const TRUNCATED: LogLine = {
  level: "INFO",
  text: 'JSON sent via VCP: {"ts":12000,"id":"N2","n1":{"t":27.6,"h":54.',
  line: 573,
};

/** A `°` that a poll cut in two: each half was decoded alone. */
const REPLACED: LogLine = {
  level: "WARN",
  text: "Node 1 is warm: 41.5 \ufffd\ufffdC",
  line: 460,
};

/** The line that an event of this name brings. */
export function damagedLine(
  word: "truncated_json" | "replacement_character",
): LogLine {
  return word === "truncated_json" ? TRUNCATED : REPLACED;
}

/** What a defmt channel prints whose table is not in the ELF file: no space, no newline. */
export function hex(random: () => number): string {
  let text = "";
  for (let i = 0; i < HEX_BYTES; i++) {
    const byte = Math.floor(random() * 256);
    text += `0x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}
