/**
 * Deletes what the journal gives up: finds the rows, books what a sink loses with them, and has them
 * deleted by the next commit, all in one transaction.
 *
 * From the moment rows are chosen nobody is given them any more ({@linkcode Pruner.deleting}).
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { counted } from "../counted.ts";
import type { EventTime } from "../model.ts";
import type { Accounts } from "./accounts.ts";
import type { AsyncDisk, OldestRow } from "./disk.ts";
import type { Pending } from "./pending.ts";
import { chooseRows, LOOK_AT } from "./retention.ts";
import type { RecentRows } from "./rows.ts";

/** What a pruner needs of its journal. */
export interface PrunerOptions {
  readonly disk: Pick<AsyncDisk, "oldest">;
  readonly accounts: Accounts;
  readonly pending: Pick<Pending, "deleted">;
  readonly recent: Pick<RecentRows, "forget">;
  /** Bytes that the file may use. */
  readonly maxBytes: number;
  /** Seconds that delivered rows are kept. */
  readonly historyS: number;
  /** The newest committed row's seq. */
  newest(): number;
  /** Whether a row is certainly older than `ageUs`, however wrong the clock is. */
  isOlder(at: EventTime, ageUs: number): boolean;
  /** Rows were chosen: a commit is due. */
  chosen(): void;
}

/** Deletes what the journal gives up. */
export class Pruner {
  readonly #options: PrunerOptions;
  readonly #log = getLogger(["gateway", "journal"]);
  #deleting: readonly [first: number, last: number] | null = null;
  #choosing: Promise<void> | undefined;
  /** Delivered rows are being deleted by age, until none is too old. */
  #expiring = true;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /** Chosen, and perhaps not yet deleted; null when none are. */
  get deleting(): readonly [first: number, last: number] | null {
    return this.#deleting;
  }

  /** It is time to look for rows that are too old. */
  expire(usedBytes: number): void {
    this.#expiring = true;
    this.#look(usedBytes);
  }

  /** A commit is done; `deleted`: with the rows that were chosen. */
  committed(usedBytes: number, { deleted }: { deleted: boolean }): void {
    if (deleted) this.#deleting = null;
    this.#look(usedBytes);
  }

  /** Comes when nothing is being chosen. */
  async idle(): Promise<void> {
    await this.#choosing;
  }

  #look(usedBytes: number): void {
    const full = usedBytes > this.#options.maxBytes;
    if (this.#deleting !== null || !(full || this.#expiring)) return;
    this.#choosing ??= this.#choose(full).catch((error) => {
      this.#log.error("Cannot look for packets to delete: {error}", { error });
    }).finally(() => this.#choosing = undefined);
  }

  async #choose(full: boolean): Promise<void> {
    const { disk, accounts, pending, recent, historyS } = this.#options;
    const oldest = await disk.oldest(LOOK_AT);
    const rows = chooseRows({
      oldest,
      newest: this.#options.newest(),
      pins: accounts.active.flatMap(({ cursor }) => cursor.pins),
      full,
      expired: (row) => this.#options.isOlder(row, historyS * 1e6),
    });
    if (rows.length === 0) this.#expiring = false;
    const [first, last] = [rows[0]?.seq, rows.at(-1)?.seq];
    if (first === undefined || last === undefined) return;
    this.#book(rows, first, last);
    this.#deleting = pending.deleted = [first, last];
    recent.forget(last);
    this.#options.chosen();
  }

  #book(rows: readonly OldestRow[], first: number, last: number): void {
    for (const { name, ledger } of this.#options.accounts.active) {
      const lost = rows.reduce(
        (sum, { seq, readings }) => ledger.isDone(seq) ? sum : sum + readings,
        0,
      );
      if (lost === 0) continue;
      ledger.lose("evicted", lost);
      this.#log.error(
        "The journal is full: {lost} that {name} has not had {are} given up (packets {first} to {last})",
        {
          lost: counted(lost, "reading"),
          are: lost === 1 ? "is" : "are",
          name,
          first,
          last,
        },
      );
    }
  }
}
