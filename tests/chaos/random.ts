/**
 * Randomness from a seed.
 *
 * @module
 */

/** Numbers that look random and are the same for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, not including, 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From `min` to `max`, small ones more often: each doubling is as likely as the next. */
  spread(min: number, max: number): number {
    return Math.round(min * (max / min) ** this.next());
  }

  /** One of `items`, by their weights. */
  pick<T extends { readonly weight: number }>(items: readonly T[]): T {
    let left = this.next() * items.reduce((sum, { weight }) => sum + weight, 0);
    const found = items.find(({ weight }) => (left -= weight) < 0);
    const one = found ?? items.at(-1);
    if (one === undefined) throw new Error("Nothing to pick from");
    return one;
  }
}
