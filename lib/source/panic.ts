/**
 * A firmware's panic: its message and its place, out of one line or several.
 *
 * Seen of panic-probe, panic-rtt-target and esp-backtrace with Rust before and since 1.73, and of
 * `defmt::panic!` and `defmt::unwrap!`:
 *
 *     [ERROR] panicked at src/main.rs:138:50:
 *     called `Result::unwrap()` on an `Err` value: Busy (panic_probe panic-probe-1.0.0/src/lib.rs:104)
 *
 *     0.000002 ERROR panicked at 'TODO: write actual tests', testsuite/tests/test.rs:16:9
 *     └─ panic_probe::print_defmt::print @ src/lib.rs:20
 *
 *     [ERROR] panicked at 'no radio' (app src/main.rs:9)
 *
 * @module
 */

import { type FirmwareText, splitLocation } from "./firmware_text.ts";

const PANICKED = /^(?:thread '[^']*' )?panicked at (.*)$/;
/** Since Rust 1.73: the place, and the message behind it or in the next line. */
const PLACE_FIRST = /^(\S+:\d+:\d+):(?: (.*))?$/;
/** Before: the message in quotes, then the place. */
const PLACE_LAST = /^'(.*)', (\S+:\d+:\d+)$/;
/** The values that an assertion compared, or that were unwrapped. */
const VALUE = /^\s*(left|right|error): /;
/** So many lines are taken for the message, at most. */
const MAX_LINES = 6;

/** A panic that more lines may belong to. */
export class OpenPanic {
  message: string;
  location: string | undefined;
  /** The lines behind its first one. */
  readonly rest: string[] = [];
  /** What has to come yet. */
  #wants: "message" | "quote" | "values" | "place" | null = null;

  constructor(text: string, { layout, location }: FirmwareText) {
    const first = PLACE_FIRST.exec(text);
    const last = PLACE_LAST.exec(text);
    this.message = first ? first[2] ?? "without a message" : last?.[1] ?? text;
    // That of the log line is the panic handler's, where the panic names its own.
    this.location = first?.[1] ?? last?.[2] ?? location;
    if (first) this.#wants = first[2] ? this.#values : "message";
    else if (last) return;
    else if (/^'.*'$/.test(text)) {
      this.message = text.slice(1, -1);
      if (location === undefined) {
        this.#wants = layout === "two-line" ? "place" : this.#values;
      }
    } else if (text.startsWith("'")) this.#wants = "quote";
    else if (layout === "two-line") this.#wants = "place";
  }

  /** Nothing is missing. */
  get isComplete(): boolean {
    return this.#wants === null;
  }

  /** Takes the line behind, if it belongs to the panic. */
  takes(said: FirmwareText): boolean {
    if (this.#wants === null || !this.#takes(said)) return false;
    this.rest.push(said.text);
    if (this.rest.length === MAX_LINES) this.#wants = null;
    return true;
  }

  #takes({ layout, text, location }: FirmwareText): boolean {
    if (layout === "location") {
      if (this.#wants === "place") this.location = location;
      this.#wants = null;
      return true;
    }
    if (layout !== "bare" && layout !== "plain") return false;
    const split = splitLocation(text);
    switch (this.#wants) {
      case "message":
        this.message = split.text;
        this.#wants = split.location ? null : this.#values;
        return true;
      case "quote": {
        const last = PLACE_LAST.exec(`'${split.text}`);
        this.message += ` ${(last?.[1] ?? split.text).trim()}`;
        if (last) this.#end(last[2]);
        return true;
      }
      case "values": {
        const value = VALUE.exec(split.text);
        if (!value) return false;
        this.message += `; ${split.text.trim()}`;
        this.location ??= split.location;
        if (value[1] !== "left") this.#wants = null;
        return true;
      }
      default:
        return false;
    }
  }

  /** The message in quotes ends. */
  #end(location: string | undefined): void {
    this.message = this.message.replace(/^'/, "");
    this.location = location;
    this.#wants = null;
  }

  /** Whether the message is of the kind that has values in the lines below. */
  get #values(): "values" | null {
    return /^(?:assertion `left .* right` failed|unwrap failed)/
        .test(this.message)
      ? "values"
      : null;
  }
}

/** The panic that begins with this line; null where none does. */
export function readPanic(said: FirmwareText): OpenPanic | null {
  // Asked of every log line, and a regular expression costs more.
  if (!said.text.includes("panicked at ")) return null;
  const text = PANICKED.exec(said.text)?.[1];
  return text === undefined ? null : new OpenPanic(text, said);
}
