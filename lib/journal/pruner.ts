/**
 * Deletes what the journal gives up: finds the rows, books what a sink loses with them, and has them
 * deleted by the next commit, all in one transaction.
 *
 * From the moment rows are chosen nobody is given them any more ({@linkcode Pruner.deleting}).
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { EventTime } from "../model.ts";
import type { Accounts } from "./accounts.ts";
import type { AsyncDisk, CommitResult, OldestRow } from "./disk.ts";
import { Losses } from "./losses.ts";
import type { Pending } from "./pending.ts";
import { chooseRows, chunkRows, isPinned, pinnedUpTo } from "./retention.ts";

/** What a pruner needs of its journal. */
export interface PrunerOptions {
  readonly disk: Pick<AsyncDisk, "oldest">;
  readonly accounts: Accounts;
  readonly pending: Pick<Pending, "deleted">;
  /** Bytes that the file may use. */
  readonly maxBytes: number;
  /** Seconds that delivered rows are kept. */
  readonly historyS: number;
  /** The newest committed row's seq. */
  newest(): number;
  /** Nobody is to be given the rows up to `seq` out of memory. */
  forget(seq: number): void;
  /** Readings of a row, on average. */
  readingsPerRow(): number;
  /** Time of day in microseconds. */
  timeUs(at: EventTime): number;
  /** Whether a row is certainly older than `ageUs`, however wrong the clock is. */
  isOlder(at: EventTime, ageUs: number): boolean;
  /** Rows were chosen: a commit is due. */
  chosen(): void;
}

/** Deletes what the journal gives up. */
export class Pruner {
  readonly #options: PrunerOptions;
  readonly #log = getLogger(["gateway", "journal"]);
  readonly #losses = new Losses();
  #deleting: readonly [first: number, last: number] | null = null;
  #choosing: Promise<void> | undefined;
  /** Rows of the newest commit. */
  #committedRows = 0;
  /** Delivered rows are being deleted by age, until none is too old. */
  #expiring = true;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /** Chosen, and perhaps not yet deleted; null when none are. */
  get deleting(): readonly [first: number, last: number] | null {
    return this.#deleting;
  }

  /** Another minute is over: it is time to look for rows that are too old. */
  expire(filled: CommitResult): void {
    this.#losses.minute();
    this.#expiring = true;
    this.#look(filled);
  }

  /**
   * A commit of so many `rows` is done. `deleted`: those that were chosen are gone. `times`: something was
   * said of the time of day, by which rows may be too old.
   */
  committed(
    filled: CommitResult,
    { deleted, rows, times }: {
      deleted: boolean;
      rows: number;
      times: boolean;
    },
  ): void {
    if (deleted) this.#deleting = null;
    if (times) this.#expiring = true;
    this.#committedRows = rows;
    this.#look(filled);
  }

  /** Comes when nothing is being chosen, and what was lost is told. */
  async close(): Promise<void> {
    await this.#choosing;
    this.#losses.close();
  }

  #look(
    { usedBytes, limitBytes = this.#options.maxBytes }: CommitResult,
  ): void {
    const excessBytes = usedBytes - limitBytes;
    if (this.#deleting !== null || !(excessBytes > 0 || this.#expiring)) return;
    this.#choosing ??= this.#choose(excessBytes).catch((error) => {
      this.#log.error("Cannot look for packets to delete: {error}", { error });
    }).finally(() => this.#choosing = undefined);
  }

  async #choose(excessBytes: number): Promise<void> {
    const { disk, accounts, pending, forget, historyS } = this.#options;
    const chunk = chunkRows({
      excessBytes,
      committedRows: this.#committedRows,
      readingsPerRow: this.#options.readingsPerRow(),
    });
    const pins = () => accounts.active.flatMap(({ cursor }) => cursor.pins);
    let oldest = await disk.oldest(chunk);
    const arePinned = oldest.every(({ seq }) => isPinned(seq, pins()));
    if (arePinned && oldest.length > 0) {
      const pinned = pinnedUpTo(oldest.at(-1)!.seq, pins());
      oldest = pinned === Infinity ? [] : await disk.oldest(chunk, pinned);
    }
    // From here on without a wait: nobody may be given what is chosen.
    const rows = chooseRows({
      oldest,
      newest: this.#options.newest(),
      pins: pins(),
      full: excessBytes > 0,
      chunk,
      expired: (row) => this.#options.isOlder(row, historyS * 1e6),
    });
    if (rows.length === 0) this.#expiring = false;
    const [first, last] = [rows[0], rows.at(-1)];
    if (first === undefined || last === undefined) return;
    this.#book(rows);
    this.#deleting = pending.deleted = [first.seq, last.seq];
    forget(last.seq);
    this.#options.chosen();
  }

  #book(rows: readonly OldestRow[]): void {
    const { accounts, timeUs } = this.#options;
    const [oldest, newest] = [rows[0], rows.at(-1)];
    if (oldest === undefined || newest === undefined) return;
    const from = {
      seq: oldest.seq - 1,
      total: oldest.total - oldest.readings,
    };
    const to = { seq: newest.seq, total: newest.total };
    for (const { name, ledger } of accounts.active) {
      const lost = rows.filter(({ seq }) => !ledger.isDone(seq));
      const [first, last] = [lost[0], lost.at(-1)];
      const readings = lost.reduce((sum, row) => sum + row.readings, 0);
      ledger.forget({ from, to });
      if (readings === 0 || first === undefined || last === undefined) continue;
      ledger.lose("evicted", readings);
      this.#losses.add(name, {
        readings,
        first: first.seq,
        last: last.seq,
        fromUs: timeUs(first),
        toUs: timeUs(last),
      });
    }
  }
}
