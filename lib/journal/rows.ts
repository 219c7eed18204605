/**
 * Rows as they are stored, as the sinks get them, and the newest of them in memory.
 *
 * @module
 */

import type { EventTime, Reading, Row, Value } from "../model.ts";
import type { RowTime } from "./epochs.ts";
import type { StoredRow } from "./disk.ts";

/**
 * Readings as a row's body: `{"n1.t":27.6,"n1.h":54.1}`. No path is `__proto__`: the configuration and
 * unknown fields refuse it.
 *
 * What `JSON.stringify` gives lies in one piece. A text that is put together by `+` keeps its pieces until
 * it is read, 800 bytes a packet instead of 150: in a flood that was a third of what waits for the disk.
 */
export function encodeReadings(readings: readonly Reading[]): string {
  const body: Record<string, Value> = {};
  for (const { path, value } of readings) body[path] = value;
  return JSON.stringify(body);
}

/** The readings of a row's body. */
export function decodeReadings(body: string): Reading[] {
  return Object.entries(JSON.parse(body) as Record<string, Value>)
    .map(([path, value]) => ({ path, value }));
}

/**
 * A value as a column of numbers takes it: what is no number as JSON, because SQLite would make a number
 * of the text "12" there.
 */
export function encodeValue(value: Value): number | string {
  return typeof value === "number" ? value : JSON.stringify(value);
}

/** The value that such a column holds. */
export function decodeValue(stored: unknown): Value {
  if (typeof stored !== "string") return Number(stored);
  try {
    return JSON.parse(stored) as Value;
  } catch {
    // Nobody has written that; it is kept for what it is.
    return stored;
  }
}

/** What turns stored ids into names and times. */
export interface RowContext {
  /** The board's name by its id. */
  boardName(id: number): string;
  /** When a row happened. */
  time(at: EventTime): RowTime;
}

/** A stored row as the sinks get it. */
export function toRow(stored: StoredRow, context: RowContext): Row {
  return {
    seq: stored.seq,
    board: context.boardName(stored.board),
    ...context.time(stored),
    boardTs: stored.boardTs,
    readings: decodeReadings(stored.body),
    total: stored.total,
  };
}

/**
 * The newest committed rows, so that a sink which keeps up reads no disk.
 *
 * They are kept as they are stored and made what the sinks get when the first sink asks: in a flood the
 * sinks read the disk, and nobody asks. A row as a sink gets it takes five times the memory.
 *
 * Holds at most {@linkcode RecentRows.maxReadings} readings, up to twice of them until the arrays are
 * moved, and always the last row.
 */
export class RecentRows {
  readonly maxReadings: number;
  readonly #context: RowContext;
  #rows: StoredRow[] = [];
  /** What was asked for, at the same index. */
  #made: (Row | undefined)[] = [];
  #first = 0;

  constructor(context: RowContext, maxReadings = 10_000) {
    this.#context = context;
    this.maxReadings = maxReadings;
  }

  push(row: StoredRow): void {
    this.#rows.push(row);
    this.#made.push(undefined);
    while (
      this.#first < this.#rows.length - 1 &&
      row.total - (this.#rows[this.#first]?.total ?? 0) > this.maxReadings
    ) this.#first++;
    // Moving the arrays once they are half empty costs less than a shift for every row.
    if (this.#first > 64 && this.#first > this.#rows.length / 2) {
      this.#rows = this.#rows.slice(this.#first);
      this.#made = this.#made.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Gives up the rows up to and with `seq`. */
  forget(seq: number): void {
    while ((this.#rows[this.#first]?.seq ?? Infinity) <= seq) this.#first++;
  }

  /** The rows after `seq` with together at most `maxReadings`, at least one; null if not all are here. */
  after(seq: number, maxReadings: number): Row[] | null {
    const oldest = this.#rows[this.#first];
    if (oldest === undefined || seq < oldest.seq - 1) return null;
    // Rows in memory are without gaps: what is to be deleted is forgotten first.
    const start = this.#first + (seq + 1 - oldest.seq);
    return takeReadings(this.#rows, start, maxReadings)
      .map((row, index) => this.#make(row, start + index));
  }

  #make(stored: StoredRow, index: number): Row {
    const made = this.#made[index];
    if (made !== undefined) return made;
    const row = toRow(stored, this.#context);
    // A time that is not known yet may be another one when it is asked for again.
    if (row.timeQuality !== "unknown") this.#made[index] = row;
    return row;
  }
}

/**
 * Rows from `start` on with together at most `maxReadings`, at least one if there is one. Their totals
 * say nothing of it: between two rows others may have been deleted.
 */
export function takeReadings<R extends Pick<StoredRow, "readings">>(
  rows: readonly R[],
  start: number,
  maxReadings: number,
): R[] {
  let left = maxReadings;
  let end = start;
  for (; end < rows.length; end++) {
    left -= rows[end]!.readings;
    if (left < 0 && end > start) break;
  }
  return rows.slice(start, end);
}
