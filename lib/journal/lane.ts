/**
 * Lanes: the ways on which a cursor gives rows out. There is one, the cursor itself, in the journal's
 * order; a {@linkcode LiveLane} beside it takes what happens now before what waited.
 *
 * @module
 */

import type { Reading, Row } from "../model.ts";
import type { Position, Stretch } from "./ledger.ts";
import type { Pin } from "./retention.ts";

/** What became of rows; `Outcome` of a sink fits. */
export interface Settlement {
  /** So many leading rows are done. */
  readonly done: number;
  readonly rejected: readonly RefusedReading[];
  readonly parked: readonly RefusedReading[];
  /** Readings of the done rows that a newer value stands for. @default {0} */
  readonly superseded?: number;
}

/** A reading that a server refused. */
export interface RefusedReading {
  readonly row: Row;
  readonly reading: Reading;
  readonly reason: string;
}

/** Gives rows out, in order, and books what became of them. */
export interface Lane {
  /** Whether its rows are late, and others go before them. */
  readonly past: boolean;
  /** Gives out the next committed rows with together at most `maxReadings`; none when all are out. */
  next(maxReadings: number): Promise<Row[]>;
  /** Books what became of `rows`, the next ones in order that were given out. */
  settle(rows: readonly Row[], settlement: Settlement): void;
}

/** What a live lane needs of its cursor. */
export interface LiveLaneHost {
  /** Committed rows after `seq` with together at most `maxReadings`. */
  read(seq: number, maxReadings: number): Promise<Row[]>;
  /** Books the first rows of a stretch that ends with the last of them. */
  book(stretch: Stretch, rows: readonly Row[], settlement: Settlement): void;
}

/** Rows from a place near the journal's end on. */
export class LiveLane implements Lane {
  readonly past = false;
  #start: Position;
  readonly #host: LiveLaneHost;
  #done: Position;
  #position: number;
  #reading = false;

  constructor(start: Position, host: LiveLaneHost) {
    this.#start = start;
    this.#host = host;
    this.#done = start;
    this.#position = start.seq;
  }

  /** The rows after this place are its own. */
  get start(): Position {
    return this.#start;
  }

  /** Its rows up to this place are done. */
  get done(): Position {
    return this.#done;
  }

  /** Its rows that are done come again, as the past. */
  leavePast(): void {
    this.#start = this.#done;
  }

  /** The rows in the sink's hands; all of them while it is just being decided which. */
  get pin(): Pin {
    return {
      from: this.#done.seq,
      to: this.#reading ? Infinity : this.#position,
    };
  }

  async next(maxReadings: number): Promise<Row[]> {
    this.#reading = true;
    try {
      const rows = await this.#host.read(this.#position, maxReadings);
      this.#position = rows.at(-1)?.seq ?? this.#position;
      return rows;
    } finally {
      this.#reading = false;
    }
  }

  settle(rows: readonly Row[], settlement: Settlement): void {
    const last = rows[settlement.done - 1];
    if (last === undefined) return;
    const from = this.#done;
    this.#done = { seq: last.seq, total: last.total };
    this.#host.book({ from, to: this.#done }, rows, settlement);
  }
}
