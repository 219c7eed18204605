/**
 * The JSON object that stands in a line, and what it says: for a look at lines that nobody has described
 * yet. What the gateway itself reads, and how strictly, is in `source/packet_reader.ts`.
 *
 * @module
 */

import { formatPath, type PathPart } from "../../field_path.ts";

/** An object in a line. */
export interface FoundObject {
  /** Index of its `{`. */
  readonly start: number;
  readonly object: Readonly<Record<string, unknown>>;
}

/** So many `{` of a line are tried; a log line may have some that are no JSON. */
const MOST_TRIED = 20;
/** Strings, to pass over them, and what C and Rust print for numbers that are none. */
const NO_NUMBER = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|nan|inf|Infinity)\b/g;

/** The first object in `line` that is whole and not empty. */
export function findObject(line: string): FoundObject | undefined {
  let start = line.indexOf("{");
  for (let tried = 0; start >= 0 && tried < MOST_TRIED; tried++) {
    const object = parseObject(line.slice(start, endOf(line, start)));
    if (object !== undefined) return { start, object };
    start = line.indexOf("{", start + 1);
  }
  return undefined;
}

/** Every number, truth, text and `null` in `object`, with its path; undefined as the value: an empty group. */
export function* leavesOf(
  object: unknown,
  parts: readonly PathPart[] = [],
): Iterable<{ readonly path: string; readonly value: unknown }> {
  const children: [PathPart, unknown][] = Array.isArray(object)
    ? [...object.entries()]
    : Object.entries(object as object);
  for (const [part, value] of children) {
    const path = [...parts, part];
    if (typeof value === "object" && value !== null) {
      yield* leavesOf(value, path);
    } else yield { path: formatPath(path), value };
  }
}

/** Index behind the bracket that closes the one at `start`; the line's end where none does. */
function endOf(line: string, start: number): number {
  let depth = 0;
  let isString = false;
  for (let at = start; at < line.length; at++) {
    const sign = line[at];
    if (isString) {
      if (sign === "\\") at++;
      else if (sign === '"') isString = false;
    } else if (sign === '"') isString = true;
    else if (sign === "{") depth++;
    else if (sign === "}" && --depth === 0) return at + 1;
  }
  return line.length;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const data = JSON.parse(
      text.replace(NO_NUMBER, (one) => one[0] === '"' ? one : "null"),
    );
    return Object.keys(data).length === 0 ? undefined : data;
  } catch {
    return undefined;
  }
}
