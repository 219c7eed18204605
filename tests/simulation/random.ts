/**
 * Randomness that a seed repeats.
 *
 * @module
 */

/** Numbers drawn from a seed: the generator sfc32, of which 2^32 streams are known to be sound. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `seed` is an unsigned integer of 32 bits; `stream` tells generators of the same seed apart. */
  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = stream >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.#draw();
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    return this.#draw() / 4_294_967_296;
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of `list`, which is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!;
  }

  /** Mostly short, sometimes very long: a positive number whose mean is `mean`. */
  around(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  #draw(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
