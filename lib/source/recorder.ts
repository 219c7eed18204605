/**
 * Records what a board's program prints, and never holds it up.
 *
 * - What waits to be written takes at most `MAX_WAITING_BYTES` of memory. What does not fit is left out
 *   and counted, and the recording says so at its place.
 * - What could not be written is counted as well; it is tried again with what came meanwhile.
 *
 * @module
 */

import type { Logger } from "@logtape/logtape";
import { basename } from "node:path";
import project from "../../deno.json" with { type: "json" };
import { describeError } from "../error_text.ts";
import { wait } from "../wait.ts";
import { getBoardLogger } from "./board_log.ts";
import type { ChildTap } from "./child.ts";
import {
  MAX_CHUNK_BYTES,
  type RecordedChild,
  type RecordingEntry,
  type RecordingHeader,
} from "./recording.ts";

/** Where a recording goes. */
export interface RecordingTarget {
  /** What it is called in the log. */
  readonly name: string;
  /** Writes entries in order. Should it reject, all of them count as missing. */
  write(entries: readonly RecordingEntry[]): Promise<void>;
}

/** Options for {@linkcode Recorder}. */
export interface RecorderOptions
  extends Pick<RecordingHeader, "board" | "running"> {
  readonly target: RecordingTarget;
  /** The time of day in microseconds, and whether it is known to be right. */
  timeOfDay(): { readonly us: number; readonly isKnown: boolean };
  /** Milliseconds that only grow. @default {performance.now} */
  now?(): number;
  /** Resolves after `ms`, or early when `signal` is aborted. @default {a timer} */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
}

/** What may wait for a slow disk: at the usual packet every 10 s, an hour. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** What an entry costs in memory beside its bytes. */
const ENTRY_BYTES = 100;
/** Pause before the target is tried again. */
const RETRY_MS = 1000;
/** The longest that a target may take to write the rest at the end. */
const CLOSE_MS = 2000;

/** Writes to its target until it is disposed. */
export class Recorder implements ChildTap, AsyncDisposable {
  readonly #options:
    & RecorderOptions
    & Required<
      Pick<RecorderOptions, "now" | "wait">
    >;
  readonly #log: Logger;
  readonly #beganMs: number;
  readonly #closing = new AbortController();
  #waiting: RecordingEntry[] = [];
  /** Of what waits, and of what is being written. */
  #bytes = 0;
  /** What was left out since the last entry that fitted. */
  #left = { chunks: 0, bytes: 0 };
  #writing: Promise<void> | undefined;
  /** What an outage of the target has cost so far; undefined while it works. */
  #lost: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = {
      ...options,
      now: options.now ?? (() => performance.now()),
      wait: options.wait ?? wait,
    };
    this.#log = getBoardLogger("source", options.board);
    this.#beganMs = this.#options.now();
    const { board, running } = options;
    const { us, isKnown } = options.timeOfDay();
    this.#add({
      kind: "header",
      ms: 0,
      program: project.version,
      board,
      time: new Date(us / 1000).toISOString(),
      clock: isKnown ? "known" : "unknown",
      running: running && concise(running),
    });
  }

  started(child: RecordedChild): void {
    this.#add({ kind: "start", ms: this.#ms, ...concise(child) });
  }

  printed(kind: "out" | "err", bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += MAX_CHUNK_BYTES) {
      // A copy: a pipe's piece lies in 64 kB of its own, however short it is.
      const piece = bytes.slice(at, at + MAX_CHUNK_BYTES);
      this.#add({ kind, ms: this.#ms, bytes: piece });
    }
  }

  ended(code: number): void {
    this.#add({ kind: "end", ms: this.#ms, code });
  }

  /** Writes the rest; what its target does not take in time is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#sayLeftOut();
    this.#write();
    this.#closing.abort();
    const late = new AbortController();
    await Promise.race([
      this.#writing,
      this.#options.wait(CLOSE_MS, late.signal),
    ]);
    late.abort();
  }

  get #ms(): number {
    return this.#options.now() - this.#beganMs;
  }

  #add(entry: RecordingEntry): void {
    const cost = costOf(entry);
    if (this.#bytes + cost > MAX_WAITING_BYTES) {
      this.#left.chunks++;
      this.#left.bytes += lengthOf(entry);
      return;
    }
    this.#sayLeftOut();
    this.#waiting.push(entry);
    this.#bytes += cost;
    this.#write();
  }

  #sayLeftOut(): void {
    if (this.#left.chunks === 0) return;
    this.#waiting.push({ kind: "gap", ms: this.#ms, ...this.#left });
    this.#left = { chunks: 0, bytes: 0 };
  }

  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => this.#writing = undefined);
  }

  async #writeAll(): Promise<void> {
    // What comes in the same moment goes out together.
    await Promise.resolve();
    const { target, wait } = this.#options;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await target.write(batch);
        this.#release(batch);
        this.#sayWorks();
      } catch (error) {
        this.#release(batch);
        this.#sayFails(error, batch);
        if (this.#closing.signal.aborted) return;
        this.#waiting.unshift(missing(batch));
        await wait(RETRY_MS, this.#closing.signal);
      }
    }
  }

  #release(batch: readonly RecordingEntry[]): void {
    for (const entry of batch) {
      if (entry.kind !== "gap") this.#bytes -= costOf(entry);
    }
  }

  #sayFails(error: unknown, batch: readonly RecordingEntry[]): void {
    if (this.#lost === undefined) {
      this.#log.warn(
        "Cannot record to {name}: {error}. What the board prints goes on its way, and is missing in the recording; it is tried again every second",
        { name: this.#options.target.name, error: describeError(error) },
      );
    }
    // A gap was counted by the batch that it stands for, or was never in one.
    const bytes = batch.map(lengthOf).reduce((one, other) => one + other, 0);
    this.#lost = (this.#lost ?? 0) + bytes;
  }

  #sayWorks(): void {
    if (this.#lost === undefined) return;
    this.#log.warn("Records to {name} again: {lost} bytes are missing in it", {
      name: this.#options.target.name,
      lost: this.#lost,
    });
    this.#lost = undefined;
  }
}

/** The gap that a batch leaves which could not be written. */
function missing(batch: readonly RecordingEntry[]): RecordingEntry {
  let [chunks, bytes] = [0, 0];
  for (const entry of batch) {
    if (entry.kind === "header") continue;
    chunks += entry.kind === "gap" ? entry.chunks : 1;
    bytes += entry.kind === "gap" ? entry.bytes : lengthOf(entry);
  }
  return { kind: "gap", ms: batch.at(-1)?.ms ?? 0, chunks, bytes };
}

function costOf(entry: RecordingEntry): number {
  return ENTRY_BYTES + lengthOf(entry);
}

function lengthOf(entry: RecordingEntry): number {
  return entry.kind === "out" || entry.kind === "err" ? entry.bytes.length : 0;
}

/** Without the arguments that the operator wrote: one may be a password. */
function concise({ pid, command }: RecordedChild): RecordedChild {
  const [program = ""] = command;
  const isOurs = /^probe-rs(\.exe)?$/i.test(basename(program));
  return { pid, command: isOurs ? command : [program] };
}
