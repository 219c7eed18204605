/**
 * Takes over a journal that was put aside because a newer version had written it, now that this
 * program knows its tables.
 *
 * What a sink still had waiting there is appended to the present journal as rows with their own times,
 * in transactions that each note how far they came, so that a crash in between repeats nothing. A sink
 * that had everything there, and has everything here, passes those rows unseen; one that is in the
 * middle of others gets them once more.
 *
 * @module
 */

import { decodeValue } from "./rows.ts";
import type { DatabaseSync } from "node:sqlite";
import { readState, ROW_COLUMNS, rowChecksum, transact } from "./database.ts";
import {
  type BoardState,
  type Commit,
  type DiskState,
  EMPTY_COMMIT,
  type Epoch,
  type Latest,
  type LatestValue,
  type SinkState,
  type StoredRow,
} from "./disk.ts";
import { Ledger, type LedgerState, type Position } from "./ledger.ts";
import { KEPT_TIME_US, TIME_OF_DAY } from "./schema.ts";
import type { Tables } from "./tables.ts";

/** Rows appended in one transaction. */
const CHUNK_ROWS = 1000;
/** The mark of a file that was taken over whole. */
const DONE = Number.MAX_SAFE_INTEGER;

/** What came of it. */
export interface Adoption {
  readonly packets: number;
  /** Readings that could not be read there, by the sink's name. */
  readonly missing: Readonly<Record<string, number>>;
}

/** A sink of the present journal, and its state in the other one. */
interface Pair {
  state: SinkState;
  readonly there: SinkState | undefined;
}

/**
 * Takes over what waits in `aside`, known as `name`, into the present journal.
 *
 * @throws {Error} if a file cannot be read or written
 */
export function adopt(
  aside: DatabaseSync,
  name: string,
  target: Tables,
): Adoption {
  return new Adopter(aside, name, target).run();
}

/** Forgets how far files were taken over that are gone; `names`: those that are there. */
export function forgetAdopted(
  { db }: Tables,
  names: readonly string[],
): void {
  db.prepare(
    "DELETE FROM adopted WHERE name NOT IN (SELECT value FROM json_each(?))",
  ).run(JSON.stringify(names));
}

class Adopter {
  readonly #aside: DatabaseSync;
  readonly #name: string;
  readonly #target: Tables;
  readonly #there: DiskState;
  readonly #before: DiskState;
  readonly #boards: BoardState[];
  readonly #pairs: Pair[];
  readonly #epochs = new Map<number, number>();
  /** The new numbers of the rows with the newest values there. */
  readonly #seqs = new Map<number, number>();
  #end: Position;
  #packets = 0;

  constructor(aside: DatabaseSync, name: string, target: Tables) {
    this.#aside = aside;
    this.#name = name;
    this.#target = target;
    this.#there = readState(aside);
    this.#before = readState(target.db);
    this.#boards = [...this.#before.boards];
    this.#end = { seq: 0, total: 0, ...this.#before.newest };
    this.#pairs = this.#pair();
    for (const { latest } of this.#there.boards) {
      for (const { seq } of Object.values(latest)) this.#seqs.set(seq, 0);
    }
  }

  run(): Adoption {
    const { adopted } = {
      adopted: 0,
      ...this.#target.db.prepare(
        "SELECT seq AS adopted FROM adopted WHERE name = ?",
      ).get(this.#name),
    };
    if (Number(adopted) === DONE) return { packets: 0, missing: {} };
    const cursors = this.#pairs.flatMap(({ there }) =>
      there === undefined ? [] : there.ledger.cursor.seq
    );
    let seq = Math.max(Number(adopted), Math.min(...cursors, Infinity));
    while (Number.isFinite(seq)) {
      const rows = this.#read(seq);
      const last = rows.at(-1)?.seq;
      if (last === undefined) break;
      this.#transact(seq = last, () => this.#append(rows));
    }
    const missing: Record<string, number> = {};
    this.#transact(DONE, () => this.#finish(missing));
    return { packets: this.#packets, missing };
  }

  /** By name and target; an address that was corrected meanwhile is the same sink, as in `accounts.ts`. */
  #pair(): Pair[] {
    const there = this.#there.sinks.filter(({ active }) => active);
    const here = this.#before.sinks.filter(({ active }) => active);
    const pairs: Pair[] = here.map((state) => ({
      state,
      there:
        there.find(({ name, target }) =>
          name === state.name && target === state.target
        ) ?? there.find(({ name }) => name === state.name),
    }));
    let id = Math.max(0, ...this.#before.sinks.map((sink) => sink.id));
    for (const sink of there) {
      if (here.some(({ name }) => name === sink.name)) continue;
      const { state: ledger } = Ledger.startingAt(this.#end, this.#end);
      const seenTotal = this.#end.total;
      pairs.push({
        state: { ...sink, id: ++id, seenTotal, ledger },
        there: sink,
      });
    }
    return pairs;
  }

  #read(seq: number): (StoredRow & { crc: number })[] {
    return this.#aside.prepare(
      `SELECT ${ROW_COLUMNS}, crc FROM packets WHERE seq > ? ORDER BY seq LIMIT ?`,
    ).all(seq, CHUNK_ROWS) as unknown as (StoredRow & { crc: number })[];
  }

  #transact(mark: number, run: () => Partial<Commit>): void {
    const target = this.#target;
    transact(target.db, () => {
      const commit = { ...EMPTY_COMMIT, ...run() };
      target.write({ ...commit, sinks: this.#pairs.map((one) => one.state) });
      target.db.prepare("INSERT OR REPLACE INTO adopted VALUES (?, ?)")
        .run(this.#name, mark);
    });
  }

  #append(rows: readonly (StoredRow & { crc: number })[]): Partial<Commit> {
    const epochs: Epoch[] = [];
    const appended: StoredRow[] = [];
    for (const { crc, ...stored } of rows) {
      const epoch = this.#epoch(stored.epoch, epochs);
      if (rowChecksum(stored) !== crc || epoch === undefined) continue;
      const before = this.#end;
      const seq = before.seq + 1;
      const total = before.total + stored.readings;
      this.#end = { seq, total };
      this.#packets++;
      if (this.#seqs.has(stored.seq)) this.#seqs.set(stored.seq, seq);
      const board = this.#board(stored.board).id;
      appended.push({ ...stored, ...this.#end, board, epoch });
      for (const pair of this.#pairs) this.#receive(pair, stored, before);
    }
    return { rows: appended, epochs, boards: this.#boards };
  }

  #receive(pair: Pair, { seq, readings }: StoredRow, before: Position): void {
    const { state, there } = pair;
    const wanted = there !== undefined && seq > there.ledger.cursor.seq;
    const ledger = { ...state.ledger };
    if (!wanted && ledger.cursor.seq === before.seq) ledger.cursor = this.#end;
    else ledger.received += readings;
    pair.state = { ...state, ledger, seenTotal: this.#end.total };
  }

  /** The present id of a clock epoch there; undefined for one that is not there. */
  #epoch(id: number, added: Epoch[]): number | undefined {
    const known = this.#epochs.get(id);
    if (known !== undefined) return known;
    const epoch = this.#there.epochs.find((one) => one.id === id);
    if (epoch === undefined) return undefined;
    const ids = [
      ...this.#before.epochs.map((one) => one.id),
      ...this.#epochs.values(),
    ];
    const own = id === TIME_OF_DAY.id ? id : Math.max(0, ...ids) + 1;
    this.#epochs.set(id, own);
    added.push({ ...epoch, id: own });
    return own;
  }

  /** The present board of the same name as the one with an id there. */
  #board(id: number): BoardState {
    const name = this.#there.boards.find((one) => one.id === id)?.name ?? "";
    let board = this.#boards.find((one) => one.name === name);
    if (board === undefined) {
      const counts = { lines: 0, packets: 0, rejects: 0, other: 0 };
      const own = Math.max(0, ...this.#boards.map((one) => one.id)) + 1;
      const clock = { reboots: 0, wraps: 0, repeats: 0, jumps: 0 };
      board = { id: own, name, ...counts, truncated: 0, latest: {}, clock };
      this.#boards.push(board);
    }
    return board;
  }

  /** What is not rows: losses, parked readings, rejects, the boards' counts and newest values. */
  #finish(missing: Record<string, number>): Partial<Commit> {
    let id = this.#before.lastParked;
    const parked = this.#pairs.flatMap((pair) => {
      const { state, there } = pair;
      if (there === undefined) return [];
      const own = this.#parked(there);
      const ledger: LedgerState = structuredClone(state.ledger);
      const lost = this.#lost(there) + there.ledger.parked - own.length;
      missing[state.name] = lost;
      ledger.received += lost + own.length;
      ledger.parked += own.length;
      if (lost > 0) {
        ledger.dropped.corrupt = (ledger.dropped.corrupt ?? 0) + lost;
      }
      pair.state = { ...state, ledger };
      return own.map((one) => ({ ...one, id: ++id, sink: state.id }));
    });
    const rejects = this.#aside.prepare(
      "SELECT time_us AS timeUs, board, origin, reason, body FROM rejects ORDER BY id",
    ).all() as unknown as Commit["rejects"];
    return {
      parked,
      rejects,
      boards: this.#addBoards(),
      ...this.#standIn(),
    };
  }

  /**
   * The newest row stays the newest in time: the clock is held against it at a start. Its epoch comes
   * once more, because those before the oldest row's are deleted.
   */
  #standIn(): Pick<Commit, "rows" | "epochs"> {
    const { newest, epochs } = this.#before;
    const epoch = epochs.find(({ id }) => id === newest?.epoch);
    if (
      newest === null || epoch === undefined || this.#end.seq === newest.seq
    ) return { rows: [], epochs: [] };
    const own = Math.max(
      ...epochs.map(({ id }) => id),
      ...this.#epochs.values(),
    ) + 1;
    this.#end = { seq: this.#end.seq + 1, total: this.#end.total };
    const row = {
      ...newest,
      ...this.#end,
      epoch: own,
      readings: 0,
      body: "{}",
    };
    return { rows: [row], epochs: [{ ...epoch, id: own }] };
  }

  #parked(there: SinkState): Omit<Commit["parked"][number], "id">[] {
    const rows = this.#aside.prepare(
      `SELECT parked.board, ifnull(${KEPT_TIME_US}, time_us) AS timeUs, path, value, reason
       FROM parked LEFT JOIN packets USING (seq) LEFT JOIN epochs ON epochs.id = packets.epoch
       WHERE sink = ? ORDER BY parked.id`,
    ).all(there.id) as unknown as Omit<
      Commit["parked"][number],
      "id" | "sink"
    >[];
    return rows.map((row) => ({
      ...row,
      value: decodeValue(row.value),
      sink: there.id,
      // None of the rows here: what is parked is never a topic's newest.
      seq: 0,
      board: this.#board(row.board).id,
    }));
  }

  /** Readings that a sink had waiting there and that no sound row holds. */
  #lost({ ledger }: SinkState): number {
    const { cursor, ahead } = ledger;
    let found = 0;
    for (let seq = cursor.seq;;) {
      const rows = this.#read(seq);
      const last = rows.at(-1);
      if (last === undefined) break;
      seq = last.seq;
      for (const { crc, ...row } of rows) {
        const known = this.#there.epochs.some(({ id }) => id === row.epoch);
        if (known && rowChecksum(row) === crc) found += row.readings;
      }
    }
    const total = this.#there.newest?.total ?? 0;
    return Math.max(0, total - cursor.total - ahead - found);
  }

  #addBoards(): BoardState[] {
    for (const there of this.#there.boards) this.#board(there.id);
    return this.#boards.map((board) => {
      const there = this.#there.boards.find(({ name }) => name === board.name);
      if (there === undefined) return board;
      const latest: Latest = { ...board.latest };
      for (const [path, value] of Object.entries(there.latest)) {
        if (isNewer(value, latest[path])) {
          // Its epoch has another id here; what is adopted is not corrected any more.
          const { epoch: _, ...newest } = value;
          latest[path] = { ...newest, seq: this.#seqs.get(value.seq) ?? 0 };
        }
      }
      return {
        ...board,
        lines: board.lines + there.lines,
        packets: board.packets + there.packets,
        rejects: board.rejects + there.rejects,
        other: board.other + there.other,
        truncated: board.truncated + there.truncated,
        clock: {
          reboots: board.clock.reboots + there.clock.reboots,
          wraps: board.clock.wraps + there.clock.wraps,
          repeats: board.clock.repeats + there.clock.repeats,
          jumps: board.clock.jumps + there.clock.jumps,
        },
        latest,
      };
    });
  }
}

function isNewer(value: LatestValue, than: LatestValue | undefined): boolean {
  return than === undefined || value.timeUs > than.timeUs;
}
