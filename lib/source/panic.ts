/**
 * A firmware's panic: its message and its place, out of one line or several.
 *
 * Seen of panic-probe, panic-rtt-target and esp-backtrace with Rust before and since 1.73, and of
 * `defmt::panic!`, `defmt::unwrap!` and `defmt::assert_eq!`:
 *
 *     [ERROR] panicked at src/main.rs:138:50:
 *     called `Result::unwrap()` on an `Err` value: Busy (panic_probe panic-probe-1.0.0/src/lib.rs:104)
 *
 *     0.000002 ERROR panicked at 'TODO: write actual tests', testsuite/tests/test.rs:16:9
 *     └─ panic_probe::print_defmt::print @ src/lib.rs:20
 *
 *     [ERROR] panicked at 'assertion failed: `(left == right)`: radio'
 *     diff < left / right >
 *     <1
 *     >2 (app src/main.rs:9)
 *
 * @module
 */

import { type FirmwareText, splitLocation } from "./firmware_text.ts";

/** Behind the names of channels, where nothing tells them from text: no time, no level. */
const PANICKED = /^(?:\[[^\]]{1,40}\] )*?(?:thread '[^']*' )?panicked at (.*)$/;
/** Since Rust 1.73: the place, and the message behind it or in the next line. */
const PLACE_FIRST = /^(\S+:\d+:\d+):(?: (.*))?$/;
/** Before: the message in quotes, then the place. */
const PLACE_LAST = /^'(.*)', (\S+:\d+:\d+)$/;
/** All of a message, or the end of one that has several lines. */
const QUOTED = /^'(.*)'$/;
const QUOTE_END = /^(.*)'(?:, (\S+:\d+:\d+))?$/;
/** A message with values in the lines below. */
const HAS_VALUES =
  /^(?:assertion `left .* right` failed|assertion failed: `\(left|unwrap failed)/;
/** The values that an assertion compared, as Rust and as defmt prints them, or what was unwrapped. */
const VALUE =
  /^(?:\s*(left|right|error|left\/right): (.*)|([<>])(.*)|diff < left \/ right >)$/;
/** What defmt prints of a difference, which it colours. */
const SIDES: Readonly<Record<string, string>> = { "<": "left", ">": "right" };
/** So many lines are taken for the message, at most. */
const MAX_LINES = 6;

/** A panic that more lines may belong to. */
export class OpenPanic {
  message: string;
  location: string | undefined;
  /** The lines behind its first one. */
  readonly rest: string[] = [];
  /** What has to come yet. */
  #wants: "message" | "quote" | "values" | "place" | null;
  readonly #isTwoLine: boolean;

  constructor(text: string, { layout, location }: FirmwareText) {
    const first = PLACE_FIRST.exec(text);
    const last = PLACE_LAST.exec(text);
    const whole = first?.[2] ?? last?.[1] ?? QUOTED.exec(text)?.[1];
    this.#isTwoLine = layout === "two-line";
    // That of the log line is the panic handler's, where the panic names its own.
    this.location = first?.[1] ?? last?.[2] ?? location;
    this.message = whole ?? text;
    if (first && whole === undefined) {
      this.message = "without a message";
      this.#wants = "message";
    } else if (whole === undefined && text.startsWith("'")) {
      this.message = text.slice(1);
      this.#wants = "quote";
    } else this.#wants = this.#behindMessage();
  }

  /** Nothing is missing. */
  get isComplete(): boolean {
    return this.#wants === null;
  }

  /** The panic in one line. */
  get told(): string {
    const at = this.location === undefined ? "" : ` at ${this.location}`;
    return `The firmware panicked${at}: ${this.message}`;
  }

  /** Whether the next line is its message, or a part of it, if it is such a line. */
  awaits({ layout, text }: FirmwareText): boolean {
    if (layout !== "bare" && layout !== "plain") return false;
    return this.#wants === "message" || this.#wants === "quote" ||
      this.#wants === "values" && VALUE.test(text);
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
      this.location ??= location;
      this.#wants = null;
      return true;
    }
    if (layout !== "bare" && layout !== "plain") return false;
    const split = splitLocation(text);
    switch (this.#wants) {
      case "message":
        this.message = split.text;
        this.#wants = split.location ? null : this.#behindMessage();
        return true;
      case "quote": {
        const end = QUOTE_END.exec(split.text);
        const place = end?.[2] ?? split.location;
        const isEnd = end && (place ?? this.#isTwoLine);
        this.message += ` ${(isEnd ? end[1]! : split.text).trim()}`;
        if (isEnd) {
          this.location = place;
          this.#wants = this.#place;
        }
        return true;
      }
      case "values": {
        const value = VALUE.exec(split.text);
        if (!value) return false;
        const side = value[1] ?? SIDES[value[3] ?? ""];
        if (side !== undefined) {
          this.message += `; ${side}: ${value[2] ?? value[4]}`;
          this.location ??= split.location;
          if (side !== "left") this.#wants = this.#place;
        }
        return true;
      }
      default:
        return false;
    }
  }

  #behindMessage(): "values" | "place" | null {
    return HAS_VALUES.test(this.message) ? "values" : this.#place;
  }

  get #place(): "place" | null {
    return this.#isTwoLine && this.location === undefined ? "place" : null;
  }
}

/** The panic that begins with this line; null where none does. */
export function readPanic(said: FirmwareText): OpenPanic | null {
  // Asked of every log line, and a regular expression costs more.
  if (!said.text.includes("panicked at ")) return null;
  const text = PANICKED.exec(said.text)?.[1];
  return text === undefined ? null : new OpenPanic(text, said);
}
