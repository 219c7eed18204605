/**
 * Rows as they are stored, as the sinks get them, and the newest of them in memory.
 *
 * @module
 */

import type { EventTime, Reading, Row, Value } from "../model.ts";
import type { RowTime } from "./epochs.ts";
import type { StoredRow } from "./disk.ts";

const quoted = new Map<string, string>();

/** Readings as a row's body: `{"n1.t":27.6,"n1.h":54.1}`. */
export function encodeReadings(readings: readonly Reading[]): string {
  let body = "";
  for (const { path, value } of readings) {
    let key = quoted.get(path);
    if (key === undefined) quoted.set(path, key = JSON.stringify(path) + ":");
    body += (body === "" ? "{" : ",") + key +
      (typeof value === "string" ? JSON.stringify(value) : value);
  }
  return body === "" ? "{}" : body + "}";
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
 * Holds at most {@linkcode RecentRows.maxReadings} readings, up to twice of them until the array is moved,
 * and always the last row.
 */
export class RecentRows {
  readonly maxReadings: number;
  #rows: Row[] = [];
  #first = 0;

  constructor(maxReadings = 10_000) {
    this.maxReadings = maxReadings;
  }

  push(row: Row): void {
    this.#rows.push(row);
    while (
      this.#first < this.#rows.length - 1 &&
      row.total - (this.#rows[this.#first]?.total ?? 0) > this.maxReadings
    ) this.#first++;
    // Moving the array once it is half empty costs less than a shift for every row.
    if (this.#first > 64 && this.#first > this.#rows.length / 2) {
      this.#rows = this.#rows.slice(this.#first);
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
    return takeReadings(this.#rows, start, maxReadings);
  }
}

/**
 * Rows from `start` on with together at most `maxReadings`, at least one if there is one. Their totals
 * say nothing of it: between two rows others may have been deleted.
 */
export function takeReadings<
  R extends { readings: number | readonly Reading[] },
>(rows: readonly R[], start: number, maxReadings: number): R[] {
  let left = maxReadings;
  let end = start;
  for (; end < rows.length; end++) {
    const { readings } = rows[end]!;
    left -= typeof readings === "number" ? readings : readings.length;
    if (left < 0 && end > start) break;
  }
  return rows.slice(start, end);
}
