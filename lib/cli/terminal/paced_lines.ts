/**
 * Lines on stdout, some times a second and not one by one.
 *
 * Who writes them never waits: where nobody reads, they wait here, up to a bound, and what comes beyond
 * it is left out and counted.
 *
 * @module
 */

/** Options for {@linkcode PacedLines}. */
export interface PacedLinesOptions {
  /** Takes text; resolves when it can take more. */
  write(text: string): Promise<void>;
  /** Nobody reads any more. */
  onGone(error: unknown): void;
  /** Is told how many lines were left out, once there is room again. */
  onLeftOut(count: number): void;
  /** @default {100} */
  readonly intervalMs?: number;
  /** @default {8 Mi characters} */
  readonly maxWaiting?: number;
}

/** See the module's text. */
export class PacedLines implements AsyncDisposable {
  readonly #options: PacedLinesOptions;
  #waiting = "";
  #leftOut = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | undefined;
  #isGone = false;

  constructor(options: PacedLinesOptions) {
    this.#options = options;
  }

  /** Adds a line. */
  add(line: string): void {
    const { maxWaiting = 8 * 1024 * 1024, intervalMs = 100 } = this.#options;
    if (this.#isGone) return;
    if (this.#waiting.length + line.length >= maxWaiting) {
      this.#leftOut++;
      return;
    }
    this.#waiting += `${line}\n`;
    this.#timer ??= setTimeout(() => this.#flush(), intervalMs);
  }

  /** Writes what waits, as far as it is taken within a second. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, 1000);
    await Promise.race([this.#drain(), deadline.promise]);
    clearTimeout(timer);
    this.#isGone = true;
  }

  async #drain(): Promise<void> {
    await this.#writing;
    await this.#write();
  }

  #flush(): void {
    this.#writing = this.#write().then(() => {
      this.#writing = this.#timer = undefined;
      if (this.#waiting !== "" && !this.#isGone) {
        this.#timer = setTimeout(
          () => this.#flush(),
          this.#options.intervalMs ?? 100,
        );
      }
    });
  }

  async #write(): Promise<void> {
    const { write, onGone, onLeftOut } = this.#options;
    const [text, leftOut] = [this.#waiting, this.#leftOut];
    this.#waiting = "";
    this.#leftOut = 0;
    if (text === "" || this.#isGone) return;
    try {
      await write(text);
      if (leftOut > 0) onLeftOut(leftOut);
    } catch (error) {
      this.#isGone = true;
      onGone(error);
    }
  }
}
