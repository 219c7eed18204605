/**
 * What a firmware says, told so that a crash is one message and not thirty.
 *
 * - Every line that comes in goes out as one, in order, most of them as they are.
 * - A panic goes out once as an error, with message and place; the rest of its lines, the stack trace
 *   of probe-rs behind it and the place that defmt 0.27 prints below a line are for debugging.
 * - At most one panic is held back, and only until the line behind it tells its message.
 *
 * @module
 */

import type { FirmwareText, Level } from "./firmware_text.ts";
import { type OpenPanic, readPanic } from "./panic.ts";

/** A firmware that panicked. */
export interface FirmwarePanic {
  /** Such as `called Option::unwrap() on a None value`. */
  readonly message: string;
  /** `src/main.rs:42:5`, where the firmware says it. */
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
/** probe-rs's own last words. */
const EXITED = /^(?:Firmware exited (successfully)?|Exited by user request)/;

/** Tells the log lines of one child. */
export class FirmwareLog {
  readonly #options: FirmwareLogOptions;
  #panic: OpenPanic | undefined;
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
    if (this.#panic?.takes(said)) {
      if (this.#panic.isComplete) this.end();
      return;
    }
    this.end();
    const panic = readPanic(said);
    if (!panic) return this.#say(said);
    this.#panic = panic;
    if (panic.isComplete) this.end();
  }

  /** Something that is no log line came between. */
  interrupt(): void {
    this.end();
    this.#tracing = this.#panicked = false;
  }

  /** Nothing more belongs to a panic that is held back. */
  end(): void {
    const panic = this.#panic;
    if (!panic) return;
    this.#panic = undefined;
    const { message, location } = panic;
    this.#options.onPanic?.(
      location === undefined ? { message } : { message, location },
    );
    const at = location === undefined ? "" : ` at ${location}`;
    this.#put(`The firmware panicked${at}: ${message}`, "error");
    for (const text of panic.rest) this.#put(text, "debug");
    this.#tracing = this.#panicked = true;
  }

  #say({ layout, level, text }: FirmwareText): void {
    const exited = layout === "bare" ? EXITED.exec(text) : null;
    if (exited) {
      const isNews = !this.#panicked && text.startsWith("Firmware");
      this.#tracing = true;
      return this.#put(
        text,
        !isNews ? "debug" : exited[1] ? "warning" : "error",
      );
    }
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
