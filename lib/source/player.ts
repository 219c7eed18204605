/**
 * Plays a run of a recording, as the board's program once printed it.
 *
 * @module
 */

import type { PlacedEntry } from "./recording_reader.ts";

/** Options for {@linkcode play}. */
export interface PlayOptions {
  readonly entries: AsyncIterable<PlacedEntry>;
  /** Which run, from 0. */
  readonly run: number;
  /** How much faster than it was; Infinity: as fast as it is read. */
  readonly speed: number;
  /** Resolves when it can take more. */
  write(pipe: "out" | "err", bytes: Uint8Array): Promise<void>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Milliseconds that only grow. */
  now(): number;
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/**
 * Plays the run with the pause that was before it.
 *
 * @returns the recorded exit code; 0 where none was recorded, or when it was told to stop
 */
export async function play(options: PlayOptions): Promise<number> {
  const { entries, run, speed, write, signal, now, wait } = options;
  const startedMs = now();
  let before = 0;
  for await (const entry of entries) {
    if (entry.run > run || signal.aborted) break;
    if (entry.run < run) {
      before = entry.ms;
      continue;
    }
    const dueMs = startedMs + (entry.ms - before) / speed;
    if (dueMs > now()) await wait(dueMs - now(), signal);
    if (signal.aborted) break;
    if (entry.kind === "end") return entry.code;
    if (entry.kind === "out" || entry.kind === "err") {
      await write(entry.kind, entry.bytes);
    }
  }
  return 0;
}
