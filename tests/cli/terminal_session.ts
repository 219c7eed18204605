/**
 * The program at a terminal: `script` of util-linux gives it one.
 *
 * @module
 */

import { TinyTerminal } from "./tiny_terminal.ts";
import { PROJECT } from "./program.ts";

/** A terminal of so many columns and rows, with a program that runs there. */
export class TerminalSession implements AsyncDisposable {
  readonly terminal: TinyTerminal;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>;
  #all = "";
  #look = () => {};

  constructor(
    command: readonly string[],
    { columns, rows, env = {} }: {
      readonly columns: number;
      readonly rows: number;
      readonly env?: Readonly<Record<string, string>>;
    },
  ) {
    this.terminal = new TinyTerminal(columns, rows);
    const quoted = command.map((one) => `'${one.replaceAll("'", `'\\''`)}'`);
    // What `script` itself gives has no size.
    const line = `stty cols ${columns} rows ${rows}; exec ${quoted.join(" ")}`;
    this.#child = new Deno.Command("script", {
      args: ["-q", "-e", "-c", line, "/dev/null"],
      cwd: PROJECT,
      env: { TERM: "xterm", SHELL: "/bin/sh", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#read = this.#drain();
  }

  /** All that was written there. */
  get all(): string {
    return this.#all;
  }

  /** Comes when `is` holds. @throws {Error} if the program ends before, or 20 s pass */
  async until(is: () => boolean): Promise<void> {
    if (await this.within(20_000, is)) return;
    throw new Error(`Nothing of it in 20 s:\n${this.#shown}`);
  }

  /** Whether `is` holds within so many milliseconds. @throws {Error} if the program ends before */
  async within(ms: number, is: () => boolean): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), ms);
    this.#look = () => is() && resolve(true);
    this.#look();
    void this.#read.then(() =>
      reject(new Error(`It has ended:\n${this.#shown}`))
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  get #shown(): string {
    return this.terminal.screen.join("\n");
  }

  /** Whether a line of the screen is like `pattern`. */
  shows(pattern: RegExp): boolean {
    return this.terminal.screen.some((line) => pattern.test(line));
  }

  /** Types keys. */
  async type(keys: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(keys));
  }

  /** Its exit code. */
  async end(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#read;
    return code;
  }

  /** Closes the terminal. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await this.#read;
  }

  async #drain(): Promise<void> {
    const text = this.#child.stdout.pipeThrough(new TextDecoderStream());
    for await (const part of whole(text)) {
      this.#all += part;
      this.terminal.write(part);
      this.#look();
    }
  }
}

/** The same text, no escape sequence cut in two. */
async function* whole(text: AsyncIterable<string>): AsyncIterable<string> {
  let rest = "";
  for await (const part of text) {
    const joined = rest + part;
    // deno-lint-ignore no-control-regex -- the beginning of an escape sequence
    const end = joined.search(/\x1b(\[\??\d*)?$/);
    rest = end < 0 ? "" : joined.slice(end);
    yield end < 0 ? joined : joined.slice(0, end);
  }
  yield rest;
}
