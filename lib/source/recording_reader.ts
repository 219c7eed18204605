/**
 * A recording read again.
 *
 * @module
 */

import { LineStream } from "./line_stream.ts";
import {
  MAX_LINE_BYTES,
  parseEntry,
  type RecordedChild,
  type RecordingEntry,
} from "./recording.ts";

/** An entry, and in which run of the board's program it lies; -1 before the first. */
export type PlacedEntry = RecordingEntry & { readonly run: number };

/** Reads the recording in the file `path`. @throws {Error} as {@linkcode readRecording}, naming the file */
export async function* readRecordingFile(
  path: string,
): AsyncIterable<PlacedEntry> {
  try {
    // The stream closes the file, also where the reading ends early.
    yield* readRecording((await Deno.open(path)).readable);
  } catch (cause) {
    throw new Error(`Cannot read the recording "${path}"`, { cause });
  }
}

/**
 * The entries of a recording as far as it goes; lines that are damaged are passed over. Times begin at
 * 0 and never go back, also where a recording stands behind another one.
 *
 * @throws {Error} if it is none, or one of a version that is not known
 */
export async function* readRecording(
  bytes: ReadableStream<Uint8Array>,
): AsyncIterable<PlacedEntry> {
  const lines = bytes.pipeThrough(
    new LineStream({ maxBytes: MAX_LINE_BYTES }),
  );
  const place = new Place();
  for await (const some of lines) {
    for (const { text } of some) {
      const entry = parseEntry(text);
      if (entry !== null) yield place.of(entry);
      else if (!place.isKnown) throw notOne();
    }
  }
  if (!place.isKnown) throw notOne();
}

function notOne(): Error {
  return new Error('It is no recording: "iiot-gateway record" makes one');
}

/** Where in a recording its reader is. */
class Place {
  /** A header was read. */
  isKnown = false;
  #run = -1;
  /** The child of the run; undefined where its start is not here. Null between two runs. */
  #child: RecordedChild | undefined | null = null;
  /** What is added to the times of the file. */
  #shiftMs = 0;
  #lastMs = 0;

  of(entry: RecordingEntry): PlacedEntry {
    switch (entry.kind) {
      case "header":
        if (!this.isKnown || entry.ms + this.#shiftMs < this.#lastMs) {
          this.#shiftMs = this.#lastMs - entry.ms;
        }
        this.isKnown = true;
        if (entry.running === null) this.#child = null;
        else if (entry.running.pid !== this.#child?.pid) {
          this.#begin(entry.running);
        }
        break;
      case "start":
        this.#begin(entry);
        break;
      case "out":
      case "err":
        if (this.#child === null) this.#begin(undefined);
    }
    if (!this.isKnown) throw notOne();
    this.#lastMs = Math.max(this.#lastMs, entry.ms + this.#shiftMs);
    if (entry.kind === "end") this.#child = null;
    return { ...entry, ms: this.#lastMs, run: this.#run };
  }

  #begin(child: RecordedChild | undefined): void {
    this.#run++;
    this.#child = child;
  }
}

/** What a recording holds. */
export class RecordingSummary {
  #firstMs: number | undefined;
  #lastMs = 0;
  starts = 0;
  /** Bytes that the board's program printed. */
  bytes = 0;
  /** Bytes that are missing, as far as it was counted. */
  missingBytes = 0;
  /** The last exit code; undefined while a child runs, or where none was seen to end. */
  exitCode: number | undefined;

  /** Whether there is anything. */
  get isBegun(): boolean {
    return this.#firstMs !== undefined;
  }

  /** How long it is, in milliseconds. */
  get ms(): number {
    return this.#lastMs - (this.#firstMs ?? 0);
  }

  /** Counts an entry. */
  add(entry: RecordingEntry): void {
    this.#firstMs ??= entry.ms;
    this.#lastMs = Math.max(this.#lastMs, entry.ms);
    switch (entry.kind) {
      case "start":
        this.starts++;
        this.exitCode = undefined;
        break;
      case "end":
        this.exitCode = entry.code;
        break;
      case "gap":
        this.missingBytes += entry.bytes;
        break;
      case "out":
      case "err":
        this.bytes += entry.bytes.length;
    }
  }
}
