/**
 * The journal's worker: SQLite blocks its thread for as long as a sync takes, on an SD card up to
 * seconds, and the main thread has a child's stdout to read. Importing this module in a worker
 * starts it.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { type Disk, DiskError } from "./disk.ts";
import { Store } from "./store.ts";

/** A call of one of {@linkcode Disk}'s methods. */
export interface Call {
  readonly id: number;
  readonly method: keyof Disk;
  readonly args: unknown[];
}

/** What came of a {@linkcode Call}. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | {
    readonly id: number;
    readonly error: string;
    readonly kind: DiskError["kind"];
  };

const store = new Store();

self.onmessage = ({ data }: MessageEvent<Call>) => {
  self.postMessage(answer(data));
};

function answer({ id, method, args }: Call): Answer {
  try {
    const call = store[method] as (...args: unknown[]) => unknown;
    return { id, value: call.apply(store, args) };
  } catch (error) {
    return {
      id,
      error: error instanceof Error ? error.message : String(error),
      kind: error instanceof DiskError ? error.kind : "failing",
    };
  }
}
