/**
 * Lines at a terminal that are written over, again and again.
 *
 * - They stand where the cursor was, below what was there before, and stay there at the end: there is no
 *   second screen that a crash could leave behind.
 * - While it is open the cursor is hidden and keys are not shown. Both is undone at the end, also by an
 *   exit of the process that nobody announced, and while it is suspended (Ctrl-Z).
 * - After a change of size nobody knows how the terminal has wrapped what is there: it begins anew at the
 *   top of the window.
 *
 * @module
 */

/** Size of a terminal. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** Options for {@linkcode LiveScreen}. */
export interface LiveScreenOptions {
  /** Writes at once. */
  write(text: string): void;
  size(): ScreenSize;
}

const HIDE = "\x1b[?25l", SHOW = "\x1b[?25h";
const TO_LINE_END = "\x1b[K", BELOW = "\x1b[J", HOME = "\x1b[H";

/** See the module's text. */
export class LiveScreen implements Disposable {
  readonly #options: LiveScreenOptions;
  /** How many lines stand there; the cursor is in the last. */
  #lines = 0;
  #size: ScreenSize | undefined;
  #isOpen = true;

  constructor(options: LiveScreenOptions) {
    this.#options = options;
    options.write(HIDE);
  }

  /** The size now; a terminal that does not know it says 0, and is taken for one of 80 by 24. */
  get size(): ScreenSize {
    const { columns, rows } = this.#options.size();
    return { columns: columns || 80, rows: rows || 24 };
  }

  /**
   * Writes `lines` in place of those before, at most one for each row. Each must be shorter than the window
   * is wide: behind a full line some terminals erase its last character with what is behind it.
   */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const { columns, rows } = this.size;
    const isSame = this.#size === undefined ||
      (this.#size.columns === columns && this.#size.rows === rows);
    this.#size = { columns, rows };
    const shown = lines.slice(0, rows);
    const up = this.#lines > 1 ? `\x1b[${this.#lines - 1}A` : "";
    const start = isSame ? `\r${up}` : HOME + BELOW;
    const text = shown.map((one) => one + TO_LINE_END).join("\r\n");
    this.#options.write(start + text + BELOW);
    this.#lines = Math.max(1, shown.length);
  }

  /** Leaves the terminal to others for a while. */
  suspend(): void {
    if (this.#isOpen) this.#options.write(`\r\n${SHOW}`);
  }

  /** Takes it again, below what they have written. */
  resume(): void {
    if (!this.#isOpen) return;
    this.#lines = 0;
    this.#options.write(HIDE);
  }

  /** Leaves the lines there, and the cursor below them. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#options.write(`${this.#lines > 0 ? "\r\n" : ""}${SHOW}`);
  }
}
