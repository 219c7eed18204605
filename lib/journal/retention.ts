/**
 * Which rows the journal gives up.
 *
 * - The newest row is never deleted: the numbering goes on from it.
 * - Rows that a sink has in its hands (between its cursor and the newest it was given) never are.
 * - By age, only rows that every active sink has delivered.
 * - By size, the oldest first, delivered or not: what is delivered is always older than what is not.
 *
 * @module
 */

import type { OldestRow } from "./disk.ts";

/** Rows deleted in one transaction: no more, … */
interface Chunk {
  readonly rows: number;
  /** … and no more than have so many readings. */
  readonly readings: number;
}

/**
 * Where the file is full. All else that the disk is asked for waits while rows are looked for and deleted, so
 * that many more would be a stall: with 50,000 one of 400 ms (`deno task bench --points deleting`).
 */
const FULL: Chunk = { rows: 500, readings: 5_000 };
/**
 * Where rows are only old, and nothing is urgent. The same bench: 4 ms from child to subscriber in the median,
 * with as many as above 9, and without deleting 2.
 */
const OLD: Chunk = { rows: 100, readings: 1_000 };
/** One deletion goes with every other commit, and has to win against what both of them bring. */
const COMMITS_PER_CHUNK = 3;
/** What a row takes of the file, rather more than less: what is too little is deleted next. */
const ROW_BYTES = 40;
/** What each of its readings takes besides. */
const READING_BYTES = 22;

/** What tells how many rows to delete in one transaction. */
export interface ChunkQuestion {
  /** Bytes that the file holds too many; not above 0 when it is only for the rows' age. */
  readonly excessBytes: number;
  /** Rows of the newest commit. */
  readonly committedRows: number;
  /** Readings of a row, on average. */
  readonly readingsPerRow: number;
}

/**
 * How many rows to delete in one transaction: what takes a moment, and more only where commits bring as many.
 * A full file must not grow, so that there is no end to that; for rows that are only old there is one.
 */
export function chunkRows(
  { excessBytes, committedRows, readingsPerRow }: ChunkQuestion,
): number {
  const readings = Math.max(1, readingsPerRow);
  const rowsOf = (chunk: Chunk) =>
    Math.min(chunk.rows, Math.ceil(chunk.readings / readings));
  const winning = COMMITS_PER_CHUNK * committedRows;
  if (excessBytes <= 0) {
    return Math.max(rowsOf(OLD), Math.min(rowsOf(FULL), winning));
  }
  const rowBytes = ROW_BYTES + READING_BYTES * readings;
  const excess = Math.ceil(excessBytes / rowBytes);
  return Math.max(rowsOf(FULL), Math.min(excess, winning));
}

/** A stretch of rows in a sink's hands: after `from`, up to and with `to`. */
export interface Pin {
  readonly from: number;
  readonly to: number;
}

/** What decides. */
export interface RetentionQuestion {
  /** The oldest rows, in order. */
  readonly oldest: readonly OldestRow[];
  /** The newest row's seq. */
  readonly newest: number;
  /** One for each active sink; `from` is its cursor. */
  readonly pins: readonly Pin[];
  /** Whether the file holds more than it may. */
  readonly full: boolean;
  /** The most rows to delete. */
  readonly chunk: number;
  /** Whether a row is older than delivered rows are kept. */
  expired(row: OldestRow): boolean;
}

/** The rows to delete now, a leading or inner stretch of `oldest`; empty when none. */
export function chooseRows(question: RetentionQuestion): OldestRow[] {
  const { oldest, newest, pins, full, chunk, expired } = question;
  const delivered = Math.min(newest, ...pins.map((pin) => pin.from));
  const chosen: OldestRow[] = [];
  for (const row of oldest) {
    const pinned = isPinned(row.seq, pins);
    const wanted = row.seq < newest && !pinned &&
      (full || (row.seq <= delivered && expired(row)));
    if (wanted) chosen.push(row);
    else if (chosen.length > 0 || !pinned) break;
    if (chosen.length === chunk) break;
  }
  return chosen;
}

/** Whether the row `seq` is in a sink's hands. */
export function isPinned(seq: number, pins: readonly Pin[]): boolean {
  return pins.some(({ from, to }) => seq > from && seq <= to);
}

/** The last row that is in a sink's hands with all from `seq` on; Infinity where that is not decided. */
export function pinnedUpTo(seq: number, pins: readonly Pin[]): number {
  for (let end = seq;;) {
    const pin = pins.find(({ from, to }) => from <= end && end < to);
    if (pin === undefined) return end;
    end = pin.to;
  }
}
