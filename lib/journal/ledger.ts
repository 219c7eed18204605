/**
 * The ledger of one sink: what became of every reading.
 *
 * True before and after every call:
 *
 *     received + requeued = delivered + waiting + the sum of dropped
 *
 * `received`, `requeued`, `delivered` and `dropped` are counted as things happen and only grow.
 * `waiting` is not counted: it follows from the running totals of the rows on either side of the
 * cursor, and of the stretches beyond it that are done. So the equation compares two independent
 * accounts, and {@linkcode Ledger.imbalance} is a check, not a definition.
 *
 * Rows may be done ahead of those before them (`mqtt.replay = "live_first"`). The cursor stays at the
 * oldest row that is not done; a stretch beyond it is remembered, and passed when the cursor comes to
 * it. Stretches are in order, do not touch, and none begins at the cursor.
 *
 * What survives a crash: the ledger is written in the transaction of the rows it counts, or of the
 * deletion it books, so it and the rows always agree. A cursor's own progress may be up to a second
 * older on disk; that much is delivered again and counted once.
 *
 * @module
 */

import type { DropReason } from "../model.ts";

/** A place between two rows of the journal. */
export interface Position {
  /** The last row before this place; 0 at the very beginning. */
  readonly seq: number;
  /** That row's running total of readings. */
  readonly total: number;
}

/** The rows after one place, up to another. */
export interface Stretch {
  readonly from: Position;
  readonly to: Position;
}

/** What became of rows that found their end together, in readings. */
export interface Ended {
  /** Of all of them; the others were delivered. */
  readonly readings: number;
  readonly rejected: number;
  readonly parked: number;
  /** @default {0} */
  readonly superseded?: number;
}

/** Stretches ahead of the cursor that are remembered; the oldest beyond that comes again. */
export const MAX_STRETCHES = 100;

const NOTHING: Ended = { readings: 0, rejected: 0, parked: 0 };

/** Everything a ledger remembers; one row of the table `sinks`. */
export interface LedgerState {
  /** Rows up to here are done. Replaced, never changed. */
  cursor: Position;
  /** Readings beyond the cursor that have found their end, and whose rows are gone. */
  ahead: number;
  /** Rows beyond the cursor that are done, and stand. */
  deliveredAhead: Stretch[];
  /** Readings kept aside in the table `parked`: behind the cursor, and still waiting. */
  parked: number;
  received: number;
  requeued: number;
  delivered: number;
  dropped: Partial<Record<DropReason, number>>;
}

/** Counts one sink's readings. */
export class Ledger {
  readonly #state: LedgerState;

  constructor(state: LedgerState) {
    this.#state = structuredClone(state);
  }

  /** A ledger that begins at `cursor` with everything up to `end` received, but for `gone` readings. */
  static startingAt(cursor: Position, end: Position, gone = 0): Ledger {
    return new Ledger({
      cursor,
      ahead: gone,
      deliveredAhead: [],
      parked: 0,
      received: end.total - cursor.total - gone,
      requeued: 0,
      delivered: 0,
      dropped: {},
    });
  }

  /** A ledger of what still waits in `other`, but for what is parked there, up to `end`. */
  static takingOver(other: LedgerState, end: Position): Ledger {
    const { cursor, ahead, deliveredAhead } = other;
    const { state } = Ledger.startingAt(cursor, end);
    const received = state.received - ahead - readingsOf(deliveredAhead);
    return new Ledger({ ...state, ahead, deliveredAhead, received });
  }

  /** A copy to keep or to show. */
  get state(): LedgerState {
    const { deliveredAhead, dropped } = this.#state;
    return {
      ...this.#state,
      deliveredAhead: [...deliveredAhead],
      dropped: { ...dropped },
    };
  }

  /** Rows up to here are done. */
  get cursor(): Position {
    return this.#state.cursor;
  }

  /** Readings kept aside. */
  get parked(): number {
    return this.#state.parked;
  }

  /** Rows beyond the cursor that are done. */
  get deliveredAhead(): readonly Stretch[] {
    return this.#state.deliveredAhead;
  }

  /** Whether the row `seq` is done. */
  isDone(seq: number): boolean {
    const { cursor, deliveredAhead } = this.#state;
    return seq <= cursor.seq ||
      deliveredAhead.some(({ from, to }) => seq > from.seq && seq <= to.seq);
  }

  /** Readings not yet done when the newest row ends at `total`. */
  waiting(total: number): number {
    const { cursor, ahead, deliveredAhead, parked } = this.#state;
    return total - cursor.total - ahead - readingsOf(deliveredAhead) + parked;
  }

  /** How far the equation is off: 0, or the program is wrong. */
  imbalance(total: number): number {
    const { received, requeued, delivered, dropped } = this.#state;
    const droppedSum = Object.values(dropped).reduce(
      (sum, count) => sum + count,
      0,
    );
    return received + requeued - delivered - this.waiting(total) - droppedSum;
  }

  /** A row with so many readings was appended. */
  receive(readings: number): void {
    this.#state.received += readings;
  }

  /** So many readings ended before they had a row. */
  dropAtBirth(reason: DropReason, readings: number): void {
    this.#state.received += readings;
    this.#drop(reason, readings);
  }

  /**
   * The cursor passes rows that found their end. Readings missing between the old and the new place
   * are gone with their rows: those the ledger was told of are booked already, others are `corrupt`.
   */
  advance(to: Position, ended: Ended = NOTHING): void {
    const state = this.#state;
    const passed = state.deliveredAhead.filter(({ from }) => from.seq < to.seq);
    const last = passed.at(-1)?.to;
    // Rows of a stretch may come once more; it is passed whole all the same.
    const end = last !== undefined && last.seq > to.seq ? last : to;
    const between = end.total - state.cursor.total - readingsOf(passed);
    this.#book(between, ended);
    state.cursor = to;
    while (
      (state.deliveredAhead[0]?.from.seq ?? Infinity) <= state.cursor.seq
    ) {
      const { to: next } = state.deliveredAhead.shift()!;
      if (next.seq > state.cursor.seq) state.cursor = next;
    }
  }

  /**
   * Rows found their end before those that the cursor stands at; `stretch` begins nowhere before the
   * end of the last one.
   */
  deliverAhead(stretch: Stretch, ended: Ended): void {
    const { cursor, deliveredAhead } = this.#state;
    if (stretch.from.seq <= cursor.seq) return this.advance(stretch.to, ended);
    this.#book(readingsOf([stretch]), ended);
    const last = deliveredAhead.at(-1);
    if (last?.to.seq !== stretch.from.seq) deliveredAhead.push(stretch);
    else deliveredAhead.splice(-1, 1, { from: last.from, to: stretch.to });
  }

  /** The rows of a stretch are deleted: those that were done ahead cannot come again. */
  forget({ from, to }: Stretch): void {
    const state = this.#state;
    const before = readingsOf(state.deliveredAhead);
    state.deliveredAhead = state.deliveredAhead.flatMap((stretch) => {
      if (stretch.to.seq <= from.seq || stretch.from.seq >= to.seq) {
        return [stretch];
      }
      return [
        { from: stretch.from, to: from },
        { from: to, to: stretch.to },
      ].filter((left) => left.from.seq < left.to.seq);
    });
    state.ahead += before - readingsOf(state.deliveredAhead);
  }

  /** Makes room for one more of `most` stretches: the rows of the oldest beyond that are given out again. */
  forgetStretches(most = MAX_STRETCHES): void {
    const { deliveredAhead } = this.#state;
    const excess = Math.max(0, deliveredAhead.length - (most - 1));
    this.#state.requeued += readingsOf(deliveredAhead.splice(0, excess));
  }

  /** Rows beyond the cursor were deleted undelivered. */
  lose(reason: DropReason, readings: number): void {
    this.#state.ahead += readings;
    this.#drop(reason, readings);
  }

  /** Parked readings found their end. */
  unpark(readings: number, end: "delivered" | DropReason): void {
    this.#state.parked -= readings;
    if (end === "delivered") this.#state.delivered += readings;
    else this.#drop(end, readings);
  }

  /** What is done behind a place, in order: up to the cursor, and beyond it. */
  doneAfter(place: Position): Stretch[] {
    const { cursor, deliveredAhead } = this.#state;
    return [{ from: place, to: cursor }, ...deliveredAhead]
      .filter(({ to }) => to.seq > place.seq)
      .map(({ from, to }) => ({
        from: from.seq < place.seq ? place : from,
        to,
      }));
  }

  /**
   * Nothing behind `to` is done any more; the rows that stand there and were, which together hold
   * `readings`, come again. What is missing there ended and was booked with its rows.
   */
  rewind(to: Position, readings: number): void {
    const state = this.#state;
    state.ahead += readingsOf(this.doneAfter(to)) - readings;
    state.requeued += readings;
    state.deliveredAhead = state.deliveredAhead
      .filter(({ from }) => from.seq < to.seq)
      .map((stretch) => stretch.to.seq > to.seq ? { ...stretch, to } : stretch);
    if (to.seq < state.cursor.seq) state.cursor = to;
  }

  /** So many readings that had ended come again, in a row of their own or among the parked ones. */
  requeue(readings: number, where: "row" | "parked"): void {
    this.#state.requeued += readings;
    if (where === "parked") this.#state.parked += readings;
  }

  #book(
    between: number,
    { readings, rejected, parked, superseded = 0 }: Ended,
  ): void {
    const state = this.#state;
    // What was done ahead and came once more.
    state.requeued += Math.max(0, readings - between);
    const missing = Math.max(0, between - readings);
    const known = Math.min(missing, state.ahead);
    state.ahead -= known;
    this.#drop("corrupt", missing - known);
    state.delivered += readings - rejected - parked - superseded;
    this.#drop("rejected", rejected);
    this.#drop("superseded", superseded);
    state.parked += parked;
  }

  #drop(reason: DropReason, readings: number): void {
    if (readings === 0) return;
    this.#state.dropped[reason] = (this.#state.dropped[reason] ?? 0) + readings;
  }
}

function readingsOf(stretches: readonly Stretch[]): number {
  return stretches.reduce(
    (sum, { from, to }) => sum + to.total - from.total,
    0,
  );
}
