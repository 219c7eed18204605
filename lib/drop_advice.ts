/**
 * What to do about readings that are not sent because of what they are: the log and `parse` say it in the
 * same words.
 *
 * @module
 */

import type { Metric } from "./catalogue.ts";
import type { DroppedReading } from "./model.ts";

const WANTED = {
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  string: "a text of 1 to 64 visible characters",
  any: "a number, true, false or a text of 1 to 64 visible characters",
};
/** So much of a value is shown. */
const MAX_SHOWN = 40;

/** Why a reading is not sent, and what to do: a sentence without its end. */
export function adviseDrop(
  { path, value, reason }: DroppedReading,
  metric: Pick<Metric, "type" | "range"> | undefined,
): string {
  const shown = value.length > MAX_SHOWN
    ? `${value.slice(0, MAX_SHOWN)}…`
    : value;
  const said = `Not sent: ${path} = ${shown}`;
  if (reason === "not_a_number") {
    return `${said}, which is no number. To do: look why the firmware has none; a missing sensor is like this`;
  }
  if (reason === "implausible") {
    const range = metric?.range;
    const possible = range ? `: possible are ${range[0]} to ${range[1]}` : "";
    return `${said}, which cannot be${possible}. To do: look at sensor and firmware, or set another range in its [[metric]] in config.toml`;
  }
  const type = metric?.type ?? "number";
  return `${said}, and its [[metric]] is for ${WANTED[type]}. To do: ${
    whatFits(value, type)
  }`;
}

function whatFits(value: string, type: keyof typeof WANTED): string {
  if (/^[{[]/.test(value)) {
    return "name a field inside it as its path in config.toml";
  }
  const fitting = /^(?:true|false)$/.test(value)
    ? "boolean"
    : value.startsWith('"')
    ? "string"
    : "number";
  return fitting === type || type === "any"
    ? "let the firmware print such a value"
    : `set type = "${fitting}" in that table in config.toml`;
}
