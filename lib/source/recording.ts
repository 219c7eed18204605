/**
 * A recording: all that a board's program printed, byte for byte, with times. Lines of JSON, so that it
 * can be read, cut, compressed and mailed:
 *
 *     {"format":"iiot-gateway recording","version":1,"program":"0.1.0","board":"","time":"2026-…Z","clock":"known","ms":0,"running":null}
 *     [0.41,"start",{"pid":812,"command":["/usr/bin/probe-rs","run",…]}]
 *     [153.2,"out","[INFO] JSON sent via VCP: {…"]
 *     [153.9,"err","77+9","base64"]                        what is not UTF-8
 *     [160.1,"gap",{"chunks":3,"bytes":9000}]              what could not be written in time
 *     [912.7,"end",{"code":1}]
 *
 * - Cut anywhere it can be read up to there, and a line that was damaged costs that line.
 * - Recordings one behind the other are a recording: a header within one says what runs at that moment.
 * - Times are milliseconds of a clock that never steps. `time` is that of the header's own `ms`.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Grows when an older program could no longer read what is written. */
export const RECORDING_VERSION = 1;
/** More of a chunk is written as another one, so that a line has a longest length. */
export const MAX_CHUNK_BYTES = 64 * 1024;
/** The longest line: a chunk whose every byte is written as `\u0000`, and room. */
export const MAX_LINE_BYTES = 6 * MAX_CHUNK_BYTES + 4096;

/** A child that was started. */
export interface RecordedChild {
  readonly pid: number;
  /** Program and arguments; only the program where the arguments are the operator's own. */
  readonly command: readonly string[];
}

/** What stands at the beginning of each file. */
export interface RecordingHeader {
  readonly kind: "header";
  readonly ms: number;
  /** Version of the program that recorded. */
  readonly program: string;
  /** The board's name; empty in the single form. */
  readonly board: string;
  /** RFC 3339, at `ms`. */
  readonly time: string;
  /** Whether the clock was known to be right. */
  readonly clock: "known" | "unknown";
  /** The child that runs, of which what came before is not here. */
  readonly running: RecordedChild | null;
}

/** A piece of what a child printed. */
export interface RecordedChunk {
  readonly kind: "out" | "err";
  readonly ms: number;
  readonly bytes: Uint8Array;
}

/** One line of a recording. */
export type RecordingEntry =
  | RecordingHeader
  | RecordedChunk
  | RecordedChild & { readonly kind: "start"; readonly ms: number }
  | { readonly kind: "end"; readonly ms: number; readonly code: number }
  | {
    readonly kind: "gap";
    readonly ms: number;
    /** What is missing here. */
    readonly chunks: number;
    readonly bytes: number;
  };

const FORMAT = "iiot-gateway recording";
/** How every recording begins. */
export const RECORDING_BEGINNING = `{"format":${JSON.stringify(FORMAT)},`;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** What would move or hide text on a terminal, beside what JSON escapes by itself. */
const TRICKS = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The line of an entry, without its end. */
export function formatEntry(entry: RecordingEntry): string {
  if (entry.kind === "header") {
    const { kind: _header, ms, program, board, ...rest } = entry;
    const version = RECORDING_VERSION;
    return visible(
      { format: FORMAT, version, program, board, ...rest, ms: rounded(ms) },
    );
  }
  if (entry.kind === "out" || entry.kind === "err") {
    const ms = rounded(entry.ms);
    try {
      return visible([ms, entry.kind, decoder.decode(entry.bytes)]);
    } catch {
      return visible([
        ms,
        entry.kind,
        Buffer.from(entry.bytes).toString("base64"),
        "base64",
      ]);
    }
  }
  const { kind, ms, ...rest } = entry;
  return visible([rounded(ms), kind, rest]);
}

/**
 * What a line says; null for one that is damaged.
 *
 * @throws {Error} if it is the header of a version that is not known
 */
export function parseEntry(line: string): RecordingEntry | null {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch {
    return null;
  }
  if (Array.isArray(data)) return parseLine(data);
  if (!isObject(data) || data.format !== FORMAT) return null;
  if (data.version !== RECORDING_VERSION) {
    throw new Error(
      `The recording is of version ${data.version}, and this program reads version ${RECORDING_VERSION}: use the program that recorded it, or a newer one`,
    );
  }
  const { ms, program, board, time, clock } = data;
  return {
    kind: "header",
    ms: isTime(ms) ? ms : 0,
    program: String(program),
    board: String(board),
    time: String(time),
    clock: clock === "known" ? "known" : "unknown",
    running: parseChild(data.running),
  };
}

function parseLine(
  [ms, kind, what, encoding]: readonly unknown[],
): RecordingEntry | null {
  if (!isTime(ms)) return null;
  if (kind === "out" || kind === "err") {
    if (typeof what !== "string") return null;
    const bytes = new Uint8Array(
      Buffer.from(what, encoding === "base64" ? "base64" : "utf8"),
    );
    return { kind, ms, bytes };
  }
  if (!isObject(what)) return null;
  if (kind === "start") {
    const child = parseChild(what);
    return child && { kind, ms, ...child };
  }
  if (kind === "end") {
    const { code } = what;
    return Number.isInteger(code) ? { kind, ms, code: Number(code) } : null;
  }
  const { chunks, bytes } = what;
  return kind === "gap" && isTime(chunks) && isTime(bytes)
    ? { kind, ms, chunks, bytes }
    : null;
}

function parseChild(what: unknown): RecordedChild | null {
  if (!isObject(what)) return null;
  const { pid, command } = what;
  if (!Number.isInteger(pid) || !Array.isArray(command)) return null;
  return { pid: Number(pid), command: command.map(String) };
}

/** As JSON in which every character is plainly visible. */
function visible(data: unknown): string {
  return JSON.stringify(data).replace(
    TRICKS,
    (one) =>
      [...Array(one.length).keys()].map((i) =>
        `\\u${one.charCodeAt(i).toString(16).padStart(4, "0")}`
      ).join(""),
  );
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
