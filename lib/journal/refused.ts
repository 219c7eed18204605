/**
 * What one sink's server refused: for good (rejects), or for now (parked readings, which are tried
 * again until they find their end).
 *
 * The table of parked readings is bounded: beyond its limit the oldest are given up, but never while
 * some of them are being tried.
 *
 * @module
 */

import type { DropReason, EventTime, Row } from "../model.ts";
import type { Boards } from "./boards.ts";
import type { AsyncDisk, ParkedReading } from "./disk.ts";
import type { RowTime } from "./epochs.ts";
import type { RefusedReading, Settlement } from "./lane.ts";
import type { Ledger } from "./ledger.ts";
import type { Pending } from "./pending.ts";
import { NO_TIME_US } from "./schema.ts";

/** Parked readings kept for each sink; beyond that the oldest are given up. */
export const MAX_PARKED = 10_000;
/** Parked readings of one topic that are tried at once. */
const PARKED_BATCH = 100;

/** What {@linkcode Refused} needs of its journal. */
export interface RefusedHost {
  /** When a row happened. */
  time(at: EventTime): RowTime;
  /** The ledger changed. */
  changed(): void;
  /** Comes when everything that is known now is on the disk. */
  flush(): Promise<void>;
  readonly boards: Pick<Boards, "id" | "name">;
  readonly pending: Pick<Pending, "addReject" | "park" | "unparked">;
  readonly disk: Pick<AsyncDisk, "parked" | "oldestParked">;
}

/** Options for {@linkcode Refused}. */
export interface RefusedOptions {
  /** The sink's. */
  readonly id: number;
  readonly name: string;
  readonly ledger: Ledger;
  readonly host: RefusedHost;
}

/** Parked readings in the shape of rows, to be tried again. */
export interface ParkedRows {
  /** One reading each; `total` means nothing here. */
  readonly rows: readonly Row[];
  /** Books what became of them. */
  settle(settlement: Settlement): void;
}

/** What one sink's server refused. */
export class Refused {
  readonly #id: number;
  readonly #name: string;
  readonly #ledger: Ledger;
  readonly #host: RefusedHost;
  /** Parked readings are being tried: their ids are taken. */
  #trying = false;
  #trimming: Promise<void> | undefined;

  constructor({ id, name, ledger, host }: RefusedOptions) {
    this.#id = id;
    this.#name = name;
    this.#ledger = ledger;
    this.#host = host;
  }

  /** Keeps what was refused; the ledger counts it already. */
  keep(
    rejected: readonly RefusedReading[],
    parked: readonly RefusedReading[],
  ): void {
    this.#reject(rejected);
    if (parked.length === 0) return;
    for (const { row, reading, reason } of parked) {
      this.#host.pending.park({
        sink: this.#id,
        seq: row.seq,
        board: this.#host.boards.id(row.board),
        // As long as its row stands its time is the row's.
        timeUs: row.timeQuality === "unknown" ? NO_TIME_US : row.timeUs,
        path: reading.path,
        value: reading.value,
        reason,
      });
    }
    this.#trimSoon();
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

  /** The oldest parked readings of each topic; null when none are parked. */
  async parked(): Promise<ParkedRows | null> {
    if (this.#ledger.parked === 0) return null;
    this.#trying = true;
    await this.#trimming;
    await this.#host.flush();
    const parked = await this.#host.disk.parked(this.#id, PARKED_BATCH);
    const ids = new Map<Row, number>();
    for (const { id, seq, board, path, value, ...at } of parked) {
      const { epoch, monoUs, timeUs } = at;
      const row: Row = {
        seq,
        board: this.#host.boards.name(board),
        ...(epoch !== null && monoUs !== null
          ? this.#host.time({ epoch, monoUs })
          : {
            timeUs,
            timeQuality: timeUs === NO_TIME_US ? "unknown" : "known",
          }),
        boardTs: null,
        readings: [{ path, value }],
        total: 0,
      };
      ids.set(row, id);
    }
    const rows = [...ids.keys()];
    return {
      rows,
      settle: (settlement) => this.#settle(rows, ids, settlement),
    };
  }

  /** Nothing is being tried any more. */
  giveBack(): void {
    this.#trying = false;
  }

  #settle(
    rows: readonly Row[],
    ids: ReadonlyMap<Row, number>,
    { done, rejected, parked, superseded = 0 }: Settlement,
  ): void {
    const still = new Set(parked.map(({ row }) => row));
    const refused = new Set(rejected.map(({ row }) => row));
    const ended = rows.slice(0, done).filter((row) => !still.has(row));
    this.#host.pending.unparked.push(
      ...ended.flatMap((row) => ids.get(row) ?? []),
    );
    const accepted = ended.filter((row) => !refused.has(row)).length;
    this.#ledger.unpark(accepted - superseded, "delivered");
    this.#ledger.unpark(ended.length - accepted, "rejected");
    this.#ledger.unpark(superseded, "superseded" satisfies DropReason);
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
