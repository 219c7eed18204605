/**
 * What gathers for the next commit.
 *
 * Rows that wait, those of the commit under way included, take at most
 * {@linkcode Pending.maxBytes} of memory, and those of each board an equal part of that: a board that
 * floods takes no room from another. Rejects that wait are bounded too, the newest are kept.
 *
 * @module
 */

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

/** What a board's rows take that wait. */
interface Share {
  /** Those for the next commit. */
  rows: number;
  /** Of these, and of those of the commit under way. */
  bytes: number;
}

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
  #bytes = 0;
  /** By the id of the board. */
  readonly #shares = new Map<number, Share>();
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

  /** Gives a board its part of the memory. */
  share(board: number): void {
    if (!this.#shares.has(board)) {
      this.#shares.set(board, { rows: 0, bytes: 0 });
    }
  }

  /** Rows of a board that wait for the next commit. */
  rowsOf(board: number): number {
    return this.#shares.get(board)?.rows ?? 0;
  }

  /** Whether a row of this board with this body still fits into memory. */
  fits(board: number, body: string): boolean {
    const bytes = bytesOf(body);
    const { size } = this.#shares;
    const own = this.#shares.get(board);
    return this.#bytes + bytes <= this.maxBytes &&
      (own === undefined || own.bytes + bytes <= this.maxBytes / size);
  }

  /** Adds a row that fits. */
  add(row: StoredRow): void {
    this.#rows.push(row);
    const bytes = bytesOf(row.body);
    this.#bytes += bytes;
    const share = this.#shares.get(row.board);
    if (share === undefined) return;
    share.rows++;
    share.bytes += bytes;
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
    for (const share of this.#shares.values()) share.rows = 0;
    this.#rejects = [];
    this.#rejectBytes = 0;
    this.deleted = null;
    return commit;
  }

  /** The disk has these rows, the oldest that waited. */
  release(rows: readonly StoredRow[]): void {
    for (const { board, body } of rows) {
      const bytes = bytesOf(body);
      this.#bytes -= bytes;
      const share = this.#shares.get(board);
      if (share !== undefined) share.bytes -= bytes;
    }
  }
}

/** What a row takes in memory. */
function bytesOf(body: string): number {
  return body.length + ROW_OVERHEAD_BYTES;
}
