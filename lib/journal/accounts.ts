/**
 * The sinks' accounts: a ledger and a cursor for each sink of the configuration, and the ledgers of
 * those that were removed from it, which hold nothing back.
 *
 * An account belongs to a sink's name and target. One that comes back finds its cursor; what was
 * deleted meanwhile is booked as `evicted`. A new one begins where its configuration says, but where
 * a sink of the same name has just been removed it takes over what still waited there: somebody has
 * corrected an address.
 *
 * @module
 */

import type { DropReason } from "../model.ts";
import type { Cursor } from "./cursor.ts";
import type { DiskState, SinkState } from "./disk.ts";
import { Ledger, type Position } from "./ledger.ts";

/** A sink that the configuration has. */
export interface SinkRegistration {
  readonly name: string;
  /** Server and place: a cursor is of no use anywhere else. */
  readonly target: string;
  /** Where its cursor begins in a journal that does not know it. */
  readonly startAt: "now" | "oldest";
  /** Whether it wants no row whose time may still be corrected. @default {false} */
  readonly needsTime?: boolean;
}

/** The account of a sink that the configuration has. */
export interface Account {
  readonly id: number;
  readonly name: string;
  readonly target: string;
  readonly ledger: Ledger;
  readonly cursor: Cursor;
}

/** Where the journal's rows begin and end. */
export interface Extent {
  /** Before the oldest row. */
  readonly beginning: Position;
  /** After the newest row. */
  readonly end: Position;
  /** Readings of rows that were deleted in between. */
  readonly gone: number;
}

/** Where the rows of a file begin and end. */
export function extentOf(
  { oldest, newest, gone = 0 }: Pick<DiskState, "oldest" | "newest" | "gone">,
): Extent {
  const end = { seq: newest?.seq ?? 0, total: newest?.total ?? 0 };
  const beginning = oldest === null ? end : {
    seq: oldest.seq - 1,
    total: oldest.total - oldest.readings,
  };
  return { beginning, end, gone };
}

/** The ledger of a sink that the configuration has: what came and went while it was removed is booked. */
export function resume(
  { active, seenTotal, left, ledger: state }: SinkState,
  { beginning, end }: Omit<Extent, "gone">,
): Ledger {
  const ledger = new Ledger(state);
  if (!active) {
    ledger.receive(end.total - seenTotal);
    const waiting = ledger.waiting(end.total) - ledger.parked;
    const standing = left ??
      end.total - Math.max(beginning.total, ledger.cursor.total);
    ledger.lose("evicted", Math.max(0, waiting - standing));
  }
  // While a sink is removed nobody tells it what is deleted.
  ledger.forget({ from: { seq: 0, total: 0 }, to: beginning });
  return ledger;
}

/** A sink that has another target than before. */
export interface Move {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Readings that the new target gets of what the journal holds. */
  readonly waiting: number;
}

/** All accounts of a journal. */
export class Accounts {
  readonly #active: Account[] = [];
  readonly #removed: SinkState[] = [];
  readonly #moved: Move[] = [];

  constructor(
    known: readonly SinkState[],
    registrations: readonly SinkRegistration[],
    { beginning, end, gone }: Extent,
    createCursor: (
      id: number,
      sink: SinkRegistration,
      ledger: Ledger,
    ) => Cursor,
  ) {
    let lastId = 0;
    const open = (
      registration: SinkRegistration,
      id: number,
      ledger: Ledger,
    ) => {
      const { name, target } = registration;
      const cursor = createCursor(id, registration, ledger);
      this.#active.push({ id, name, target, ledger, cursor });
    };
    const added = new Set(registrations);
    for (const state of known) {
      lastId = Math.max(lastId, state.id);
      const registration = registrations.find(({ name, target }) =>
        name === state.name && target === state.target
      );
      if (registration === undefined) {
        this.#removed.push({ ...state, active: false });
        continue;
      }
      added.delete(registration);
      open(registration, state.id, resume(state, { beginning, end }));
    }
    for (const registration of added) {
      const { name, target, startAt } = registration;
      const predecessor = known.find((state) =>
        state.active && state.name === name && state.target !== target
      );
      const ledger = startAt === "now" && predecessor !== undefined
        ? Ledger.takingOver(predecessor.ledger, end)
        : startAt === "oldest"
        ? Ledger.startingAt(beginning, end, gone)
        : Ledger.startingAt(end, end);
      open(registration, ++lastId, ledger);
      if (predecessor === undefined) continue;
      this.#moved.push({
        name,
        from: predecessor.target,
        to: target,
        waiting: ledger.waiting(end.total),
      });
    }
  }

  /** The accounts of the sinks that the configuration has. */
  get active(): readonly Account[] {
    return this.#active;
  }

  /** The sinks whose target is another one than when the journal was opened before. */
  get moved(): readonly Move[] {
    return this.#moved;
  }

  /** A row with so many readings was appended. */
  receive(readings: number): void {
    for (const { ledger } of this.#active) ledger.receive(readings);
  }

  /** So many readings ended before they had a row. */
  dropAtBirth(reason: DropReason, readings: number): void {
    for (const { ledger } of this.#active) ledger.dropAtBirth(reason, readings);
  }

  /** So many readings that had ended come again in a row of their own. */
  requeue(readings: number): void {
    for (const { ledger } of this.#active) ledger.requeue(readings, "row");
  }

  /** All accounts as they are written, when the newest row ends at `total`. */
  states(total: number): SinkState[] {
    return [
      ...this.#active.map(({ id, name, target, ledger }) => ({
        id,
        name,
        target,
        active: true,
        seenTotal: total,
        ledger: ledger.state,
      })),
      ...this.#removed,
    ];
  }
}
