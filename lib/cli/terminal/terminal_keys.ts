/**
 * The keyboard of a terminal that shows something else than what is typed.
 *
 * @module
 */

/** Options for {@linkcode TerminalKeys}. */
export interface TerminalKeysOptions {
  /** What is shown there. */
  readonly display: { update(): void; suspend(): void; resume(): void } & {
    [Symbol.asyncDispose](): Promise<void>;
  };
  /** Is told of `q` and Ctrl-D. */
  end(): void;
}

/** Where the terminal makes no signal of Ctrl-C it is a key like others. */
const ENDS = [0x71, /* q */ 0x03, /* Ctrl-C */ 0x04 /* Ctrl-D */];
/** Windows has neither these signals nor a mode in which Ctrl-C is one and other keys are not shown. */
const HAS_JOBS = Deno.build.os !== "windows";

/**
 * Keys are neither shown nor kept for the shell, but `q` and Ctrl-D, which end the program; Ctrl-C and
 * Ctrl-Z stay signals. A change of the window's size is shown at once.
 */
export class TerminalKeys implements Disposable {
  readonly #options: TerminalKeysOptions;
  readonly #isTyped = Deno.stdin.isTerminal();
  readonly #onResize = () => this.#options.display.update();
  readonly #onSuspend = () => this.#suspend();
  readonly #onContinue = () => this.#resume();
  /** A second Ctrl-C ends the process on the spot; this runs all the same. */
  readonly #onUnload = () => {
    this.#setRaw(false);
    void this.#options.display[Symbol.asyncDispose]();
  };

  constructor(options: TerminalKeysOptions) {
    this.#options = options;
    globalThis.addEventListener("unload", this.#onUnload);
    if (HAS_JOBS) {
      Deno.addSignalListener("SIGWINCH", this.#onResize);
      Deno.addSignalListener("SIGTSTP", this.#onSuspend);
      Deno.addSignalListener("SIGCONT", this.#onContinue);
    }
    if (!this.#isTyped) return;
    this.#setRaw(true);
    void this.#read();
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("unload", this.#onUnload);
    if (HAS_JOBS) {
      Deno.removeSignalListener("SIGWINCH", this.#onResize);
      Deno.removeSignalListener("SIGTSTP", this.#onSuspend);
      Deno.removeSignalListener("SIGCONT", this.#onContinue);
    }
    this.#setRaw(false);
  }

  /** The read that is under way at the end goes with the process. */
  async #read(): Promise<void> {
    const keys = new Uint8Array(64);
    for (;;) {
      const length = await Deno.stdin.read(keys).catch(() => null);
      if (length === null) return;
      const typed = keys.subarray(0, length);
      if (ENDS.some((key) => typed.includes(key))) this.#options.end();
    }
  }

  #suspend(): void {
    this.#options.display.suspend();
    this.#setRaw(false);
    Deno.kill(Deno.pid, "SIGSTOP");
  }

  #resume(): void {
    this.#setRaw(true);
    this.#options.display.resume();
  }

  #setRaw(isRaw: boolean): void {
    if (!this.#isTyped) return;
    try {
      Deno.stdin.setRaw(isRaw, { cbreak: isRaw && HAS_JOBS });
    } catch {
      // The terminal is gone.
    }
  }
}
