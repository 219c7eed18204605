/**
 * What a firmware says, told so that a crash is one message and not thirty.
 *
 * - Every line that comes in goes out as one, in order, most of them as they are.
 * - A panic, and a crash without one, goes out once as an error, with message and place; the rest of its
 *   lines, the stack trace of probe-rs behind it and the place that defmt 0.27 prints below a line are
 *   for debugging.
 * - At most one of them is held back, and only until the lines behind it have told message and place.
 *
 * @module
 */

import {
  type FirmwareText,
  type Level,
  readFirmwareText,
} from "./firmware_text.ts";
import { type OpenCrash, readCrash } from "./crash.ts";
import { OpenPanic, readPanic } from "./panic.ts";

/** A firmware that panicked, or crashed without a panic. */
export interface FirmwarePanic {
  /** Such as `called Option::unwrap() on a None value`, or `Firmware exited unexpectedly: Exception`. */
  readonly message: string;
  /** `src/main.rs:42:5`, where the firmware or the stack trace says it. */
  readonly location?: string;
}

/** Options for {@linkcode FirmwareLog}. */
export interface FirmwareLogOptions {
  /** Takes each line, in order. */
  onText(text: string, level: Level): void;
  /** Takes a panic, before its text. */
  onPanic?(panic: FirmwarePanic): void;
}

/** What begins a stack trace, of probe-rs and of firmware that prints one itself. */
const TRACE =
  /^(?:stack backtrace:|\s*Frame \d+: .* @ |=+ PANIC =+$|Backtrace:$)/;
/** What goes on with one: indented lines, empty ones, addresses. */
const WITHIN_TRACE = /^(?:\s|$|Core \d+$|0x[0-9a-f]{6,}$)/;
/** probe-rs's own last words, where they are no crash, or no news behind a panic. */
const EXITED =
  /^(?:Firmware exited (?:(successfully)|unexpectedly: |with: )|Exited by user request)/;

/** How 0.28 to 0.32.0 ask which of several probes is meant, though nobody can answer: said with the exit. */
const ASKS =
  /^(?:Available Probes:$|\d+: .* -- [0-9a-f]{4}:[0-9a-f]{4}\b|Selection: ?$)/i;

/** Tells the log lines of one child. */
export class FirmwareLog {
  readonly #options: FirmwareLogOptions;
  /** What is held back. */
  #open: OpenPanic | OpenCrash | undefined;
  /** Within a stack trace, or where one may follow. */
  #tracing = false;
  /** That the firmware has exited is no news behind its panic. */
  #panicked = false;
  #hexSaid = false;

  constructor(options: FirmwareLogOptions) {
    this.#options = options;
  }

  /** Takes the next line. */
  take(said: FirmwareText): void {
    if (this.#open?.takes(said)) {
      if (this.#open.isComplete) this.end();
      return;
    }
    this.end();
    const open = readPanic(said) ?? (this.#panicked ? null : readCrash(said));
    if (!open) return this.#say(said);
    this.#open = open;
    if (open.isComplete) this.end();
  }

  /** Whether a line that says `text` belongs to a crash whose first line has come. */
  awaits(text: string): boolean {
    // Most of the time nothing is held back.
    return this.#open instanceof OpenPanic &&
      this.#open.awaits(readFirmwareText(text));
  }

  /** Something that is no log line came between. */
  interrupt(): void {
    this.end();
    this.#tracing = this.#panicked = false;
  }

  /** Nothing more belongs to what is held back. */
  end(): void {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    const { message, location, told, rest } = open;
    this.#options.onPanic?.(
      location === undefined ? { message } : { message, location },
    );
    this.#put(told, "error");
    for (const text of rest) this.#put(text, "debug");
    this.#tracing = this.#panicked = true;
  }

  #say({ layout, level, text }: FirmwareText): void {
    const exited = layout === "bare" ? EXITED.exec(text) : null;
    if (exited) {
      this.#tracing = true;
      const isNews = !this.#panicked && exited[1] !== undefined;
      return this.#put(text, isNews ? "warning" : "debug");
    }
    if (layout === "bare" && ASKS.test(text)) return this.#put(text, "debug");
    if (layout === "location") return this.#put(text, "debug");
    // Asked of every log line: one with a level is part of a trace only at the level of an error.
    const mayTrace = layout === "bare" || layout === "plain" ||
      level === "error";
    if (
      mayTrace &&
      (TRACE.test(text) || this.#tracing && WITHIN_TRACE.test(text))
    ) {
      this.#tracing = true;
      return this.#put(text, "debug");
    }
    this.#tracing = this.#panicked = false;
    if (layout !== "hex") return this.#put(text, level);
    this.#put(text, this.#hexSaid ? "debug" : level);
    this.#hexSaid = true;
  }

  #put(text: string, level: Level): void {
    this.#options.onText(text, level);
  }
}
