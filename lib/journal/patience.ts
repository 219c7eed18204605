/**
 * How long the disk is waited for.
 *
 * - One call that takes too long says that the disk hangs; until it is answered after all no other is
 *   begun.
 * - A process that stood still has not waited meanwhile.
 * - When the gateway ends there is less time, but for what brings memory's packets to the disk.
 *
 * @module
 */

import { DiskError } from "./disk.ts";

/** A disk that takes longer for one call has failed; an SD card's slowest sync takes seconds. */
const ANSWER_WITHIN_MS = 30_000;
/** The same for one that keeps the gateway from its end: long enough for the sync of a slow SD card. */
const LATE_ANSWER_WITHIN_MS = 3000;

/** Options for {@linkcode Patience}. */
export interface PatienceOptions {
  /** How long one call of the disk may take, in milliseconds. @default {30000} */
  readonly answerWithinMs?: number;
  /** The same once it keeps the gateway from its end. @default {3000} */
  readonly lateAnswerWithinMs?: number;
}

/** Waits for a disk. */
export class Patience {
  readonly #options: PatienceOptions;
  /** Aborted when the gateway should have ended. */
  readonly #late = new AbortController();
  #hanging = false;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** Whether a call that took too long is still under way. */
  get hanging(): boolean {
    return this.#hanging;
  }

  /** From `deadline` on there is less time. */
  hurry(deadline: AbortSignal): void {
    const late = () => this.#late.abort();
    if (deadline.aborted) late();
    else deadline.addEventListener("abort", late, { once: true });
  }

  /**
   * What a call of the disk gives. `always`: it has its time whether the gateway ends or not.
   *
   * @throws {DiskError} if it takes too long, or another one has
   */
  async ask<T>(start: () => Promise<T>, time?: "always"): Promise<T> {
    if (this.#hanging) {
      throw new DiskError("The disk does not answer", "failing");
    }
    const {
      answerWithinMs = ANSWER_WITHIN_MS,
      lateAnswerWithinMs = LATE_ANSWER_WITHIN_MS,
    } = this.#options;
    const call = start();
    const beganMs = performance.now();
    const givenUp = Promise.withResolvers<never>();
    const giveUp = () => {
      this.#hanging = true;
      const again = () => this.#hanging = false;
      call.then(again, again);
      const seconds = Math.round((performance.now() - beganMs) / 1000);
      givenUp.reject(
        new DiskError(`The disk has not answered for ${seconds} s`, "failing"),
      );
    };
    const hurry = () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, lateAnswerWithinMs);
    };
    // Its end is counted anew: after this process has stood still the answer may be there, unheard.
    let timer = setTimeout(
      hurry,
      Math.max(0, answerWithinMs - lateAnswerWithinMs),
    );
    const { signal } = this.#late;
    if (time !== "always") {
      if (signal.aborted) hurry();
      else signal.addEventListener("abort", hurry);
    }
    try {
      return await Promise.race([call, givenUp.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", hurry);
    }
  }
}
