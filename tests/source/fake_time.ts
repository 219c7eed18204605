/**
 * A time that passes when a test says so.
 *
 * @module
 */

/** Gives `now` and `wait`. */
export class FakeTime {
  #nowMs = 0;
  readonly #waits = new Set<{ atMs: number; end(): void }>();

  readonly now = (): number => this.#nowMs;

  readonly wait = (ms: number, signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const one = { atMs: this.#nowMs + ms, end };
      const waits = this.#waits;
      waits.add(one);
      signal.addEventListener("abort", end, { once: true });
      function end() {
        waits.delete(one);
        signal.removeEventListener("abort", end);
        resolve();
      }
    });
  };

  /** Lets so many seconds pass, and what was waited for happen in its order. */
  async pass(seconds: number): Promise<void> {
    const untilMs = this.#nowMs + seconds * 1000;
    for (;;) {
      const [next] = [...this.#waits].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#nowMs = next.atMs;
      next.end();
      // Whoever waited goes on, and may wait again.
      await new Promise((resolve) => setTimeout(resolve));
    }
    this.#nowMs = untilMs;
  }
}

/** Waits, in real time, for what a real process does. */
export async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 1));
}
