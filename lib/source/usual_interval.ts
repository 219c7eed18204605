/**
 * How far apart things usually come, learned from how they came.
 *
 * @module
 */

/** Intervals that are remembered; the longest few of them say nothing of what is usual. */
const REMEMBERED = 64;
const EXCEPTIONS = 3;
/** One in so many may be an exception. */
const EXCEPTION_PER = 8;
/** What comes closer together than this came at once. */
const BURST_MS = 1000;

/**
 * The longest interval that is usual. Bursts do not shorten it, because between two of them lies one of
 * the longest; a single gap does not lengthen it.
 */
export class UsualInterval {
  readonly #intervals: number[] = [];
  #lastMs: number | undefined;
  #usualMs: number | undefined;

  /** Something came at `nowMs`, by a clock that only grows. */
  note(nowMs: number): void {
    if (this.#lastMs !== undefined) {
      const interval = nowMs - this.#lastMs;
      if (interval < BURST_MS) return;
      this.#intervals.push(interval);
      if (this.#intervals.length > REMEMBERED) this.#intervals.shift();
      this.#usualMs = undefined;
    }
    this.#lastMs = nowMs;
  }

  /** Nothing could come for a while: how long it was until the next says nothing. */
  interrupt(): void {
    this.#lastMs = undefined;
  }

  /** Undefined as long as nothing is known. */
  get ms(): number | undefined {
    const { length } = this.#intervals;
    const exceptions = Math.min(EXCEPTIONS, Math.floor(length / EXCEPTION_PER));
    this.#usualMs ??= this.#intervals.toSorted((a, b) => b - a)[exceptions];
    return this.#usualMs;
  }
}
