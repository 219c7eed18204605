/**
 * One sink's place in the journal.
 *
 * There are two places: the cursor itself, before which everything is done, and the position, up to
 * which rows were given out. Rows in between are in the sink's hands: they are not deleted, and
 * after {@linkcode Cursor.giveBack} they are given out again. A rewind voids them: what the sink
 * reports of rows that it was given before is not booked, because they are to come again.
 *
 * While a live lane is open, the cursor gives out the rows before it: the past. What either lane has
 * done beyond the cursor is not given out again.
 *
 * @module
 */

import type { Row } from "../model.ts";
import { type Lane, LiveLane, type Settlement } from "./lane.ts";
import type {
  Ended,
  Ledger,
  LedgerState,
  Position,
  Stretch,
} from "./ledger.ts";
import { Refused, type RefusedHost } from "./refused.ts";
import type { Pin } from "./retention.ts";

/** What a cursor needs of its journal. */
export interface CursorHost extends RefusedHost {
  /** Committed rows after `seq` with together at most `maxReadings`. */
  read(seq: number, maxReadings: number): Promise<Row[]>;
  /** Grows whenever rows whose time was unknown have one. */
  timesVersion(): number;
  /** The newest row's running total. */
  total(): number;
  /** The newest committed row's seq. */
  newest(): number;
  /** How long ago a row happened, in microseconds, however wrong the clock is. */
  ageUs(row: Row): number;
}

/** Options for {@linkcode Cursor}. */
export interface CursorOptions {
  readonly id: number;
  readonly name: string;
  readonly ledger: Ledger;
  readonly host: CursorHost;
  /** Rows whose time is unknown, and all behind them, are held back. @default {false} */
  readonly needsTime?: boolean;
}

/** Rows that are kept from being deleted until it is disposed. */
export interface Hold extends Disposable {
  /** Rows up to this seq are not held. */
  from: number;
}

/** One sink's place in the journal. */
export class Cursor implements Lane {
  /** What the sink's server refused. */
  readonly refused: Refused;
  readonly #ledger: Ledger;
  readonly #host: CursorHost;
  readonly #needsTime: boolean;
  #position: number;
  /** What was given out since the last rewind. */
  #given = new WeakSet<readonly Row[]>();
  /** The newest row of it. */
  #lastGiven: number;
  #live: LiveLane | undefined;
  /** Where the last live lane began: what was the past stays it, whatever the clock says. */
  #liveFrom: Position = { seq: 0, total: 0 };
  #hold: Hold | undefined;
  #reading = false;
  /** Where the next row waits for its time, and the times' version as it was looked at. */
  #held: { readonly position: number; readonly version: number } | undefined;

  constructor({ id, name, ledger, host, needsTime = false }: CursorOptions) {
    this.refused = new Refused({ id, name, ledger, host });
    this.#ledger = ledger;
    this.#host = host;
    this.#needsTime = needsTime;
    this.#position = this.#lastGiven = ledger.cursor.seq;
  }

  /** Rows up to this seq are done. */
  get seq(): number {
    return this.#ledger.cursor.seq;
  }

  /** The rows in the sink's hands; all of them while it is just being decided which. */
  get pins(): Pin[] {
    const from = Math.min(this.seq, this.#hold?.from ?? Infinity);
    const open = this.#reading || this.#hold !== undefined;
    const own = { from, to: open ? Infinity : this.#position };
    return this.#live === undefined ? [own] : [own, this.#live.pin];
  }

  get past(): boolean {
    return this.#live !== undefined;
  }

  /** The newest committed row's seq. */
  get newest(): number {
    return this.#host.newest();
  }

  /** Readings that are not done. */
  get waiting(): number {
    return this.#ledger.waiting(this.#host.total());
  }

  /** The ledger as it stands. */
  get ledger(): LedgerState {
    return this.#ledger.state;
  }

  /**
   * Opens a lane for the rows of the last `withinS` seconds and those to come, until
   * {@linkcode Cursor.giveBack}. Nothing may be in the sink's hands.
   */
  async openLive(withinS: number): Promise<LiveLane> {
    this.#ledger.forgetStretches();
    this.#liveFrom = await this.#placeBefore(withinS * 1e6);
    return this.#live = new LiveLane(this.#liveFrom, {
      read: (seq, maxReadings) => this.#host.read(seq, maxReadings),
      book: (stretch, rows, settlement) =>
        this.#book(rows, settlement, (ended) => {
          this.#ledger.deliverAhead(stretch, ended);
        }),
    });
  }

  /**
   * Gives out the next committed rows with together at most `maxReadings`; none when all are out, or
   * the next one's time is not known yet.
   */
  async next(maxReadings: number): Promise<Row[]> {
    const version = this.#host.timesVersion();
    const isHeld = this.#held?.position === this.#position &&
      this.#held.version === version;
    if (isHeld) return [];
    this.#reading = true;
    try {
      for (;;) {
        const given = this.#given;
        // What the ledger has passed meanwhile was done ahead.
        this.#position = Math.max(this.#position, this.#ledger.cursor.seq);
        const barrier = this.#barrier();
        const ends = barrier?.from.seq ?? Infinity;
        if (this.#position < ends) {
          const found = await this.#host.read(this.#position, maxReadings);
          // After a rewind meanwhile these are not the next ones any more.
          if (given !== this.#given) continue;
          const rows = this.#ready(found.filter(({ seq }) => seq <= ends));
          if (rows === undefined) {
            this.#held = { position: this.#position, version };
            return [];
          }
          this.#held = undefined;
          if (rows.length > 0) {
            this.#position = this.#lastGiven = rows.at(-1)!.seq;
            given.add(rows);
            return rows;
          }
          if (found.length === 0) return [];
        }
        if (barrier === undefined) return [];
        const isLive = barrier.from.seq === this.#live?.start.seq;
        // Rows that are missing before it are gone: nothing holds the cursor there. What is missing of
        // those that the live lane has done is gone as well.
        if (this.#lastGiven <= this.#ledger.cursor.seq) {
          this.#pass(isLive ? this.#live!.done : barrier.from);
        }
        if (isLive) return [];
        this.#position = barrier.to.seq;
      }
    } finally {
      this.#reading = false;
    }
  }

  /** Takes back what was given out and is not done, on both lanes; the live one is closed. */
  giveBack(): void {
    this.#position = this.#lastGiven = this.#ledger.cursor.seq;
    this.#live = undefined;
    this.refused.giveBack();
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

  /** Whether the row `seq` is done. */
  isDone(seq: number): boolean {
    return this.#ledger.isDone(seq);
  }

  /** What is done behind a place, in order. */
  doneAfter(place: Position): Stretch[] {
    return this.#ledger.doneAfter(place);
  }

  /**
   * Goes back to `to`; the rows behind it that are done, with so many `readings`, come again. Those in
   * the live lane's hands do not.
   */
  rewind(to: Position, readings: number): void {
    this.#ledger.rewind(to, readings);
    this.#live?.leavePast();
    this.#position = this.#lastGiven = this.#ledger.cursor.seq;
    this.#given = new WeakSet();
    this.#host.changed();
  }

  settle(rows: readonly Row[], settlement: Settlement): void {
    if (!this.#given.has(rows)) return;
    const last = rows[settlement.done - 1];
    if (last === undefined) return;
    this.#book(rows, settlement, (ended) => {
      this.#ledger.advance({ seq: last.seq, total: last.total }, ended);
    });
  }

  #book(
    rows: readonly Row[],
    { done, rejected, parked, superseded = 0 }: Settlement,
    book: (ended: Ended) => void,
  ): void {
    let readings = 0;
    for (let i = 0; i < done; i++) readings += rows[i]?.readings.length ?? 0;
    book({
      readings,
      rejected: rejected.length,
      parked: parked.length,
      superseded,
    });
    this.refused.keep(rejected, parked);
    this.#host.changed();
  }

  /** The next rows that this lane does not give out: those that are done, or that are live. */
  #barrier(): Stretch | undefined {
    const done = this.#ledger.deliveredAhead
      .find(({ to }) => to.seq > this.#position);
    const start = this.#live?.start;
    return start === undefined || (done && done.from.seq < start.seq)
      ? done
      : { from: start, to: start };
  }

  #pass(place: Position): void {
    if (place.seq <= this.#ledger.cursor.seq) return;
    this.#ledger.advance(place);
    this.#host.changed();
  }

  /** Of `rows` those before the first that waits for its time; undefined where that is the first. */
  #ready(rows: Row[]): Row[] | undefined {
    const held = this.#needsTime
      ? rows.findIndex(({ timeQuality }) => timeQuality === "unknown")
      : -1;
    if (held === 0) return undefined;
    return held === -1 ? rows : rows.slice(0, held);
  }

  /** The place before the first row of `sinceUs` or later, beyond all that is done. */
  async #placeBefore(ageUs: number): Promise<Position> {
    const done = this.#ledger.deliveredAhead.at(-1)?.to ?? this.#ledger.cursor;
    const floor = done.seq > this.#liveFrom.seq ? done : this.#liveFrom;
    let [before, last] = [floor.seq, this.#host.newest()];
    let end = floor;
    let first: Row | undefined;
    while (before < last) {
      const middle = Math.floor((before + last) / 2);
      const [row] = await this.#host.read(middle, 1);
      if (row !== undefined && this.#host.ageUs(row) > ageUs) {
        before = row.seq;
        end = { seq: row.seq, total: row.total };
      } else {
        first = row ?? first;
        last = middle;
      }
    }
    return first === undefined ? end : {
      seq: first.seq - 1,
      total: first.total - first.readings.length,
    };
  }
}
