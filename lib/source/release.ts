/**
 * A probe that is lent to somebody else for a time.
 *
 * - Whoever asks for it hears when the child is gone, or that it will not be had.
 * - It is over by its time or when it is taken back; who asks again has it for so long from then on.
 *
 * @module
 */

interface Order {
  readonly forMs: number;
  readonly untilMs: number;
  /** Settled once it is known whether the probe is had. */
  readonly had: PromiseWithResolvers<boolean>;
  /** Nobody has heard of it yet. */
  readonly isNews: boolean;
}

/** The release of one board's probe; mostly there is none. */
export class Release {
  readonly #now: () => number;
  #order: Order | undefined;
  #isClosed = false;

  /** @param now milliseconds that only grow */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** What is left of it; 0: it is over, undefined: there is none. */
  get leftMs(): number | undefined {
    if (this.#order === undefined) return undefined;
    return Math.max(0, this.#order.untilMs - this.#now());
  }

  /** Asks for the probe for so long from now on; whether it is had, when that is known. */
  async begin(forMs: number): Promise<boolean> {
    if (this.#isClosed) return false;
    const untilMs = this.#now() + forMs;
    const had = this.#order?.had ?? Promise.withResolvers<boolean>();
    this.#order = { forMs, untilMs, had, isNews: true };
    return await had.promise;
  }

  /** Has it over now; whether there was one. */
  take(): boolean {
    if (this.#order === undefined) return false;
    this.#order = { ...this.#order, untilMs: -Infinity };
    return true;
  }

  /** The child is gone. Gives for how long it is lent, where nobody has heard that yet. */
  free(): number | undefined {
    const order = this.#order;
    if (order === undefined) return undefined;
    this.#order = { ...order, isNews: false };
    order.had.resolve(true);
    return order.isNews ? order.forMs : undefined;
  }

  /** There is none any more. */
  end(): void {
    this.#order?.had.resolve(false);
    this.#order = undefined;
  }

  /** There is none any more, ever. */
  close(): void {
    this.#isClosed = true;
    this.end();
  }
}
