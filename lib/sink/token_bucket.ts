/**
 * A limit on how many messages a second are sent.
 *
 * @module
 */

/** Lets a tenth of a second's messages through at once, and over any longer time the rate. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #most: number;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  /** `perSecond` is positive; `now` gives milliseconds that never go backwards. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perMs = perSecond / 1_000;
    this.#most = Math.max(1, perSecond / 10);
    this.#now = now;
    this.#tokens = this.#most;
    this.#filledAt = now();
  }

  /** Milliseconds until the next message may go; 0 if it may now. */
  waitMs(): number {
    const now = this.#now();
    this.#tokens = Math.min(
      this.#most,
      this.#tokens + (now - this.#filledAt) * this.#perMs,
    );
    this.#filledAt = now;
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }

  /** Counts one message; {@linkcode waitMs} was 0. */
  take(): void {
    this.#tokens--;
  }
}
