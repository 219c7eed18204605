/**
 * What the commands print: answers on stdout, complaints on stderr.
 *
 * The console is written to at once, so nothing is lost by an exit that follows, and a reader that
 * has gone (`| head`) is no error.
 *
 * @module
 */

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

/** Whether what is written to `stream` should be coloured: see https://no-color.org/. */
export function wantsColor(stream: { isTerminal(): boolean }): boolean {
  return stream.isTerminal() && !Deno.noColor;
}
