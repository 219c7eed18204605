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

/** Rows deleted in one transaction, at least: 1,000 take about 1 ms. */
const MIN_CHUNK = 1000;
/** At most: as many as memory holds before the journal, so that a flood does not outrun it. */
const MAX_CHUNK = 50_000;
/** What a row takes of the file, rather more than less: what is too little is deleted next. */
const ROW_BYTES = 200;

/** How many rows to delete in one transaction when the file holds so many bytes too many. */
export function chunkRows(excessBytes: number): number {
  const rows = Math.ceil(excessBytes / ROW_BYTES);
  return Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, rows));
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
    const pinned = pins.some(({ from, to }) => row.seq > from && row.seq <= to);
    const wanted = row.seq < newest && !pinned &&
      (full || (row.seq <= delivered && expired(row)));
    if (wanted) chosen.push(row);
    else if (chosen.length > 0 || !pinned) break;
    if (chosen.length === chunk) break;
  }
  return chosen;
}
