/**
 * What the database writes beside each sink's cursor and ledger, so that a salvage can trust them:
 * where the journal ended, which rows it had given up, and a checksum over all of it.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { BoardState, SinkState } from "./disk.ts";
import type { Position } from "./ledger.ts";

/** A stretch of rows, both ends included. */
export type Stretch = readonly [first: number, last: number];

/** The journal as it stood when a ledger was written. */
export interface Seal {
  /** The newest row. */
  readonly end: Position;
  /** Rows that were deleted; in order, apart from each other. */
  readonly deleted: readonly Stretch[];
  /** {@linkcode digest} of the tables beside. */
  readonly digest: number;
}

/** A checksum over boards and clock epochs, as they are stored. */
export function digest(prepare: (sql: string) => StatementSync): number {
  return new Digest(prepare).value;
}

/**
 * {@linkcode digest} as it goes on from commit to commit: a board that is written costs its own text, not
 * that all of them are read again.
 */
export class Digest {
  readonly #boards: Map<unknown, string>;
  readonly #epochs: string;

  /** Reads the tables. */
  constructor(prepare: (sql: string) => StatementSync) {
    this.#boards = new Map(
      prepare("SELECT id, name, lines, latest FROM boards ORDER BY id").all()
        .map((row) => [row["id"], JSON.stringify(row)]),
    );
    this.#epochs = JSON.stringify(
      prepare("SELECT id, boot_id, offset_us FROM epochs ORDER BY id").all(),
    );
  }

  get value(): number {
    return crc32(`[[${[...this.#boards.values()].join()}],${this.#epochs}]`);
  }

  /** A board that was there was written. */
  change({ id, name, lines }: BoardState, latest: string): void {
    this.#boards.set(id, JSON.stringify({ id, name, lines, latest }));
  }
}

/** The seals of the sinks that the journal wrote last. @throws {Error} if one does not fit its sink */
export function readSeals(
  db: DatabaseSync,
  sinks: readonly SinkState[],
): Seal[] {
  const seals = new Map(
    db.prepare("SELECT id, seal FROM sinks").all()
      .map((row) => [row["id"], String(row["seal"])] as const),
  );
  return sinks.filter(({ active }) => active)
    .flatMap((sink) => readSeal(sink, seals.get(sink.id) ?? "") ?? []);
}

/** `deleted` with one more stretch. */
export function addStretch(
  deleted: readonly Stretch[],
  [first, last]: Stretch,
): Stretch[] {
  const before = deleted.filter((one) => one[1] < first - 1);
  const after = deleted.filter((one) => one[0] > last + 1);
  const touching = deleted.slice(before.length, deleted.length - after.length);
  return [...before, [
    Math.min(first, ...touching.map((one) => one[0])),
    Math.max(last, ...touching.map((one) => one[1])),
  ], ...after];
}

/** A seal over a sink's state, to be written with it. */
export function makeSeal(state: SinkState, seal: Seal): string {
  return JSON.stringify([checksum(state, seal), seal]);
}

/**
 * Reads a seal; undefined if the sink has none, because an older version of this program wrote it.
 *
 * @throws {Error} if it does not fit the state
 */
export function readSeal(state: SinkState, text: string): Seal | undefined {
  if (text === "") return undefined;
  const [crc, seal] = JSON.parse(text);
  if (crc !== checksum(state, seal)) {
    throw new Error(`the checksum of the sink "${state.name}" does not fit`);
  }
  return seal;
}

function checksum(
  { id, name, target, active, seenTotal, ledger }: SinkState,
  { end, deleted, digest }: Seal,
): number {
  const { cursor, ahead, parked, received, requeued, delivered, dropped } =
    ledger;
  const { deliveredAhead } = ledger;
  return crc32(JSON.stringify([
    ...[id, name, target, active, seenTotal, cursor.seq, cursor.total, ahead],
    ...[parked, received, requeued, delivered, dropped],
    ...[end.seq, end.total, deleted, digest],
    // A ledger that an older version sealed has none.
    ...deliveredAhead,
  ]));
}
