/**
 * Runs commits: one at a time, each with all that gathered while the last was under way.
 *
 * A commit that fails is tried again until it is written; only when the journal is
 * being closed is it given up.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { AsyncDisk, Commit, CommitResult } from "./disk.ts";

/** The longest that a change without a row of its own stays in memory only. */
const FLUSH_MS = 1000;

/** What is committed, and what happens then. */
export interface CommitterOptions {
  readonly disk: Pick<AsyncDisk, "commit">;
  /** The file, for the log. */
  readonly path: string;
  /** Pause before a failed commit is tried again, in milliseconds. */
  readonly retryMs: number;
  /** Takes what is to be written; null when nothing is. `all`: also what could wait. */
  take(options: { all: boolean; durable: boolean }): Commit | null;
  /** The disk has `commit`. */
  committed(commit: Commit, result: CommitResult): void;
}

/** Runs commits. */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #log = getLogger(["gateway", "journal"]);
  #running = false;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  /** Those who wait for all that was known when they asked. */
  #waiters: PromiseWithResolvers<void>[] = [];
  /** A commit that fails is tried again, unless the journal is just being opened or closed. */
  #patient = false;
  #closing = false;

  /** A commit was given up: nothing is written any more. */
  #failure: Error | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Writes what there is at the start. @throws {Error} if the disk does not take it */
  async open(): Promise<void> {
    await this.flush();
    this.#patient = true;
  }

  /** There is something to write now. */
  schedule(): void {
    if (this.#running || this.#failure !== undefined) return;
    this.#running = true;
    void this.#run();
  }

  /** There is something to write within a second, or with the next row. */
  touch(): void {
    if (this.#flushTimer !== undefined || this.#closing) return;
    this.#flushTimer = setTimeout(() => {
      // Who closes meanwhile hears of a failure; here nobody does.
      this.flush().catch(() => {});
    }, FLUSH_MS);
  }

  /** Comes when everything that is known now is on the disk. */
  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const waiter = Promise.withResolvers<void>();
    this.#waiters.push(waiter);
    this.schedule();
    await waiter.promise;
  }

  /** Writes what is left. @throws {Error} if the disk does not take it */
  async close(): Promise<void> {
    this.#closing = true;
    this.#patient = false;
    try {
      await this.flush();
    } finally {
      clearTimeout(this.#flushTimer);
    }
  }

  async #run(): Promise<void> {
    // What gathers in the same turn of the event loop belongs into one transaction.
    await Promise.resolve();
    for (;;) {
      const waiters = this.#waiters.splice(0);
      const commit = this.#options.take({
        all: waiters.length > 0,
        // The first commit makes safe what a killed process had written and not synced.
        durable: !this.#patient,
      });
      if (commit === null) {
        // In the same step as the look at what is due: nothing can come in between unseen.
        this.#running = false;
        return;
      }
      clearTimeout(this.#flushTimer);
      this.#flushTimer = undefined;
      try {
        this.#options.committed(commit, await this.#write(commit));
        for (const { resolve } of waiters) resolve();
      } catch (error) {
        // The ledgers count rows that were not written: no later commit may say so.
        this.#failure = error as Error;
        for (const { reject } of [...waiters, ...this.#waiters.splice(0)]) {
          reject(error);
        }
        this.#running = false;
        return;
      }
    }
  }

  async #write(commit: Commit): Promise<CommitResult> {
    for (let failures = 0;; failures++) {
      try {
        const result = await this.#options.disk.commit(
          failures === 0 ? commit : { ...commit, again: true },
        );
        if (failures > 0) this.#log.info("The journal can be written again");
        return result;
      } catch (error) {
        if (!this.#patient) throw error;
        if (failures === 0) {
          this.#log.error(
            'Cannot write the journal "{path}": {error}. Packets are kept in memory and it is tried again',
            { path: this.#options.path, error: String(error) },
          );
        }
        await new Promise((resolve) =>
          setTimeout(resolve, this.#options.retryMs)
        );
      }
    }
  }
}
