/**
 * When the packets of one board happened.
 *
 * - Stamps are multiples of `STAMP_US` and grow with every packet, whatever the clocks do: the journal
 *   keeps epochs apart by the remainder.
 * - A stamp is never later than the moment the packet was read, but for packets that come faster than
 *   125,000 a second.
 * - Packets that were read late are spread as the board's own clock says, and not before the present
 *   clock epoch began.
 *
 * @module
 */

import { type EventTime, STAMP_US } from "../model.ts";
import { BoardClock } from "./board_clock.ts";

/** Options for {@linkcode EventClock}. */
export interface EventClockOptions {
  /** The time now, in the clock epoch that now belongs to. */
  now(): EventTime;
}

/** Stamps the packets of one board. */
export class EventClock {
  /** The board's clock. */
  readonly board: BoardClock = new BoardClock();
  readonly #options: EventClockOptions;
  #epoch: number | undefined;
  /** The present epoch's first stamp, or later. */
  #fromUs = 0;
  #lastUs = -Infinity;
  #lastRejectUs = -Infinity;

  constructor(options: EventClockOptions) {
    this.#options = options;
  }

  /** A time for a line that is no packet, and may become one: between the stamps of packets. */
  stampReject(): EventTime {
    const { epoch, monoUs } = this.#options.now();
    const stampUs = Math.floor(monoUs / STAMP_US) * STAMP_US + STAMP_US / 2;
    this.#lastRejectUs = Math.max(stampUs, this.#lastRejectUs + STAMP_US);
    return { epoch, monoUs: this.#lastRejectUs };
  }

  /** Stamps packets that were read together; `boardTs` holds the `ts` of each. */
  stamp(boardTs: readonly (number | null)[]): EventTime[] {
    const { epoch, monoUs: nowUs } = this.#options.now();
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#fromUs = Math.ceil(nowUs / STAMP_US) * STAMP_US;
    }
    return this.board.times(boardTs, nowUs).map((us) => {
      const stampUs = Math.floor(us / STAMP_US) * STAMP_US;
      this.#lastUs = Math.max(stampUs, this.#fromUs, this.#lastUs + STAMP_US);
      return { epoch, monoUs: this.#lastUs };
    });
  }
}
