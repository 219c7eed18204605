/**
 * How long to wait before the next attempt.
 *
 * @module
 */

/** Options for {@linkcode Backoff}. */
export interface BackoffOptions {
  /** The first wait is at most this long, in milliseconds. @default {1_000} */
  readonly firstMs?: number;
  /** No wait is longer, in milliseconds. @default {60_000} */
  readonly longestMs?: number;
}

/**
 * Exponential backoff with full jitter: each wait is drawn evenly from zero to a ceiling that doubles.
 *
 * A broker that comes back meets a fleet that is spread over the whole ceiling, not one that knocks
 * at the same moment (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export class Backoff {
  readonly #random: () => number;
  readonly #firstMs: number;
  readonly #longestMs: number;
  #ceilingMs: number;

  /** `random` gives numbers from 0 up to, not including, 1. */
  constructor(random: () => number, options: BackoffOptions = {}) {
    this.#random = random;
    this.#firstMs = options.firstMs ?? 1_000;
    this.#longestMs = options.longestMs ?? 60_000;
    this.#ceilingMs = this.#firstMs;
  }

  /** Milliseconds to wait now: a whole number, at least 1. The next wait may be twice as long. */
  next(): number {
    const ceilingMs = this.#ceilingMs;
    this.#ceilingMs = Math.min(2 * ceilingMs, this.#longestMs);
    return 1 + Math.floor(this.#random() * ceilingMs);
  }

  /** Begins again with the shortest wait: something has worked. */
  reset(): void {
    this.#ceilingMs = this.#firstMs;
  }
}
