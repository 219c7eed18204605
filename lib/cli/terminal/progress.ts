/**
 * How far a command is, for whoever watches it at a terminal.
 *
 * @module
 */

/** From one picture to the next, in milliseconds. */
const INTERVAL_MS = 200;
const WIDTH = 30;

/** A bar on stderr, where that is a terminal. */
export class Progress implements Disposable {
  readonly #shown: boolean;
  #dueMs = performance.now() + INTERVAL_MS;
  #drawn = false;

  constructor(shown: boolean = Deno.stderr.isTerminal()) {
    this.#shown = shown;
  }

  /** Shows `part`, from 0 to 1, if it is time. */
  show(part: number, note = ""): void {
    if (!this.#shown || performance.now() < this.#dueMs) return;
    this.#dueMs = performance.now() + INTERVAL_MS;
    this.#drawn = true;
    this.#write(`\r${formatProgress(part, note)}\x1b[K`);
  }

  /** Takes the bar away. */
  [Symbol.dispose](): void {
    if (this.#drawn) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}

/** `[#######.......................]  23 % 46000 packets` */
export function formatProgress(part: number, note: string): string {
  const done = Math.min(1, Math.max(0, part));
  const bar = "#".repeat(Math.floor(done * WIDTH)).padEnd(WIDTH, ".");
  const percent = String(Math.floor(done * 100)).padStart(3);
  return `[${bar}] ${percent} % ${note}`.trimEnd();
}
