/**
 * A firmware's crash without a panic, a hard fault for example: what probe-rs 0.28 and later says of it,
 * and its place out of the stack trace behind:
 *
 *     Firmware exited unexpectedly: Exception
 *     Core 0
 *         Frame 0: HardFault_ @ 0x08001234
 *            /home/a/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/cortex-m-rt-0.7.5/src/lib.rs:1103:1
 *         Frame 1: read_radio @ 0x08000456
 *            /home/a/app/src/radio.rs:42:9
 *
 * @module
 */

import type { FirmwareText } from "./firmware_text.ts";

/** Behind the names of channels, where the last poll brought no whole line. */
const CRASHED =
  /^(?:\[[^\]]{1,40}\] )*?(Firmware exited (?:unexpectedly|with): .*)$/;
const CORE = /^Core \d+$/;
const WITHIN = /^(?:$|\s|Frame \d+: )/;
const PLACE = /^\s+(?!Frame )(\S.*:\d+)$/;
/** Where Rust and cargo keep what the firmware's own authors did not write. */
const FOREIGN =
  /[\\/](?:registry[\\/]src|git[\\/]checkouts|rustc|rustlib)[\\/]/;
/** So many lines are searched for the place, at most. */
const MAX_LINES = 64;

/** A crash whose place may come yet. */
export class OpenCrash {
  readonly message: string;
  /** Of the first frame in the firmware's own code. */
  location: string | undefined;
  /** The lines behind its first one. */
  readonly rest: string[] = [];
  #cores = 0;

  constructor(message: string) {
    this.message = message;
  }

  /** Its place is known, or is not to be found: behind the first core's trace stands another's. */
  get isComplete(): boolean {
    return this.location !== undefined || this.#cores > 1 ||
      this.rest.length === MAX_LINES;
  }

  /** The crash in one line. */
  get told(): string {
    const at = this.location === undefined ? "" : ` at ${this.location}`;
    return `${this.message}${at}`;
  }

  /** Takes the line behind, if it belongs to the stack trace. */
  takes({ layout, text }: FirmwareText): boolean {
    if (layout !== "bare") return false;
    if (CORE.test(text)) this.#cores++;
    else if (!WITHIN.test(text)) return false;
    this.rest.push(text);
    const place = PLACE.exec(text)?.[1];
    if (place !== undefined && !FOREIGN.test(place)) this.location = place;
    return true;
  }
}

/** The crash that this line tells of; null where it tells of none. */
export function readCrash({ layout, text }: FirmwareText): OpenCrash | null {
  // Asked of every log line, and a regular expression costs more.
  if (layout !== "bare" || !text.includes("Firmware exited ")) return null;
  const message = CRASHED.exec(text)?.[1];
  return message === undefined ? null : new OpenCrash(message);
}
