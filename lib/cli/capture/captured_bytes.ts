/**
 * What a board's program printed, as it was kept: a file or stdin, as it is or as a recording.
 *
 * @module
 */

import { describeFileError } from "../../config/fault.ts";
import { RECORDING_BEGINNING } from "../../source/recording.ts";
import {
  type PlacedEntry,
  readRecording,
} from "../../source/recording_reader.ts";
import { UsageError } from "../usage_error.ts";

const NEVER = new AbortController().signal;

/** What a program printed on stdout, run by run. */
export interface CapturedBytes {
  /** Whose it is; undefined where nothing says so. */
  readonly board: string | undefined;
  readonly isRecording: boolean;
  /** One for each run of the program, at least one; each must be read before the next. */
  readonly runs: AsyncIterable<ReadableStream<Uint8Array>>;
}

/** Opens the file at `path`. @throws {UsageError} if it cannot be read, which `what` begins to say */
export async function openCapture(
  path: string,
  what = "Cannot read the lines",
): Promise<ReadableStream<Uint8Array>> {
  try {
    const file = await Deno.open(path);
    const { isDirectory } = await file.stat();
    if (!isDirectory) return file.readable;
    file.close();
    throw new Deno.errors.IsADirectory();
  } catch (error) {
    throw new UsageError(
      `${what}: "${path}" ${describeFileError(error)}`,
    );
  }
}

/**
 * Looks at how `bytes` begin, and gives what was printed; it ends, as if nothing more had been printed,
 * when `signal` is aborted.
 *
 * @throws {Error} while it is read, if it is a recording of a version that is not known
 */
export async function readCapture(
  bytes: ReadableStream<Uint8Array>,
  signal: AbortSignal = NEVER,
): Promise<CapturedBytes> {
  const chunks = untilAborted(bytes, signal);
  const [beginning, rest] = await lookAhead(chunks, couldBeRecording);
  const all = ReadableStream.from(rest);
  if (!beginning.startsWith(RECORDING_BEGINNING)) {
    return { board: undefined, isRecording: false, runs: only(all) };
  }
  const entries = readRecording(all)[Symbol.asyncIterator]();
  const first = await entries.next();
  const board = !first.done && first.value.kind === "header"
    ? first.value.board
    : undefined;
  return { board, isRecording: true, runs: runsOf(entries, first) };
}

async function* only<T>(one: T): AsyncIterable<T> {
  yield one;
}

/** What the board's program printed on stdout in each of its runs. */
async function* runsOf(
  entries: AsyncIterator<PlacedEntry>,
  first: IteratorResult<PlacedEntry>,
): AsyncIterable<ReadableStream<Uint8Array>> {
  let next = first;
  do {
    const run = next.done ? 0 : next.value.run;
    yield ReadableStream.from((async function* () {
      for (
        ;
        !next.done && next.value.run === run;
        next = await entries.next()
      ) {
        const entry = next.value;
        if (entry.kind === "out") yield new Uint8Array(entry.bytes);
      }
    })());
  } while (!next.done);
}

/** Whether what begins with `text` may be a recording, as far as one sees. */
function couldBeRecording(text: string): boolean {
  return text.length < RECORDING_BEGINNING.length &&
    RECORDING_BEGINNING.startsWith(text);
}

/** Reads as long as `more` of what was read; gives that, and all there is. */
async function lookAhead(
  chunks: AsyncIterator<Uint8Array, void>,
  more: (text: string) => boolean,
): Promise<[beginning: string, all: AsyncIterable<Uint8Array>]> {
  const seen: Uint8Array[] = [];
  const decoder = new TextDecoder();
  let beginning = "";
  while (more(beginning)) {
    const next = await chunks.next();
    if (next.done) break;
    seen.push(next.value);
    beginning += decoder.decode(next.value.subarray(0, 256), { stream: true });
  }
  return [
    beginning,
    (async function* () {
      yield* seen;
      for (let next; !(next = await chunks.next()).done;) yield next.value;
    })(),
  ];
}

/** The chunks of `bytes`, up to the moment when `signal` is aborted, though a read may never come back. */
async function* untilAborted(
  bytes: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const reader = bytes.getReader();
  // A read that is under way comes back at once. (One raced against a promise for all would be kept by it.)
  const cancel = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel);
  try {
    if (signal.aborted) cancel();
    for (let next; !(next = await reader.read()).done;) yield next.value;
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}
