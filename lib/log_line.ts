/**
 * How a record of the log looks as a line: for people, or as JSON; without secrets, and harmless to
 * the terminal that shows it.
 *
 * @module
 */

import type { LogRecord } from "@logtape/logtape";
import { redactByPattern } from "@logtape/redaction";
import { describeError } from "./error_text.ts";

/** Options for {@linkcode createLineFormatter}. */
export interface LineFormatterOptions {
  readonly format: "text" | "json";
  /** Texts to hide wherever they stand. */
  readonly secrets: readonly string[];
  /** Colours the levels of `text`. @default {false} */
  readonly color?: boolean;
  /** Errors show where they were thrown. @default {false} */
  readonly showStack?: boolean;
}

/** What stands in place of a secret. */
const HIDDEN = "[hidden]";

/**
 * A secret of fewer characters is not hidden: it stands within other words, and what is missing there
 * would give it away.
 */
export const MIN_HIDDEN_LENGTH = 4;

/** A function that makes one line, without its end, of a record. */
export function createLineFormatter(
  options: LineFormatterOptions,
): (record: LogRecord) => string {
  const { format, secrets, color = false, showStack = false } = options;
  const clean = (value: unknown) =>
    value instanceof Error ? describeError(value, { stack: showStack }) : value;
  const parts = redactByPattern(
    ({ message, properties }: LogRecord) => [
      message.map(clean),
      Object.fromEntries(
        Object.entries(properties)
          .filter(([, value]) => value !== undefined)
          .map(([key, value]) => [key, clean(value)]),
      ),
    ],
    patternsOf(secrets),
  );
  const layOut = format === "json" ? jsonLine : textLines;
  return (record) => {
    const [message, properties] = parts(record) as [
      unknown[],
      Record<string, unknown>,
    ];
    return layOut(record, message.map(plain).join(""), properties, color);
  };
}

function jsonLine(
  { timestamp, level, category }: LogRecord,
  message: string,
  properties: Record<string, unknown>,
): string {
  return escape(toJson({
    time: new Date(timestamp).toISOString(),
    level,
    category: category.join("."),
    message,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
  }));
}

/** The property of a record whose texts stand below it, a line each: something to copy. */
const LINES = "lines";

/** The line, and below it what the property `lines` holds, to be copied. */
function textLines(
  record: LogRecord,
  message: string,
  { [LINES]: lines, ...properties }: Record<string, unknown>,
  color: boolean,
): string {
  if (!Array.isArray(lines)) {
    const all = lines === undefined ? properties : { ...properties, lines };
    return textLine(record, message, all, color);
  }
  return [
    textLine(record, message, properties, color),
    ...lines.map((line) => `    ${escape(String(line))}`.trimEnd()),
  ].join("\n");
}

const LEVELS: Readonly<Record<LogRecord["level"], string>> = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO",
  warning: "WARN",
  error: "ERROR",
  fatal: "FATAL",
};

const COLORS: Readonly<Record<LogRecord["level"], string>> = {
  trace: "\x1b[2m",
  debug: "\x1b[2m",
  info: "\x1b[32m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
  fatal: "\x1b[31m",
};

function textLine(
  record: LogRecord,
  message: string,
  properties: Record<string, unknown>,
  color: boolean,
): string {
  const shown = placeholdersOf(record.rawMessage);
  const others = Object.entries(properties)
    .filter(([key]) => !shown.has(key) && !shown.has("*"))
    .map(([key, value]) => ` ${key}=${toJson(value)}`);
  const level = LEVELS[record.level].padEnd(5);
  const [before, after] = color ? [COLORS[record.level], "\x1b[0m"] : ["", ""];
  // The room alone: that it is one of this program's is no news to who reads its log.
  const category = (record.category.at(-1) ?? "").padEnd(8);
  return `${localTime(record.timestamp)} ${before}${level}${after} ${
    escape(`${category} ${message}${others.join("")}`)
  }`;
}

/** The properties that a message template shows: `id` in `Board {id} answers`. */
function placeholdersOf(raw: LogRecord["rawMessage"]): Set<string> {
  if (typeof raw !== "string") return new Set();
  return new Set(
    raw.matchAll(/\{\s*([\w$*]+)/g).map(([, name]) => name!),
  );
}

/** `2026-11-23 10:00:00.123`, as the clock on the wall shows it. */
function localTime(timestamp: number): string {
  const time = new Date(timestamp);
  const offsetMs = time.getTimezoneOffset() * 60_000;
  return new Date(timestamp - offsetMs).toISOString().slice(0, 23)
    .replace("T", " ");
}

function plain(value: unknown): string {
  return typeof value === "object" ? toJson(value) : String(value);
}

/** JSON of anything: a log line must not fail because of what it is about. */
function toJson(value: unknown): string {
  try {
    return JSON.stringify(
      value,
      (_key, one) => typeof one === "bigint" ? String(one) : one,
    ) ?? String(value);
  } catch {
    return '"[unprintable]"';
  }
}

/** `text` as the log has it: without `secrets`. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  return patternsOf(secrets).reduce(
    (cleaned, { pattern, replacement }) =>
      cleaned.replace(pattern, replacement),
    text,
  );
}

function patternsOf(secrets: readonly string[]) {
  const forms = secrets
    .filter((one) => one.length >= MIN_HIDDEN_LENGTH)
    .flatMap((one) => [one, encodeURIComponent(one.toWellFormed())]);
  return [...new Set(forms)]
    // A secret that begins with another one must be hidden whole.
    .sort((a, b) => b.length - a.length)
    .map((one) => ({
      pattern: new RegExp(RegExp.escape(one), "g"),
      replacement: HIDDEN,
    }));
}

/**
 * `text` with everything escaped, as JSON writes it, that would end the line, move the cursor,
 * change colours, turn the direction of the text, or cannot be seen at all.
 */
function escape(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) =>
      SHORT[character] ??
        character.split("").map((unit) =>
          `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
        ).join(""),
  );
}

const SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};
