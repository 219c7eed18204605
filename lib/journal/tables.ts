/**
 * An open journal file's tables: what a commit writes to them, and what the seal beside each sink's
 * ledger (`seal.ts`) says of all of it.
 *
 * - A commit is written whole or not at all; what the seals go on from follows it.
 * - Rows are only ever inserted and deleted, never changed.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import {
  epochValues,
  INTO_EPOCHS,
  migrate,
  readState,
  ROW_COLUMNS,
  rowChecksum,
  transact,
  usedBytes,
} from "./database.ts";
import type {
  BoardState,
  Commit,
  DiskState,
  SinkState,
  StoredRow,
} from "./disk.ts";
import type { Position } from "./ledger.ts";
import { encodeValue } from "./rows.ts";
import { KEPT_TIME_US, TIME_OF_DAY } from "./schema.ts";
import {
  addStretch,
  Digest,
  makeSeal,
  readSeals,
  type Stretch,
} from "./seal.ts";

/** Rejects kept, in bytes of their texts and 100 for each; the oldest go first. */
const MAX_REJECT_BYTES = 2 * 1024 * 1024;

const INSERT_BOARD =
  "INSERT OR REPLACE INTO boards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
/** What a name or a target stands in is left alone: their indexes would be two more pages a commit. */
const UPDATE_BOARD =
  `UPDATE boards SET lines = ?, packets = ?, rejects = ?, other = ?, truncated = ?, latest = ?, clock = ?
   WHERE id = ? AND name = ?`;
const UPDATE_SINK =
  `UPDATE sinks SET active = ?, seq = ?, total = ?, seen_total = ?, ahead = ?, parked = ?, received = ?,
     requeued = ?, delivered = ?, dropped = ?, seal = ?, delivered_ahead = ?
   WHERE id = ? AND name = ? AND target = ?`;
const INSERT_SINK =
  `INSERT OR REPLACE INTO sinks (active, seq, total, seen_total, ahead, parked, received, requeued,
     delivered, dropped, seal, delivered_ahead, id, name, target)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const INSERT_REJECT =
  "INSERT INTO rejects (time_us, board, origin, reason, body) VALUES (?, ?, ?, ?, ?)";
/** For a commit that is tried again: its first attempt may be written. */
const INSERT_REJECT_ONCE =
  `INSERT INTO rejects (time_us, board, origin, reason, body) SELECT ?1, ?2, ?3, ?4, ?5
   WHERE NOT EXISTS (SELECT 1 FROM rejects
     WHERE time_us = ?1 AND board = ?2 AND origin = ?3 AND reason = ?4 AND body = ?5)`;

/**
 * Epochs that are kept after their last row: a clock that was set back may come to their times again,
 * and no time is given twice.
 */
export const KEPT_EPOCHS = 64;

/** Parked readings whose rows go keep the times that these have by now, if they are known. */
const PARKED_TIMES = `UPDATE parked SET time_us = ifnull((
    SELECT ${KEPT_TIME_US} FROM packets JOIN epochs ON epochs.id = packets.epoch
    WHERE packets.seq = parked.seq
  ), time_us) WHERE seq BETWEEN ? AND ?`;

/** A row with the checksum that it carries. */
export type CheckedRow = StoredRow & { readonly crc: number };

/** The tables of one open file. */
export class Tables implements Disposable {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #synchronous = "";
  #end: Position = { seq: 0, total: 0 };
  #deleted: readonly Stretch[] = [];
  /** Undefined where the tables have to be read for it. */
  #digest: Digest | undefined;

  /** @param db an open file; {@linkcode Tables.load} comes before what writes */
  constructor(db: DatabaseSync) {
    this.db = db;
  }

  /** The newest row, as it was loaded and then written. */
  get end(): Position {
    return this.#end;
  }

  /** Rows that were deleted; in order, apart from each other. */
  get deleted(): readonly Stretch[] {
    return this.#deleted;
  }

  /**
   * Brings the tables up to this version, and takes from them what commits go on from; gives what they
   * hold.
   *
   * @throws {Error} if they are not sound, or the disk refuses
   */
  load(): DiskState {
    migrate(this.db);
    const state = readState(this.db);
    const { seq, total } = state.newest ?? { seq: 0, total: 0 };
    this.#end = { seq, total };
    this.#deleted = readSeals(this.db, state.sinks)
      .flatMap(({ deleted }) => deleted)
      .reduce<readonly Stretch[]>(addStretch, []);
    this.#digest = undefined;
    return { ...state, gone: this.#goneBehind(state.oldest?.seq ?? Infinity) };
  }

  /**
   * Writes everything of `commit`, or nothing; gives the bytes of the file that hold something then, filler
   * rows included.
   *
   * @throws {Error} if the disk does not take it
   */
  commit(commit: Commit): number {
    this.setSynchronous(commit.durable ? "FULL" : "NORMAL");
    const before = [this.#end, this.#deleted] as const;
    this.#run("BEGIN IMMEDIATE");
    try {
      this.write(commit);
      // Within the transaction: afterwards each of its two questions would be one of its own.
      const used = usedBytes((sql) => this.prepare(sql));
      this.#run("COMMIT");
      return used;
    } catch (error) {
      [this.#end, this.#deleted] = before;
      this.#digest = undefined;
      try {
        this.#run("ROLLBACK");
      } catch {
        // After a full disk SQLite has rolled back already, and refuses to do it again.
      }
      throw error;
    }
  }

  /** Writes within a transaction that is under way. */
  write(commit: Commit): void {
    const { rows, epochs, boards, sinks, rejects, parked, unparked, deleted } =
      commit;
    for (const epoch of epochs) {
      this.#run(`INSERT OR REPLACE ${INTO_EPOCHS}`, ...epochValues(epoch));
    }
    // Before the rows: `SpareDisk` deletes a stretch and keeps some of it.
    if (deleted !== null) {
      this.#run(PARKED_TIMES, ...deleted);
      this.#run("DELETE FROM packets WHERE seq BETWEEN ? AND ?", ...deleted);
    }
    for (const row of rows) this.#insert(row);
    for (const board of boards) this.#writeBoard(board);
    for (const id of commit.unrejected) {
      this.#run("DELETE FROM rejects WHERE id = ?", id);
    }
    for (const { timeUs, board, origin, reason, body } of rejects) {
      this.#run(
        commit.again ? INSERT_REJECT_ONCE : INSERT_REJECT,
        timeUs,
        board,
        origin,
        reason,
        body,
      );
    }
    if (rejects.length > 0) {
      this.#run(
        `DELETE FROM rejects WHERE id <= (
           SELECT max(id) FROM (
             SELECT id, sum(length(body) + 100) OVER (ORDER BY id DESC) AS bytes FROM rejects
           ) WHERE bytes > ?
         )`,
        MAX_REJECT_BYTES,
      );
    }
    for (
      const { id, sink, seq, board, timeUs, path, value, reason } of parked
    ) {
      this.#run(
        "INSERT INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        id,
        sink,
        seq,
        board,
        timeUs,
        path,
        encodeValue(value),
        reason,
      );
    }
    for (const id of unparked) this.#run("DELETE FROM parked WHERE id = ?", id);
    if (deleted !== null) {
      this.#run(
        `DELETE FROM epochs WHERE id < (SELECT epoch FROM packets ORDER BY seq LIMIT 1)
           AND id <= (SELECT max(id) FROM epochs) - ? AND id <> ${TIME_OF_DAY.id}`,
        KEPT_EPOCHS,
      );
      this.#giveUp(deleted, rows);
    }
    for (const { seq, total } of rows) {
      if (seq > this.#end.seq) this.#end = { seq, total };
    }
    // Old epochs may have gone with the rows.
    if (epochs.length > 0 || deleted !== null) this.#digest = undefined;
    for (const sink of sinks) this.#writeSink(sink);
  }

  /** Rows that are given up from now on; the tables may have been changed by others. */
  restore({ deleted }: { readonly deleted: readonly Stretch[] }): void {
    this.#deleted = deleted.reduce(addStretch, this.#deleted);
    this.#digest = undefined;
  }

  /** Removes broken rows: sinks see a gap in the running totals, and book it as `corrupt`. */
  remove(broken: readonly number[]): void {
    transact(this.db, () => {
      for (const seq of broken) {
        this.#run("DELETE FROM packets WHERE seq = ?", seq);
      }
      if (broken.includes(this.#end.seq)) this.#standIn();
    });
  }

  /** Rows in the order, and from the place, that `where` says; its last value is how many. */
  rows(where: string, ...values: number[]): CheckedRow[] {
    return this.all(
      `SELECT ${ROW_COLUMNS}, crc FROM packets ${where} LIMIT ?`,
      ...values,
    ) as unknown as CheckedRow[];
  }

  /** What a commit is synced with: `FULL` at once, `NORMAL` with a later one. */
  setSynchronous(mode: "FULL" | "NORMAL"): void {
    if (this.#synchronous === mode) return;
    this.db.exec(`PRAGMA synchronous=${mode}`);
    this.#synchronous = mode;
  }

  /** A statement, prepared once. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** All that a statement gives; never `iterate`, which ends without a word at a damaged page. */
  all(
    sql: string,
    ...values: (string | number | null)[]
  ): Record<string, unknown>[] {
    return this.prepare(sql).all(...values) as Record<string, unknown>[];
  }

  [Symbol.dispose](): void {
    this.db.close();
  }

  /** Readings of the rows that were deleted behind the row `oldest`. */
  #goneBehind(oldest: number): number {
    /** By the row before: stretches that only missing rows part are one. */
    const gaps = new Map<number, number>();
    for (const [first, last] of this.#deleted) {
      if (first <= oldest) continue;
      const [before] = this.rows("WHERE seq < ? ORDER BY seq DESC", first, 1);
      const [after] = this.rows("WHERE seq > ? ORDER BY seq", last, 1);
      if (before === undefined || after === undefined) continue;
      gaps.set(before.seq, after.total - after.readings - before.total);
    }
    return gaps.values().reduce((sum, readings) => sum + readings, 0);
  }

  /** The newest row is gone: one without readings keeps its number and the running total. */
  #standIn(): void {
    const [epoch] = this.all("SELECT max(id) AS id FROM epochs");
    const [before] = this.rows("ORDER BY seq DESC", 1);
    this.#insert({
      ...{ board: 1, epoch: Number(epoch?.["id"] ?? 1), monoUs: 0 },
      ...before,
      ...this.#end,
      ...{ boardTs: null, readings: 0, body: "{}" },
    });
  }

  /** Rows of `stretch` are given up, but those that the same commit brings. */
  #giveUp([first, last]: Stretch, rows: readonly StoredRow[]): void {
    const kept = rows.map(({ seq }) => seq)
      .filter((seq) => seq >= first && seq <= last);
    for (const seq of [...kept, last + 1]) {
      if (seq > first) {
        this.#deleted = addStretch(this.#deleted, [first, seq - 1]);
      }
      first = seq + 1;
    }
  }

  #insert(row: StoredRow): void {
    const { seq, board, epoch, monoUs, boardTs, readings, total, body } = row;
    // A row that is there already was committed by an attempt that the disk reported as failed.
    this.#run(
      "INSERT INTO packets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING",
      ...[seq, board, epoch, monoUs, boardTs, readings, total, body],
      rowChecksum(row),
    );
  }

  #writeBoard(board: BoardState): void {
    const { id, name, lines, packets, rejects, other, truncated } = board;
    const counts = [lines, packets, rejects, other, truncated];
    const latest = JSON.stringify(board.latest);
    const values = [...counts, latest, JSON.stringify(board.clock)];
    if (this.#run(UPDATE_BOARD, ...values, id, name) > 0) {
      this.#digest?.change(board, latest);
      return;
    }
    this.#run(INSERT_BOARD, id, name, ...values);
    this.#digest = undefined;
  }

  #writeSink(sink: SinkState): void {
    const { id, name, target, active, seenTotal, ledger } = sink;
    const { cursor, ahead, parked, received, requeued, delivered } = ledger;
    this.#digest ??= new Digest((sql) => this.prepare(sql));
    const seal = {
      end: this.#end,
      deleted: this.#deleted,
      digest: this.#digest.value,
    };
    const values = [
      ...[active ? 1 : 0, cursor.seq, cursor.total, seenTotal, ahead, parked],
      ...[received, requeued, delivered, JSON.stringify(ledger.dropped)],
      ...[makeSeal(sink, seal), JSON.stringify(ledger.deliveredAhead)],
    ];
    const written = this.#run(UPDATE_SINK, ...values, id, name, target);
    if (written === 0) this.#run(INSERT_SINK, ...values, id, name, target);
  }

  /** How many rows it has written. */
  #run(sql: string, ...values: (string | number | null)[]): number {
    return Number(this.prepare(sql).run(...values).changes);
  }
}
