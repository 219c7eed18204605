/**
 * Waiting for one of many things.
 *
 * @module
 */

/** Wakes one waiter; a ring that nobody waits for is kept for the next. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(): Promise<void> {
    // No race of promises here: each would leave a reaction on one that lives for months.
    if (!this.#rung) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#rung = false;
    this.#wake = undefined;
  }
}
