/**
 * One sink's place in the journal.
 *
 * There are two places: the cursor itself, before which everything is done, and the position, up to
 * which rows were given out. Rows in between are in the sink's hands: they are not deleted, and
 * after {@linkcode Cursor.giveBack} they are given out again. A rewind voids them: what the sink
 * reports of rows that it was given before is not booked, because they are to come again.
 *
 * @module
 */

import type { DropReason, Reading, Row } from "../model.ts";
import type { Boards } from "./boards.ts";
import type { AsyncDisk, ParkedReading } from "./disk.ts";
import type { Pending } from "./pending.ts";
import type { Ledger, LedgerState, Position } from "./ledger.ts";
import type { Pin } from "./retention.ts";

/** Parked readings kept for each sink; beyond that the oldest are given up. */
export const MAX_PARKED = 10_000;
/** Parked readings of one topic that are tried at once. */
const PARKED_BATCH = 100;

/** What became of rows; `Outcome` of a sink fits. */
export interface Settlement {
  /** So many leading rows are done. */
  readonly done: number;
  readonly rejected: readonly RefusedReading[];
  readonly parked: readonly RefusedReading[];
}

/** A reading that a server refused. */
export interface RefusedReading {
  readonly row: Row;
  readonly reading: Reading;
  readonly reason: string;
}

/** What a cursor needs of its journal. */
export interface CursorHost {
  /** Committed rows after `seq` with together at most `maxReadings`. */
  read(seq: number, maxReadings: number): Promise<Row[]>;
  /** The ledger changed. */
  changed(): void;
  /** The newest row's running total. */
  total(): number;
  /** Comes when everything that is known now is on the disk. */
  flush(): Promise<void>;
  readonly boards: Pick<Boards, "id" | "name">;
  readonly pending: Pick<Pending, "addReject" | "park" | "unparked">;
  readonly disk: Pick<AsyncDisk, "parked" | "oldestParked">;
}

/** Options for {@linkcode Cursor}. */
export interface CursorOptions {
  readonly id: number;
  readonly name: string;
  readonly ledger: Ledger;
  readonly host: CursorHost;
}

/** Parked readings in the shape of rows, to be tried again. */
export interface ParkedRows {
  /** One reading each; `total` means nothing here. */
  readonly rows: readonly Row[];
  /** Books what became of them. */
  settle(settlement: Settlement): void;
}

/** Rows that are kept from being deleted until it is disposed. */
export interface Hold extends Disposable {
  /** Rows up to this seq are not held. */
  from: number;
}

/** One sink's place in the journal. */
export class Cursor {
  readonly #id: number;
  readonly #name: string;
  readonly #ledger: Ledger;
  readonly #host: CursorHost;
  #position: number;
  /** What was given out since the last rewind. */
  #given = new WeakSet<readonly Row[]>();
  #hold: Hold | undefined;
  #reading = false;
  /** Parked readings are being tried: their ids are taken. */
  #trying = false;
  #trimming: Promise<void> | undefined;

  constructor({ id, name, ledger, host }: CursorOptions) {
    this.#id = id;
    this.#name = name;
    this.#ledger = ledger;
    this.#host = host;
    this.#position = ledger.cursor.seq;
  }

  /** Rows up to this seq are done. */
  get seq(): number {
    return this.#ledger.cursor.seq;
  }

  /** The rows in the sink's hands; all of them while it is just being decided which. */
  get pin(): Pin {
    const from = Math.min(this.seq, this.#hold?.from ?? Infinity);
    const open = this.#reading || this.#hold !== undefined;
    return { from, to: open ? Infinity : this.#position };
  }

  /** Readings that are not done. */
  get waiting(): number {
    return this.#ledger.waiting(this.#host.total());
  }

  /** The ledger as it stands. */
  get ledger(): LedgerState {
    return this.#ledger.state;
  }

  /** Gives out the next committed rows with together at most `maxReadings`; none when all are out. */
  async next(maxReadings: number): Promise<Row[]> {
    this.#reading = true;
    try {
      for (;;) {
        const given = this.#given;
        const rows = await this.#host.read(this.#position, maxReadings);
        // After a rewind meanwhile these are not the next ones any more.
        if (given !== this.#given) continue;
        this.#position = rows.at(-1)?.seq ?? this.#position;
        given.add(rows);
        return rows;
      }
    } finally {
      this.#reading = false;
    }
  }

  /** Takes back what was given out and is not done. */
  giveBack(): void {
    this.#position = this.#ledger.cursor.seq;
    this.#trying = false;
  }

  /** Keeps every row from being deleted; one at a time. */
  hold(): Hold {
    const hold: Hold = {
      from: 0,
      [Symbol.dispose]: () => {
        this.#hold = undefined;
      },
    };
    return this.#hold = hold;
  }

  /** Goes back to `to`; the rows from there to the cursor, with so many `readings`, come again. */
  rewind(to: Position, readings: number): void {
    this.#ledger.rewind(to, readings);
    this.#position = to.seq;
    this.#given = new WeakSet();
    this.#host.changed();
  }

  /** Sets a reading aside to be tried again, though it had ended. @returns false if there is no room */
  requeue(
    reading: Omit<ParkedReading, "id" | "sink" | "board"> & {
      readonly board: string;
    },
  ): boolean {
    if (this.#ledger.parked >= MAX_PARKED) return false;
    const board = this.#host.boards.id(reading.board);
    this.#host.pending.park({ ...reading, board, sink: this.#id });
    this.#ledger.requeue(1, "parked");
    this.#host.changed();
    return true;
  }

  /** Books what became of `rows`, the next ones in order that were given out. */
  settle(rows: readonly Row[], { done, rejected, parked }: Settlement): void {
    if (!this.#given.has(rows)) return;
    const last = rows[done - 1];
    if (last === undefined) return;
    let readings = 0;
    for (let i = 0; i < done; i++) readings += rows[i]?.readings.length ?? 0;
    this.#ledger.advance({ seq: last.seq, total: last.total }, {
      readings,
      rejected: rejected.length,
      parked: parked.length,
    });
    this.#reject(rejected);
    this.#park(parked);
    this.#host.changed();
  }

  /** The oldest parked readings of each topic; null when none are parked. */
  async parked(): Promise<ParkedRows | null> {
    if (this.#ledger.parked === 0) return null;
    this.#trying = true;
    await this.#trimming;
    await this.#host.flush();
    const parked = await this.#host.disk.parked(this.#id, PARKED_BATCH);
    const ids = new Map<Row, number>();
    for (const { id, seq, board, timeUs, path, value } of parked) {
      const row: Row = {
        seq,
        board: this.#host.boards.name(board),
        timeUs,
        boardTs: null,
        readings: [{ path, value }],
        total: 0,
      };
      ids.set(row, id);
    }
    const rows = [...ids.keys()];
    return {
      rows,
      settle: (settlement) => this.#settleParked(rows, ids, settlement),
    };
  }

  #settleParked(
    rows: readonly Row[],
    ids: ReadonlyMap<Row, number>,
    { done, rejected, parked }: Settlement,
  ): void {
    const still = new Set(parked.map(({ row }) => row));
    const refused = new Set(rejected.map(({ row }) => row));
    const ended = rows.slice(0, done).filter((row) => !still.has(row));
    this.#host.pending.unparked.push(
      ...ended.flatMap((row) => ids.get(row) ?? []),
    );
    const delivered = ended.filter((row) => !refused.has(row)).length;
    this.#ledger.unpark(delivered, "delivered");
    this.#ledger.unpark(ended.length - delivered, "rejected");
    this.#reject(rejected);
    this.#host.changed();
    this.#trying = false;
    this.#trimSoon();
  }

  #reject(rejected: readonly RefusedReading[]): void {
    for (const { row, reading, reason } of rejected) {
      this.#host.pending.addReject({
        timeUs: row.timeUs,
        board: row.board,
        origin: this.#name,
        reason,
        body: JSON.stringify({ [reading.path]: reading.value }),
      });
    }
  }

  #park(parked: readonly RefusedReading[]): void {
    if (parked.length === 0) return;
    for (const { row, reading, reason } of parked) {
      this.#host.pending.park({
        sink: this.#id,
        seq: row.seq,
        board: this.#host.boards.id(row.board),
        timeUs: row.timeUs,
        path: reading.path,
        value: reading.value,
        reason,
      });
    }
    this.#trimSoon();
  }

  /** Gives up the oldest parked readings beyond the limit, if nobody else has them in hand. */
  #trimSoon(): void {
    if (this.#trying || this.#ledger.parked <= MAX_PARKED) return;
    // What fails here is a disk that fails, and the commits say so.
    this.#trimming ??= this.#trim().then(() => {
      this.#trimming = undefined;
      this.#trimSoon();
    }, () => this.#trimming = undefined);
  }

  async #trim(): Promise<void> {
    await this.#host.flush();
    const excess = this.#ledger.parked - MAX_PARKED;
    if (excess <= 0) return;
    const ids = await this.#host.disk.oldestParked(this.#id, excess);
    this.#host.pending.unparked.push(...ids);
    this.#ledger.unpark(ids.length, "evicted" satisfies DropReason);
    // The next look at the table must not find them again.
    await this.#host.flush();
  }
}
