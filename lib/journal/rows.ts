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
 * Holds at most {@linkcode RecentRows.maxReadings} readings, and always the last row until it is forgotten.
 */
export class RecentRows {
  readonly maxReadings: number;
  readonly #context: RowContext;
  #rows: StoredRow[] = [];
  /** What was asked for, at the same index. */
  #made: (Row | undefined)[] = [];

  constructor(context: RowContext, maxReadings = 10_000) {
    this.#context = context;
    this.maxReadings = maxReadings;
  }

  /** Adds the newest rows; the oldest go where they are too many. */
  push(rows: readonly StoredRow[]): void {
    for (const row of rows) {
      this.#rows.push(row);
      this.#made.push(undefined);
    }
    const total = this.#rows.at(-1)?.total ?? 0;
    const last = this.#rows.length - 1;
    this.#drop((row, index) =>
      index < last &&
      total - row.total + row.readings > this.maxReadings
    );
  }

  /** Gives up the rows up to and with `seq`. */
  forget(seq: number): void {
    this.#drop((row) => row.seq <= seq);
  }

  /** Gives up the first rows, as many as `isGone` is true of. */
  #drop(isGone: (row: StoredRow, index: number) => boolean): void {
    const kept = this.#rows.findIndex((row, index) => !isGone(row, index));
    const count = kept === -1 ? this.#rows.length : kept;
    if (count === 0) return;
    this.#rows.splice(0, count);
    this.#made.splice(0, count);
  }

  /** The rows after `seq` with together at most `maxReadings`, at least one; null if not all are here. */
  after(seq: number, maxReadings: number): Row[] | null {
    const [oldest] = this.#rows;
    if (oldest === undefined || seq < oldest.seq - 1) return null;
    // Rows in memory are without gaps: what is to be deleted is forgotten first.
    const start = seq + 1 - oldest.seq;
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
