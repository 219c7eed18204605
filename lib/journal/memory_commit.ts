/**
 * The journal's rows while the disk takes none: all commits since then as one, which grows.
 *
 * It answers what the disk would answer for what is in it. What was deleted again leaves it at once,
 * so its size is that of what it holds.
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
  StoredParkedReading,
  StoredRow,
} from "./disk.ts";

/** What a row or a reject costs in memory besides its text. */
const OVERHEAD_BYTES = 100;
/** Rejects kept, in bytes; the oldest go first. */
const MAX_REJECT_BYTES = 1024 * 1024;

/** Commits as one. */
export class MemoryCommit {
  #rows: StoredRow[] = [];
  #rowBytes = 0;
  readonly #epochs = new Map<number, Epoch>();
  readonly #boards: Map<number, BoardState>;
  #sinks: readonly SinkState[] = [];
  #rejects: Reject[] = [];
  #rejectBytes = 0;
  readonly #parked = new Map<number, ParkedReading>();
  readonly #unparked = new Set<number>();
  readonly #unrejected = new Set<number>();
  /** From the first to the last row that was here and was deleted; others in between are still here. */
  #deleted: readonly [first: number, last: number] | null = null;

  /** @param boards as the last commit before left them: those that come have the changed ones only */
  constructor(boards: Iterable<BoardState>) {
    this.#boards = new Map([...boards].map((board) => [board.id, board]));
  }

  /** Bytes of memory that it takes, but for bookkeeping. */
  get bytes(): number {
    return this.#rowBytes + this.#rejectBytes +
      this.#parked.size * OVERHEAD_BYTES;
  }

  /** Ids of parked readings that found their end. */
  get unparked(): ReadonlySet<number> {
    return this.#unparked;
  }

  /**
   * Whether what became of a parked reading is known here: the disk may have it all the same, of a commit
   * that it reported as failed.
   */
  tells(parked: number): boolean {
    return this.#parked.has(parked) || this.#unparked.has(parked);
  }

  /** Ids of rejects on the disk that are gone. */
  get unrejected(): ReadonlySet<number> {
    return this.#unrejected;
  }

  /** Takes what the disk did not; of a stretch to delete, what is here. */
  add(commit: Commit): void {
    if (commit.deleted !== null) this.#delete(...commit.deleted);
    for (const row of commit.rows) {
      this.#rows.push(row);
      this.#rowBytes += row.body.length + OVERHEAD_BYTES;
    }
    for (const epoch of commit.epochs) this.#epochs.set(epoch.id, epoch);
    for (const board of commit.boards) this.#boards.set(board.id, board);
    this.#sinks = commit.sinks;
    for (const reading of commit.parked) this.#parked.set(reading.id, reading);
    for (const id of commit.unparked) {
      this.#parked.delete(id);
      this.#unparked.add(id);
    }
    for (const id of commit.unrejected) this.#unrejected.add(id);
    this.#rejects.push(...commit.rejects);
    for (const { body } of commit.rejects) {
      this.#rejectBytes += body.length + OVERHEAD_BYTES;
    }
    while (this.#rejectBytes > MAX_REJECT_BYTES) {
      const { body } = this.#rejects.shift() ?? { body: "" };
      this.#rejectBytes -= body.length + OVERHEAD_BYTES;
    }
  }

  /** Everything, for the disk. */
  toCommit(): Commit {
    return {
      rows: this.#rows,
      epochs: [...this.#epochs.values()],
      boards: [...this.#boards.values()],
      sinks: this.#sinks,
      rejects: this.#rejects,
      parked: [...this.#parked.values()],
      unparked: [...this.#unparked],
      unrejected: [...this.#unrejected],
      // The disk may hold rows of the attempt that it reported as failed.
      deleted: this.#deleted,
      durable: true,
      again: true,
    };
  }

  /** Up to `limit` rows after `seq`, in order. */
  read(seq: number, limit: number): StoredRow[] {
    const start = this.#indexAfter(seq);
    return this.#rows.slice(start, start + limit);
  }

  /** The parked readings of `sink`, in order. */
  parked(sink: number): StoredParkedReading[] {
    return [...this.#parked.values()].filter((one) => one.sink === sink)
      .map((one) => {
        const [row] = this.read(one.seq - 1, 1);
        const { epoch = null, monoUs = null } = row?.seq === one.seq ? row : {};
        return { ...one, epoch, monoUs };
      });
  }

  #delete(first: number, last: number): void {
    const start = this.#indexAfter(first - 1);
    const gone = this.#rows.splice(start, this.#indexAfter(last) - start);
    for (const { body } of gone) {
      this.#rowBytes -= body.length + OVERHEAD_BYTES;
    }
    this.#deleted = [
      Math.min(first, this.#deleted?.[0] ?? first),
      Math.max(last, this.#deleted?.[1] ?? last),
    ];
  }

  /** Where the first row after `seq` stands. */
  #indexAfter(seq: number): number {
    let [low, high] = [0, this.#rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.seq ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
