/**
 * Where a command writes much: stdout, or a file that is not there yet.
 *
 * @module
 */

import { writeAll } from "./terminal.ts";
import { UsageError } from "../usage_error.ts";

/** Takes text until it is disposed. */
export class Output implements Disposable {
  /** The file's name; undefined: stdout. */
  readonly name: string | undefined;
  readonly #file: Deno.FsFile | undefined;
  readonly #encoder = new TextEncoder();

  private constructor(name: string | undefined, file: Deno.FsFile | undefined) {
    this.name = name;
    this.#file = file;
  }

  /**
   * Opens stdout, or makes the file `name`.
   *
   * @throws {UsageError} if the file is there already
   */
  static async open(name?: string): Promise<Output> {
    if (name === undefined) return new Output(undefined, undefined);
    try {
      const file = await Deno.open(name, { write: true, createNew: true });
      return new Output(name, file);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      throw new UsageError(
        `The file "${name}" is there already: remove it, or name another one`,
      );
    }
  }

  /** Writes all of `text`. @throws {Deno.errors.BrokenPipe} if the reader has gone */
  async write(text: string): Promise<void> {
    await writeAll(this.#file ?? Deno.stdout, this.#encoder.encode(text));
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }
}
