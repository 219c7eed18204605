/**
 * How a firmware's log comes out of probe-rs: both layouts of defmt, `defmt::println!`, plain RTT, and
 * several channels.
 *
 * @module
 */

import { CRATE, type LogLine, SOURCE } from "../board.ts";
import type { LayoutName } from "./scenario.ts";

/** Options for {@linkcode Printer}. */
export interface PrinterOptions {
  readonly layout: LayoutName;
  /** File and line behind the text. */
  readonly location: boolean;
  readonly timestamps: boolean;
  /** From 0 to 1, as `Math.random`. */
  random(): number;
  /** The local time that plain RTT gets. */
  date(): Date;
}

/** What one poll of RTT found. */
export interface Polled {
  readonly lines: readonly LogLine[];
  /** On the board's own clock, which defmt may print. */
  readonly uptime_s: number;
}

/** The channel's name stands twice where a poll ended within a frame of defmt: one in so many. */
const DOUBLED_EVERY = 5;

/** Prints what polls find; whole lines, but for the time that the first one of plain RTT lacks. */
export class Printer {
  readonly #options: PrinterOptions;
  /** Plain RTT puts the time behind a newline, and nothing stands before the first line. */
  #plainBegun = false;

  constructor(options: PrinterOptions) {
    this.#options = options;
  }

  /** One poll's text, ending in a newline; empty if it found nothing. */
  print(polled: readonly Polled[]): string {
    const text = (line: (line: LogLine, uptimeS: number) => string) =>
      polled.map(({ lines, uptime_s }) =>
        lines.map((one) => line(one, uptime_s)).join("")
      ).join("");
    switch (this.#options.layout) {
      case "defmt":
        return text((line) => this.#oneLine(line));
      case "defmt-time":
        return text((line, uptimeS) =>
          this.#time(uptimeS) + this.#oneLine(line)
        );
      case "defmt-two-line":
        return text((line, uptimeS) => this.#time(uptimeS) + this.#full(line));
      case "println":
        return text((line) => `${line.text}\n`);
      case "rtt":
        return text((line) => this.#plain(line));
      case "channels":
        return this.#channels(text);
    }
  }

  #channels(
    text: (line: (line: LogLine, uptimeS: number) => string) => string,
  ): string {
    const terminal = text((line) =>
      line.level === "DEBUG" ? "" : this.#plain(line)
    );
    const defmt = text((line, uptimeS) =>
      line.level === "DEBUG" ? this.#time(uptimeS) + this.#oneLine(line) : ""
    );
    const doubled = this.#options.random() < 1 / DOUBLED_EVERY ? DEFMT : "";
    return (terminal === "" ? "" : TERMINAL + terminal) +
      (defmt === "" ? "" : doubled + DEFMT + defmt);
  }

  #oneLine(line: LogLine): string {
    const { crate = CRATE, file = SOURCE } = line;
    const at = this.#options.location ? ` (${crate} ${file}:${line.line})` : "";
    return `[${line.level.padEnd(5)}] ${line.text}${at}\n`;
  }

  #full(line: LogLine): string {
    const { crate = CRATE, file = SOURCE } = line;
    const at = this.#options.location
      ? `└─ ${crate}::main @ ${file}:${line.line}\n`
      : "";
    return `${line.level.padEnd(5)} ${line.text}\n${at}`;
  }

  #time(uptimeS: number): string {
    return this.#options.timestamps ? `${uptimeS.toFixed(6)} ` : "";
  }

  #plain({ text }: LogLine): string {
    return text.split("\n").map((line) => {
      const time = this.#options.timestamps && this.#plainBegun
        ? `${localTime(this.#options.date())}: `
        : "";
      this.#plainBegun = true;
      return `${time}${line}\n`;
    }).join("");
  }
}

const TERMINAL = "[Terminal] ";
const DEFMT = "[defmt   ] ";

/** `12:34:56.789` */
function localTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${
    two(date.getSeconds())
  }.${ms}`;
}
