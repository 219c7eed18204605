/**
 * A child's stderr: to the log, and the one error that matters kept.
 *
 * @module
 */

import { getBoardLogger, logSaid } from "./board_log.ts";
import { escapeTricks, stripColours } from "./firmware_text.ts";
import { LineStream } from "./line_stream.ts";

const log = getBoardLogger("program");

/** What begins an error: that of a Rust program, of its command line's reader, or a panic. */
const ERROR = /^(?:error:|thread '.*' (?:\(\d+\) )?panicked at )/i;
/** What follows that explains nothing: all of it, or a hint to get more of it. */
const BACKTRACE = /^(?:Stack backtrace:$|note: run with )/;
const LOG_LINE = /^\s*(?:TRACE|DEBUG|INFO|WARN|ERROR)\b/;
/** Lines that are kept of an error itself, and of what caused it. */
const MAX_LINES = 20;
/** Characters that are kept of such a line. */
const MAX_LENGTH = 400;

/** An error as it is being read: its lines, and those below `Caused by:`. */
interface ErrorText {
  readonly lines: string[];
  readonly causes: string[];
}

/**
 * Logs every line until stderr ends.
 *
 * @param onLine sees each line before that
 *
 * @returns the last `Error: …` with the lines behind it and those below its `Caused by:`, in one line;
 *   without colours and backtrace
 */
export async function readErrors(
  stderr: ReadableStream<Uint8Array>,
  onLine?: (line: string) => void,
): Promise<string | undefined> {
  let error: ErrorText | undefined;
  /** Where the next line belongs; undefined: to no error. */
  let part: string[] | undefined;
  for await (const lines of stderr.pipeThrough(new LineStream())) {
    for (const { text: raw } of lines) {
      const text = escapeTricks(stripColours(raw)).trimEnd();
      onLine?.(text);
      if (ERROR.test(text)) {
        error = { lines: [], causes: [] };
        part = error.lines;
      } else if (error && text.trim() === "Caused by:") {
        part = error.causes;
        continue;
      } else if (error && BACKTRACE.test(text)) {
        part = [];
      } else if (text === "") {
        // Ends the error itself; causes and backtraces go on as long as they are indented.
        if (part === error?.lines) part = undefined;
        continue;
      } else if (
        LOG_LINE.test(text) || (part !== error?.lines && !/^\s/.test(text))
      ) {
        part = undefined;
      }
      if (part === undefined) {
        say(text);
        continue;
      }
      // Said with the exit, where it explains something.
      logSaid(log, "debug", text);
      if (part.length < MAX_LINES) {
        part.push(shorten(text.trim().replace(/^\d+: /, "")));
      }
    }
  }
  return error && inOneLine(error);
}

function inOneLine(
  { lines: [first = "", ...more], causes }: ErrorText,
): string {
  const details = more.length > 0 ? ` ${more.join("; ")}` : "";
  const why = causes.length > 0 ? ` (caused by: ${causes.join("; ")})` : "";
  // Without its full stop, because it stands within a sentence of ours.
  return (first + details + why).replace(/\.$/, "");
}

function shorten(line: string): string {
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}

function say(text: string): void {
  const word = /^\s*(WARN|ERROR)\b/.exec(text)?.[1];
  const level = word === "WARN"
    ? "warning"
    : word === "ERROR"
    ? "error"
    : "info";
  logSaid(log, level, text);
}
