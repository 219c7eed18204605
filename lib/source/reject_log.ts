/**
 * Lines that are meant for telemetry and are broken, in the log: the first, the tenth, then at most one an
 * hour, with how many there were. All of them are among the rejects.
 *
 * A probe that is attached in the middle of a line tears one at each start: that is no warning.
 *
 * @module
 */

import { counted } from "../counted.ts";
import { getBoardLogger } from "./board_log.ts";
import { sampleOf } from "./firmware_text.ts";

/** So many are worth a warning. */
const MANY = 10;
/** From one warning to the next, in milliseconds. */
const SILENCE_MS = 3_600_000;

const log = getBoardLogger("source");

/** Tells of one board's. */
export class RejectLog {
  readonly #now: () => number;
  #lines = 0;
  /** Of these, the ones that were told of. */
  #told = 0;
  #warnedMs = -Infinity;

  /** @param now milliseconds that only grow */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A line is broken for `reason`. */
  note(line: string, reason: string): void {
    this.#lines++;
    const isFirst = this.#lines === 1;
    const nowMs = this.#now();
    const isMore = this.#lines >= MANY && nowMs - this.#warnedMs >= SILENCE_MS;
    if (!isFirst && !isMore) return;
    const lines = counted(this.#lines - this.#told, "line");
    this.#told = this.#lines;
    if (isMore) this.#warnedMs = nowMs;
    log[isMore ? "warning" : "info"](
      'Telemetry is broken in {lines}, such as "{sample}": {reason}. "iiot-gateway rejects list" shows what is kept of that',
      { lines, sample: sampleOf(line), reason },
    );
  }
}
