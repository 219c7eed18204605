/**
 * The lines that a board's program printed, out of a file, a recording or stdin, looked through.
 *
 * @module
 */

import { LineStream } from "../../source/line_stream.ts";
import { openCapture, readCapture } from "./captured_bytes.ts";
import { LineSurvey, type Survey } from "./captured_lines.ts";

/** A longer line is no packet that any board sends. */
const MAX_LINE_BYTES = 1 << 20;

/** Looks through the file at `path`, `-` for stdin. @throws {UsageError} if it cannot be read */
export async function surveyFile(path: string): Promise<Survey> {
  const survey = new LineSurvey();
  const bytes = path === "-"
    ? Deno.stdin.readable
    : await openCapture(path, "--from must name a file with lines");
  const { runs } = await readCapture(bytes);
  for await (const run of runs) {
    const lines = run.pipeThrough(new LineStream({ maxBytes: MAX_LINE_BYTES }));
    for await (const some of lines) {
      for (const { text, truncated } of some) if (!truncated) survey.add(text);
    }
  }
  return survey.result;
}
