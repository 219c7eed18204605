/**
 * The lines that a board's program printed, out of a file, a recording or stdin.
 *
 * @module
 */

import { LineStream } from "../source/line_stream.ts";
import { RECORDING_BEGINNING } from "../source/recording.ts";
import { readRecording } from "../source/recording_reader.ts";
import { describeFileError } from "../config/fault.ts";
import { LineSurvey, type Survey } from "./captured_lines.ts";
import { UsageError } from "./usage_error.ts";

/** A longer line is no packet that any board sends. */
const MAX_LINE_BYTES = 1 << 20;

/** Looks through the file at `path`, `-` for stdin. @throws {UsageError} if it cannot be read */
export async function surveyFile(path: string): Promise<Survey> {
  const survey = new LineSurvey();
  const lines = (await printedBytes(await open(path)))
    .pipeThrough(new LineStream({ maxBytes: MAX_LINE_BYTES }));
  for await (const some of lines) {
    for (const { text, truncated } of some) if (!truncated) survey.add(text);
  }
  return survey.result;
}

async function open(path: string): Promise<ReadableStream<Uint8Array>> {
  if (path === "-") return Deno.stdin.readable;
  try {
    return (await Deno.open(path)).readable;
  } catch (error) {
    throw new UsageError(
      `--from must name a file with lines: "${path}" ${
        describeFileError(error)
      }`,
    );
  }
}

/** What the board's program printed: the bytes themselves, or those that a recording holds. */
async function printedBytes(
  bytes: ReadableStream<Uint8Array>,
): Promise<ReadableStream<Uint8Array>> {
  const beginning = new TextEncoder().encode(RECORDING_BEGINNING);
  const reader = bytes.getReader();
  const read: Uint8Array[] = [];
  let length = 0;
  while (length < beginning.length) {
    const { done, value } = await reader.read();
    if (done) break;
    read.push(value);
    length += value.length;
  }
  reader.releaseLock();
  const first = new Uint8Array(length);
  let at = 0;
  for (const chunk of read) {
    first.set(chunk, at);
    at += chunk.length;
  }
  const whole = ReadableStream.from(chunks(first, bytes));
  const isRecording = length >= beginning.length &&
    beginning.every((byte, i) => byte === first[i]);
  return isRecording ? ReadableStream.from(recorded(whole)) : whole;
}

async function* chunks(
  first: Uint8Array,
  rest: ReadableStream<Uint8Array>,
): AsyncIterable<Uint8Array> {
  if (first.length > 0) yield first;
  yield* rest;
}

async function* recorded(
  bytes: ReadableStream<Uint8Array>,
): AsyncIterable<Uint8Array> {
  for await (const entry of readRecording(bytes)) {
    if (entry.kind === "out") yield entry.bytes;
  }
}
