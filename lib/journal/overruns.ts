/**
 * Tells of packets that are dropped because the disk does not keep up: at the first, then one line a
 * minute with how many and of which time, and when it is over.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";

/** Tells of packets that find no room before the disk. */
export class Overruns {
  readonly #log = getLogger(["gateway", "journal"]);
  #total = 0;
  /** Those since the last minute. */
  #fresh = 0;
  #fromUs = 0;
  #toUs = 0;

  /** A packet of this time was dropped. */
  add(timeUs: number): void {
    if (this.#total++ === 0) {
      this.#log.error(
        "The disk does not keep up: what waits for it takes all the memory that it may, packets are dropped",
      );
    }
    if (this.#fresh++ === 0) this.#fromUs = timeUs;
    this.#toUs = timeUs;
  }

  /** Another minute is over. */
  minute(): void {
    if (this.#fresh > 0) this.#tell();
    else if (this.#total > 0) {
      this.#log.warn("The disk keeps up again: {total} packets were lost", {
        total: this.#total,
      });
      this.#total = 0;
    }
  }

  /** Tells what is left to tell. */
  close(): void {
    if (this.#fresh > 0) this.#tell();
  }

  #tell(): void {
    this.#log.error(
      "The disk did not keep up: {fresh} packets of {from} to {to} are lost, {total} so far",
      {
        fresh: this.#fresh,
        from: new Date(this.#fromUs / 1000).toISOString(),
        to: new Date(this.#toUs / 1000).toISOString(),
        total: this.#total,
      },
    );
    this.#fresh = 0;
  }
}
