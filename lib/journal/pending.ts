/**
 * What gathers for the next commit.
 *
 * Rows that wait, those of the commit under way included, take at most
 * {@linkcode Pending.maxBytes} of memory; rejects that wait are bounded too, the newest are kept.
 *
 * @module
 */

import type { Row } from "../model.ts";
import type {
  BoardState,
  Commit,
  Epoch,
  ParkedReading,
  Reject,
  SinkState,
  StoredRow,
} from "./disk.ts";

/** Bytes that may wait in memory for the disk: some 50,000 packets. */
export const MAX_PENDING_BYTES = 8 * 1024 * 1024;
const MAX_PENDING_REJECT_BYTES = 1024 * 1024;
/** What a row costs in memory besides its body. */
const ROW_OVERHEAD_BYTES = 100;

/** Gathers what the next commit writes. */
export class Pending {
  /** Bytes that rows which wait may take. */
  readonly maxBytes: number;
  readonly epochs: Epoch[] = [];
  readonly #parked: ParkedReading[] = [];
  #lastParked: number;
  readonly unparked: number[] = [];
  readonly unrejected: number[] = [];
  /** Something gathered has to be on the disk when its commit returns, though it brings no row. */
  urgent = false;
  deleted: readonly [first: number, last: number] | null = null;
  #rows: StoredRow[] = [];
  /** The rows that wait, those of the commit under way included, as the sinks will get them. */
  #fresh: Row[] = [];
  #bytes = 0;
  #rejects: Reject[] = [];
  #rejectBytes = 0;

  /** @param lastParked the highest id of a parked reading so far */
  constructor(lastParked = 0, maxBytes = MAX_PENDING_BYTES) {
    this.maxBytes = maxBytes;
    this.#lastParked = lastParked;
  }

  /** Parks a reading. */
  park(reading: Omit<ParkedReading, "id">): void {
    this.#parked.push({ id: ++this.#lastParked, ...reading });
  }

  /** Rows that wait for the next commit. */
  get rows(): number {
    return this.#rows.length;
  }

  /** Whether a row with this body still fits into memory. */
  fits(body: string): boolean {
    return this.#bytes + body.length + ROW_OVERHEAD_BYTES <= this.maxBytes;
  }

  /** Adds a row that fits, in both its forms. */
  add(stored: StoredRow, row: Row): void {
    this.#rows.push(stored);
    this.#fresh.push(row);
    this.#bytes += stored.body.length + ROW_OVERHEAD_BYTES;
  }

  /** Adds a reject; the oldest that wait are given up for it where need be. */
  addReject(reject: Reject): void {
    this.#rejects.push(reject);
    this.#rejectBytes += reject.body.length;
    while (
      this.#rejectBytes > MAX_PENDING_REJECT_BYTES && this.#rejects.length > 1
    ) {
      this.#rejectBytes -= this.#rejects.shift()?.body.length ?? 0;
    }
  }

  /** Takes everything; the rows count as waiting until they are {@linkcode release}d. */
  take(
    boards: readonly BoardState[],
    sinks: readonly SinkState[],
    { durable }: { durable: boolean },
  ): Commit {
    const epochs = this.epochs.splice(0);
    const commit: Commit = {
      rows: this.#rows,
      epochs,
      boards,
      sinks,
      rejects: this.#rejects,
      parked: this.#parked.splice(0),
      unparked: this.unparked.splice(0),
      unrejected: this.unrejected.splice(0),
      deleted: this.deleted,
      durable: durable || this.urgent || this.#rows.length > 0 ||
        this.#rejects.length > 0 || epochs.length > 0,
    };
    this.urgent = false;
    this.#rows = [];
    this.#rejects = [];
    this.#rejectBytes = 0;
    this.deleted = null;
    return commit;
  }

  /** The disk has these rows, the oldest that waited; gives them as the sinks get them. */
  release(rows: readonly StoredRow[]): Row[] {
    for (const { body } of rows) {
      this.#bytes -= body.length + ROW_OVERHEAD_BYTES;
    }
    return this.#fresh.splice(0, rows.length);
  }
}
