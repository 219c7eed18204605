/**
 * The schema's issues in words for the operator: the key, what is wanted, the value now.
 *
 * @module
 */

import { closest, distance } from "fastest-levenshtein";
import type * as z from "zod/mini";
import type { Complaint } from "./fault.ts";
import { KNOWN_KEYS } from "./schema.ts";
import type { Path } from "./toml.ts";
import { hideSecrets } from "./url.ts";

/** Keys whose values are never shown, whatever stands there. */
const SECRET =
  /^(?:mqtt\.password|influxdb\.token|(?:gateway|board\[\d+\])\.env)$/;

/** Longer strings are cut where a value is shown. */
const MAX_SHOWN = 80;

/** Nouns for the types that the schema asks for. */
const TYPES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a table",
  record: "a table",
  array: "a list",
  tuple: "a list",
};

/** What an issue asks for, as zod's `error` option; messages that stand in the schema come first. */
export const wanted: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type": {
      const type = TYPES[issue.expected] ?? issue.expected;
      if (issue.input === undefined) return `is missing: it must be ${type}`;
      const infinite = typeof issue.input === "number" &&
        !Number.isFinite(issue.input);
      return infinite && issue.expected === "number"
        ? "must be a finite number"
        : `must be ${type}`;
    }
    case "invalid_value":
      return `must be ${either(issue.values)}`;
    case "too_small": {
      if (issue.minimum === 1 && issue.origin !== "number") {
        return "must not be empty";
      }
      if (issue.origin === "array") {
        return `must have at least ${issue.minimum} entries`;
      }
      return `must be ${
        issue.inclusive ? "at least" : "more than"
      } ${issue.minimum}`;
    }
    case "too_big": {
      if (issue.origin === "string") {
        return `must have at most ${issue.maximum} characters`;
      }
      if (issue.origin === "array") {
        return `must have at most ${issue.maximum} entries`;
      }
      return `must be at most ${issue.maximum}`;
    }
  }
};

/**
 * The complaints about one issue; an issue of unknown keys makes one for each.
 *
 * @param data the document as it was checked
 * @param origins where a value comes from that does not stand in the file, by its key
 */
export function describeIssue(
  issue: z.core.$ZodIssue,
  data: unknown,
  origins: ReadonlyMap<string, string>,
): Complaint[] {
  const { path, message } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => complainOfUnknown([...path, key]));
  }
  if (issue.code === "invalid_key") {
    return issue.issues.map((inner) => ({
      path,
      message: `The key "${nameOf(path, data)}" ${inner.message}`,
      at: "key",
    }));
  }
  if (path.length === 0) return [{ path, message }];
  const name = nameOf(path, data);
  const origin = origins.get(name);
  const from = origin === undefined ? "" : ` (from ${origin})`;
  return [{
    path,
    message: `"${name}"${from} ${message}${valueNow(path, data)}`,
  }];
}

/** A path as the operator would write it: `mqtt.broker_url[1]`. */
export function nameOf(path: Path, data?: unknown): string {
  let name = "";
  let value = data;
  for (const key of path) {
    if (typeof key === "number") {
      // The schema takes one URL for a list of one, so its index may not be in the file.
      if (data === undefined || Array.isArray(value)) name += `[${key}]`;
    } else {
      // Escaped: a quoted key may be anything, control characters too.
      const shown = JSON.stringify(String(key)).slice(1, -1);
      name += name === "" ? shown : `.${shown}`;
    }
    value = child(value, key);
  }
  return name;
}

function complainOfUnknown(path: Path): Complaint {
  const key = String(path.at(-1));
  const [table] = path;
  const inTable = path.length > 1;
  const known = inTable
    ? KNOWN_KEYS[String(table)] ?? []
    : Object.keys(KNOWN_KEYS);
  const near = closest(key.toLowerCase(), known);
  const home = Object.keys(KNOWN_KEYS).find((name) =>
    KNOWN_KEYS[name]!.includes(key)
  );
  let hint = "";
  if (isSlip(key.toLowerCase(), near)) {
    hint = `: did you mean "${near}"?`;
  } else if (home !== undefined) {
    hint = `: it belongs to ${
      ["board", "metric"].includes(home) ? `[[${home}]]` : `[${home}]`
    }`;
  }
  return { path, message: `"${nameOf(path)}" is not known${hint}`, at: "key" };
}

/** Whether `key` is `near` mistyped: by a third of its letters, or with the same ones in another order. */
function isSlip(key: string, near: string): boolean {
  const sorted = (text: string) => [...text].sort().join("");
  return distance(key, near) <= Math.max(1, Math.floor(near.length / 3)) ||
    sorted(key) === sorted(near);
}

function valueNow(path: Path, data: unknown): string {
  let value = data;
  for (const [index, key] of path.entries()) {
    if (SECRET.test(nameOf(path.slice(0, index + 1), data))) return "";
    // One URL stands for a list of one.
    if (typeof key === "number" && !Array.isArray(value)) continue;
    value = child(value, key);
  }
  return value === undefined ? "" : `: it is ${show(value, path)}`;
}

/** `0, 1, or 2`. Made only where it is needed: the first list format takes memory, and time of a start. */
function either(values: readonly unknown[]): string {
  return new Intl.ListFormat("en", { type: "disjunction" })
    .format(values.map((value) => JSON.stringify(value)));
}

function show(value: unknown, path: Path): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a table";
  if (typeof value !== "string") return String(value);
  // A string in place of a whole table may be anything, a secret too.
  if (path.length === 1) return "a string";
  const shown = hideSecrets(value);
  return JSON.stringify(
    shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown,
  );
}

function child(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null &&
      Object.hasOwn(value, key)
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined;
}
