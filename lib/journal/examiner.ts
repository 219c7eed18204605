/**
 * Reads a whole journal once in small steps, between other work: after a stop that was not in order
 * damage may lie anywhere, and a look at everything at once would hold up the first packets.
 *
 * @module
 */

/** Pause between two steps, in milliseconds. */
const PAUSE_MS = 20;

/** Reads a journal in steps. */
export class Examiner {
  readonly #step: (seq: number) => number | null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param step looks at some rows after `seq` and gives the last one's; null when there are none */
  constructor(step: (seq: number) => number | null) {
    this.#step = step;
  }

  /** Begins at the oldest row. */
  start(): void {
    this.#look(0);
  }

  /** Looks at nothing any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(seq: number): void {
    this.#timer = setTimeout(() => {
      try {
        const last = this.#step(seq);
        if (last !== null) this.#look(last);
      } catch {
        // What cannot be read here fails whoever needs it too, and there it is said.
      }
    }, PAUSE_MS);
  }
}
