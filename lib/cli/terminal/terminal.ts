/**
 * What the commands print: answers on stdout, complaints on stderr.
 *
 * The console is written to at once, so nothing is lost by an exit that follows, and a reader that
 * has gone (`| head`) is no error. What must not hold the process up where nobody reads goes through
 * {@linkcode writeToStdout}.
 *
 * @module
 */

import { UsageError } from "../usage_error.ts";

/** Writes a line on stdout. */
export function print(line: string): void {
  // deno-lint-ignore no-console -- the one place where commands write their answers
  console.log("%s", line);
}

/** Writes a line on stderr. */
export function complain(line: string): void {
  // deno-lint-ignore no-console -- the one place where commands write their complaints
  console.error("%s", line);
}

/**
 * Writes all of `bytes` on stdout; until somebody reads them, only the promise waits.
 *
 * @throws {Deno.errors.BrokenPipe} if the reader has gone
 */
export function writeToStdout(bytes: Uint8Array): Promise<void> {
  return writeAll(Deno.stdout, bytes);
}

/** Writes all of `bytes`. @throws {Deno.errors.BrokenPipe} if the reader has gone */
export async function writeAll(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await to.write(bytes.subarray(written));
  }
}

/**
 * Asks at the terminal; whether the answer was yes.
 *
 * @throws {UsageError} if nobody is there to answer
 */
export function agrees(question: string): boolean {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError("Nobody can be asked here: --yes does it without");
  }
  return confirm(question);
}

/** Whether what is written to `stream` should be coloured: see https://no-color.org/. */
export function wantsColor(stream: { isTerminal(): boolean }): boolean {
  return stream.isTerminal() && !Deno.noColor;
}
