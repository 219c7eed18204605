/**
 * JSON that is there and cannot be used, and what the firmware would print instead: the gateway's log,
 * `parse` and `init` say it in the same words.
 *
 * @module
 */

import { MAX_TEXT_LENGTH } from "./model.ts";

/** What to do where no line holds an object: one sentence, without its end. @param marker `gateway.marker` as it is */
export function adviseJson(marker: string): string {
  return `the firmware has to print one for each packet, in one line, such as ${marker}{"n1":{"t":27.6}}`;
}

/** What to do about an object over several lines: one sentence, without its end. */
export const ADVISE_ONE_LINE =
  "a packet is one line: let the firmware print each object in one line, without line ends and indentation";

/** What to do about an object that is cut or no JSON: one sentence, without its end. */
export const ADVISE_CORRECT =
  "correct what the firmware prints, or capture whole lines where it was cut";

/** What to do about an object without a value that could be sent: one sentence, without its end. */
export const ADVISE_VALUES =
  `let the firmware print a value for at least one field: a number, true or false, or a text of up to ${MAX_TEXT_LENGTH} characters; null, NaN and empty texts are none`;

/** `"t": 21.5,` */
const FIELD = /^\s*"(?:[^"\\]|\\.){1,128}"\s*:\s*\S/;

/**
 * Whether what a line says, without time, level and place, is a piece of an object that goes over several
 * lines: its first brace alone, or one of its fields.
 */
export function isPieceOfJson(said: string): boolean {
  return said.trim() === "{" || FIELD.test(said);
}
