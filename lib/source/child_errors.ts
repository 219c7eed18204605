/**
 * A child's stderr: to the log, and the one error that matters kept.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { escapeTricks, stripColours, verbatim } from "./firmware_text.ts";
import { LineStream } from "./line_stream.ts";

const log = getLogger(["gateway", "probe-rs"]);

/** Causes that are kept of one error. */
const MAX_CAUSES = 5;

/**
 * Logs every line until stderr ends.
 *
 * @returns the last `Error: …` with what stands below its `Caused by:`, in one line
 */
export async function readErrors(
  stderr: ReadableStream<Uint8Array>,
): Promise<string | undefined> {
  let error: string | undefined;
  let causes: string[] | undefined;
  for await (const lines of stderr.pipeThrough(new LineStream())) {
    for (const { text: raw } of lines) {
      const text = escapeTricks(stripColours(raw)).trimEnd();
      if (text === "") continue;
      if (/^error:/i.test(text)) {
        error = text;
        causes = undefined;
      } else if (error && /^Caused by:/.test(text)) {
        causes = [];
      } else if (causes && /^\s/.test(raw)) {
        if (causes.length < MAX_CAUSES) {
          causes.push(text.trim().replace(/^\d+: /, ""));
        }
      } else {
        causes = undefined;
        say(text);
        continue;
      }
      // Said with the exit, where it explains something.
      log.debug(verbatim(text));
      if (causes && causes.length > 0) {
        error = `${error?.split(" (caused by: ")[0]} (caused by: ${
          causes.join("; ")
        })`;
      }
    }
  }
  return error;
}

function say(text: string): void {
  if (/^\s*WARN\b/.test(text)) log.warning(verbatim(text));
  else if (/^\s*ERROR\b/.test(text)) log.error(verbatim(text));
  else log.info(verbatim(text));
}
