/**
 * The ledger of one sink: what became of every reading.
 *
 * True before and after every call:
 *
 *     received + requeued = delivered + waiting + the sum of dropped
 *
 * `received`, `requeued`, `delivered` and `dropped` are counted as things happen and only grow.
 * `waiting` is not counted: it follows from the running totals of the rows on either side of the
 * cursor. So the equation compares two independent accounts, and {@linkcode Ledger.imbalance} is a
 * check, not a definition.
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

/** Everything a ledger remembers; one row of the table `sinks`. */
export interface LedgerState {
  /** Rows up to here are done. */
  cursor: Position;
  /** Readings beyond the cursor that are already booked as dropped, because their rows are gone. */
  ahead: number;
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

  /** A ledger that begins at `cursor` with everything up to `end` received. */
  static startingAt(cursor: Position, end: Position): Ledger {
    return new Ledger({
      cursor,
      ahead: 0,
      parked: 0,
      received: end.total - cursor.total,
      requeued: 0,
      delivered: 0,
      dropped: {},
    });
  }

  /** A ledger of what still waits in `other`, but for what is parked there, up to `end`. */
  static takingOver(other: LedgerState, end: Position): Ledger {
    const { cursor, ahead } = other;
    const { state } = Ledger.startingAt(cursor, end);
    return new Ledger({ ...state, ahead, received: state.received - ahead });
  }

  /** A copy to keep or to show. */
  get state(): LedgerState {
    return structuredClone(this.#state);
  }

  /** Rows up to here are done. */
  get cursor(): Position {
    return this.#state.cursor;
  }

  /** Readings kept aside. */
  get parked(): number {
    return this.#state.parked;
  }

  /** Readings not yet done when the newest row ends at `total`. */
  waiting(total: number): number {
    const { cursor, ahead, parked } = this.#state;
    return total - cursor.total - ahead + parked;
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
   * The cursor passes rows that together held `readings`, some of which were refused or set aside.
   * Readings missing between the old and the new place were lost with their rows: those the ledger
   * was told of are booked already, others are `corrupt`.
   */
  advance(
    to: Position,
    { readings, rejected, parked }: {
      readings: number;
      rejected: number;
      parked: number;
    },
  ): void {
    const state = this.#state;
    const missing = to.total - state.cursor.total - readings;
    const known = Math.min(missing, state.ahead);
    state.ahead -= known;
    this.#drop("corrupt", missing - known);
    state.delivered += readings - rejected - parked;
    this.#drop("rejected", rejected);
    state.parked += parked;
    state.cursor = to;
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

  /**
   * The cursor goes back to `to`; the rows that stand between there and where it was, which together
   * hold `readings`, come again. What is missing there ended and was booked with its rows.
   */
  rewind(to: Position, readings: number): void {
    const state = this.#state;
    state.ahead += state.cursor.total - to.total - readings;
    state.requeued += readings;
    state.cursor = to;
  }

  /** So many readings that had ended come again, in a row of their own or among the parked ones. */
  requeue(readings: number, where: "row" | "parked"): void {
    this.#state.requeued += readings;
    if (where === "parked") this.#state.parked += readings;
  }

  #drop(reason: DropReason, readings: number): void {
    if (readings === 0) return;
    this.#state.dropped[reason] = (this.#state.dropped[reason] ?? 0) + readings;
  }
}
