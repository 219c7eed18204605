/**
 * When a packet happened: microseconds of the monotonic clock within a clock epoch.
 *
 * - `monoUs` is an integer and grows with every stamp, whatever the clocks do.
 * - Within an epoch wall clock and monotonic clock have kept together within a second, so one offset
 *   turns every stamp of it into time of day.
 *
 * @module
 */

import type { EventTime } from "../model.ts";

/** Options for {@linkcode EventClock}. */
export interface EventClockOptions {
  /** Milliseconds that no step of the wall clock moves: `performance.now`. */
  monotonic(): number;
  /** Milliseconds since 1970: `Date.now`. */
  wall(): number;
  /**
   * Registers an epoch, in which time of day is `offsetUs` + monotonic, and gives its id. The first
   * stamp in it will be `monoUs`, or later.
   */
  nextEpoch(
    epoch: { readonly offsetUs: number; readonly monoUs: number },
  ): number;
}

/** A larger step of the wall clock opens an epoch; slewing and millisecond rounding stay below. */
const STEP_US = 1_000_000;

/** Stamps packets; one for the whole process, because its stamps are unique. */
export class EventClock {
  readonly #options: EventClockOptions;
  #epoch: { readonly id: number; readonly offsetUs: number } | undefined;
  #lastUs = -Infinity;

  constructor(options: EventClockOptions) {
    this.#options = options;
  }

  /** The time now; two stamps in one microsecond are one apart. */
  stamp(): EventTime {
    const nowUs = Math.floor(this.#options.monotonic() * 1000);
    const offsetUs = Math.round(this.#options.wall() * 1000) - nowUs;
    if (!this.#epoch || Math.abs(offsetUs - this.#epoch.offsetUs) > STEP_US) {
      const id = this.#options.nextEpoch({ offsetUs, monoUs: nowUs });
      this.#epoch = { id, offsetUs };
    }
    this.#lastUs = Math.max(nowUs, this.#lastUs + 1);
    return { epoch: this.#epoch.id, monoUs: this.#lastUs };
  }
}
