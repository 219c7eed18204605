/**
 * Has the journal's file filled to its limit in the background, in steps so small and so far apart
 * that no commit notices.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { wait } from "../wait.ts";
import type { AsyncDisk } from "./disk.ts";

/** Steps take at most a twentieth of the disk's time. */
const PAUSE_FACTOR = 20;
const MIN_PAUSE_MS = 5;
/** How often a filled file, or a disk without room, is looked at again. */
const LOOK_AGAIN_MS = 600_000;

/** Options for {@linkcode Reserver}. */
export interface ReserverOptions {
  readonly disk: Pick<AsyncDisk, "reserve">;
  /** Bytes that the file may use. */
  readonly fileBytes: number;
  /** Whether it is filled; otherwise it only becomes smaller when it may use less than before. */
  readonly fill: boolean;
  /** How often a file without work is looked at again, in milliseconds. @default {600000} */
  readonly lookAgainMs?: number;
}

/** Fills the file until it is closed. */
export class Reserver {
  readonly #options: ReserverOptions;
  readonly #log = getLogger(["gateway", "journal"]);
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #warned = false;

  constructor(options: ReserverOptions) {
    this.#options = options;
  }

  /** Begins. */
  start(): void {
    this.#running = this.#run();
  }

  /** Ends; comes when no step is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) await wait(await this.#step(), signal);
  }

  /** One step; how long to wait for the next. */
  async #step(): Promise<number> {
    const { disk, fileBytes, fill, lookAgainMs = LOOK_AGAIN_MS } =
      this.#options;
    const before = performance.now();
    try {
      const { missingBytes, roomy } = await disk.reserve(fileBytes, fill);
      if (roomy && missingBytes > 0) {
        return Math.max(
          MIN_PAUSE_MS,
          PAUSE_FACTOR * (performance.now() - before),
        );
      }
      this.#say(missingBytes);
    } catch (error) {
      // Should the disk be at fault, the commits say so.
      this.#log.debug("Cannot fill the journal's file: {error}", {
        error: String(error),
      });
    }
    return lookAgainMs;
  }

  #say(missingBytes: number): void {
    if (missingBytes === 0) {
      this.#warned = false;
    } else if (!this.#warned) {
      this.#warned = true;
      this.#log.warn(
        'The disk has too little room for what the journal may need: {missing} MB cannot be taken beforehand. Should others fill the disk, packets are kept in memory only. Make room, or lower "journal.max_megabytes"',
        { missing: Math.ceil(missingBytes / 1e6) },
      );
    }
  }
}
