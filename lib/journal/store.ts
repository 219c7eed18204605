/**
 * The disk's side of the journal: SQLite, and nothing that decides.
 *
 * - A commit that asked to be `durable` is synced when {@linkcode Store.commit} returns
 *   (write-ahead log, `synchronous=FULL`); the others are at the next durable one, or when the
 *   system writes them out.
 * - A commit is written whole or not at all, a crash or a full disk included.
 * - Rows are only ever inserted and deleted, never changed.
 * - Content that cannot be read is no reason to refuse: the journal is opened through `opening.ts`,
 *   and damage that shows later sends it there once more. What came of it is told by
 *   {@linkcode DiskState} and the next {@linkcode CommitResult}.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { sizeOf } from "./aside.ts";
import {
  epochValues,
  INTO_EPOCHS,
  isDamage,
  migrate,
  openDatabase,
  openUnwritable,
  PAGE_BYTES,
  readEpochs,
  readRejects,
  readState,
  ROW_COLUMNS,
  rowChecksum,
  transact,
  usedBytes,
} from "./database.ts";
import {
  type Commit,
  type CommitResult,
  type Disk,
  type DiskState,
  EMPTY_COMMIT,
  type KeptReject,
  type OldestRow,
  type Reserved,
  type SinkState,
  type StoredParkedReading,
  type StoredRow,
} from "./disk.ts";
import { toDiskError } from "./disk_error.ts";
import { Examiner } from "./examiner.ts";
import type { Position } from "./ledger.ts";
import { Opening } from "./opening.ts";
import type { Recovery } from "./recovery.ts";
import { checkpointPages, Reserve } from "./reserve.ts";
import { readCopy, type SafetyCopy, writeCopy } from "./safety_copy.ts";
import { TIME_OF_DAY } from "./schema.ts";
import {
  addStretch,
  digest,
  makeSeal,
  readSeals,
  type Stretch,
} from "./seal.ts";

/** Rejects kept, in bytes of their texts and 100 for each; the oldest go first. */
export const MAX_REJECT_BYTES = 2 * 1024 * 1024;

const INSERT_REJECT =
  "INSERT INTO rejects (time_us, board, origin, reason, body) VALUES (?, ?, ?, ?, ?)";
/** For a commit that is tried again: its first attempt may be written. */
const INSERT_REJECT_ONCE =
  `INSERT INTO rejects (time_us, board, origin, reason, body) SELECT ?1, ?2, ?3, ?4, ?5
   WHERE NOT EXISTS (SELECT 1 FROM rejects
     WHERE time_us = ?1 AND board = ?2 AND origin = ?3 AND reason = ?4 AND body = ?5)`;

/** Pages worth copying once nothing was written for a second: 1 MB. */
const IDLE_CHECKPOINT_PAGES = 256;

/**
 * Epochs that are kept after their last row: a clock that was set back may come to their times again,
 * and no time is given twice.
 */
export const KEPT_EPOCHS = 64;

/** The safety copy is written again after so many packets, … */
const COPY_ROWS = 100_000;
/** … and after so many milliseconds. */
const COPY_MS = 600_000;

/** Rows that are read in one step after a stop that was not in order. */
const EXAMINED_ROWS = 500;

/** A salvage in mid-run that fails is not tried again sooner. */
const RECOVERY_PAUSE_MS = 60_000;

/** Options for {@linkcode Store}. */
export interface StoreOptions {
  /** Milliseconds since 1970, for the names of files put aside. @default {Date.now} */
  now?(): number;
}

/** A row with the checksum that it carries. */
type CheckedRow = StoredRow & { readonly crc: number };

/** Parked readings whose rows go keep the times that these have by now. */
const PARKED_TIMES = `UPDATE parked SET time_us = ifnull((
    SELECT offset_us + mono_us FROM packets JOIN epochs ON epochs.id = packets.epoch
    WHERE packets.seq = parked.seq
  ), time_us) WHERE seq BETWEEN ? AND ?`;

/** SQLite as a {@linkcode Disk}. */
export class Store implements Disk {
  readonly #opening: Opening;
  #path = "";
  #logBytes = 0;
  #db: DatabaseSync | undefined;
  #statements = new Map<string, StatementSync>();
  #pagesInLog = 0;
  #usedBytes = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #synchronous = "";
  #reserve: Reserve | undefined;
  #examiner: Examiner | undefined;

  /** The newest row, and the rows that were deleted. */
  #end: Position = { seq: 0, total: 0 };
  #deleted: readonly Stretch[] = [];
  #digest = 0;
  /** The last commit's accounts: what is known should the file turn out damaged. */
  #known: Pick<Commit, "boards" | "sinks"> = EMPTY_COMMIT;
  #copied: { seq: number; atMs: number } | undefined;
  #recoveries: Recovery[] = [];
  #failedMs = -Infinity;
  /** Why there is no file to work with: a salvage failed. */
  #broken: unknown;

  constructor({ now = Date.now }: StoreOptions = {}) {
    this.#opening = new Opening({
      now,
      connect: (path) => {
        const store = new Store({ now });
        store.#connect(path);
        return {
          db: store.#open(),
          write: (commit) => store.#write(commit),
          restore: ({ deleted }) =>
            store.#deleted = deleted.reduce(addStretch, store.#deleted),
          [Symbol.dispose]: () => store.close(),
        };
      },
    });
  }

  open(path: string, logBytes: number): DiskState {
    this.#disconnect();
    // Opened anew after a fault: what it held is known, and nothing came after that.
    const known = path === this.#path && this.#end.seq > 0
      ? this.#knownCopy()
      : undefined;
    [this.#path, this.#logBytes] = [path, logBytes];
    const unclean = sizeOf(`${path}-wal`) > 0;
    const recoveries = this.#opening.prepare(path, known);
    const state = this.#connect(path);
    if (unclean) {
      this.#examiner = new Examiner((seq) => this.#examine(seq));
      this.#examiner.start();
    }
    return { ...state, recoveries };
  }

  openForReading(path: string): DiskState {
    this.#disconnect();
    this.#db = openUnwritable(path);
    return readState(this.#db);
  }

  reserve(bytes: number, fill: boolean): Reserved {
    try {
      // Nothing of it is worth a sync of its own.
      this.#setSynchronous("NORMAL");
      if (this.#reserve === undefined) throw new Error("It cannot be written");
      return this.#reserve.step(bytes, fill);
    } catch (error) {
      throw toDiskError(error, this.#path);
    }
  }

  commit(commit: Commit): CommitResult {
    try {
      this.#guard(() => this.#commit(commit));
    } catch (error) {
      throw toDiskError(error, this.#path);
    }
    if (commit.sinks.length > 0) this.#known = commit;
    // It is written: nothing from here on may say that it is not.
    this.#checkpointWhenIdle(commit);
    this.#copyWhenDue(commit);
    return {
      usedBytes: this.#measure(),
      recoveries: this.#recoveries.splice(0),
    };
  }

  read(seq: number, limit: number): StoredRow[] {
    return this.#guard(() => {
      for (let after = seq;;) {
        const rows = this.#rows("WHERE seq > ? ORDER BY seq", after, limit);
        const last = rows.at(-1);
        if (last === undefined) return [];
        const sound = this.#sound(rows);
        // A page full of broken rows is not the end.
        if (sound.length > 0) return sound;
        after = last.seq;
      }
    });
  }

  oldest(limit: number): OldestRow[] {
    return this.#guard(() =>
      this.#sound(this.#rows("ORDER BY seq", limit)).map((
        { seq, readings, epoch, monoUs },
      ) => ({ seq, readings, epoch, monoUs }))
    );
  }

  parked(sink: number, limit: number): StoredParkedReading[] {
    return this.#guard(() =>
      this.#all(
        `SELECT id, sink, seq, parked.board, time_us AS timeUs, path, value, reason,
         epoch, mono_us AS monoUs
       FROM (
         SELECT *, row_number() OVER (PARTITION BY board, path ORDER BY id) AS place
         FROM parked WHERE sink = ?
       ) AS parked LEFT JOIN packets USING (seq) WHERE place <= ? ORDER BY id`,
        sink,
        limit,
      )
    ) as unknown as StoredParkedReading[];
  }

  oldestParked(sink: number, limit: number): number[] {
    return this.#guard(() =>
      this.#all(
        "SELECT id FROM parked WHERE sink = ? ORDER BY id LIMIT ?",
        sink,
        limit,
      )
    ).map((row) => Number(row["id"]));
  }

  rejects(after: number, limit: number): KeptReject[] {
    return this.#guard(() =>
      readRejects((sql) => this.#prepare(sql), after, limit)
    );
  }

  close(): void {
    if (this.#copied !== undefined) this.#copy({ closed: true });
    this.#disconnect();
  }

  /** Opens the file and takes from it what the next commits go on from. */
  #connect(path: string): DiskState {
    const db = this.#db = openDatabase(path);
    // SQLite itself knows how long the log is. A checkpoint of its own that fails does not fail the
    // commit that it comes with.
    const pages = checkpointPages(this.#logBytes) || 1000;
    db.exec(`PRAGMA wal_autocheckpoint=${pages}`);
    migrate(db);
    this.#reserve = new Reserve(db, path, this.#logBytes);
    const state = readState(db);
    this.#known = state;
    this.#end = { seq: 0, total: 0 };
    if (state.newest !== null) {
      const { seq, total } = state.newest;
      this.#end = { seq, total };
    }
    this.#deleted = readSeals(db, state.sinks)
      .flatMap(({ deleted }) => deleted)
      .reduce<readonly Stretch[]>(addStretch, []);
    this.#digest = digest((sql) => db.prepare(sql));
    return state;
  }

  /** Lets go of the file, without a word of what was known of it. */
  #disconnect(): void {
    clearTimeout(this.#idleTimer);
    this.#examiner?.stop();
    this.#copied = undefined;
    this.#statements.clear();
    this.#reserve = undefined;
    this.#synchronous = "";
    // The last connection copies the log into the file as it closes, if the disk lets it.
    const db = this.#db;
    this.#db = undefined;
    db?.close();
  }

  #commit(commit: Commit): void {
    this.#setSynchronous(commit.durable ? "FULL" : "NORMAL");
    const before = { end: this.#end, deleted: this.#deleted };
    this.#run("BEGIN IMMEDIATE");
    try {
      this.#write(commit);
      this.#run("COMMIT");
    } catch (error) {
      [this.#end, this.#deleted] = [before.end, before.deleted];
      try {
        this.#run("ROLLBACK");
      } catch {
        // After a full disk SQLite has rolled back already, and refuses to do it again.
      }
      throw error;
    }
  }

  /** What this connection knows of the file, and nothing came after that. */
  #knownCopy(): SafetyCopy {
    return {
      boards: this.#known.boards,
      sinks: this.#known.sinks,
      epochs: readCopy(this.#path)?.epochs ?? [],
      end: this.#end,
      deleted: this.#deleted,
      closed: true,
    };
  }

  /** Runs `work`; if the file turns out damaged, salvages it and runs `work` again. */
  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const nowMs = performance.now();
      if (
        !isDamage(error) || this.#path === "" ||
        nowMs - this.#failedMs < RECOVERY_PAUSE_MS
      ) throw error;
      try {
        this.#disconnect();
        const recovery = this.#opening.rebuild(
          this.#path,
          error instanceof Error ? error.message : String(error),
          this.#knownCopy(),
        );
        this.#recoveries.push(recovery);
        this.#connect(this.#path);
      } catch (failure) {
        this.#failedMs = nowMs;
        this.#broken = error;
        throw failure;
      }
      return work();
    }
  }

  #rows(where: string, ...values: number[]): CheckedRow[] {
    return this.#all(
      `SELECT ${ROW_COLUMNS}, crc FROM packets ${where} LIMIT ?`,
      ...values,
    ) as unknown as CheckedRow[];
  }

  /** Of `rows` those that are as they were written; the others are removed. */
  #sound(rows: readonly CheckedRow[]): StoredRow[] {
    const sound: StoredRow[] = [];
    const broken: number[] = [];
    for (const { crc, ...row } of rows) {
      if (rowChecksum(row) === crc) sound.push(row);
      else broken.push(row.seq);
    }
    if (broken.length > 0) this.#remove(broken);
    return sound;
  }

  /** Removes broken rows: sinks see a gap in the running totals, and book it as `corrupt`. */
  #remove(broken: readonly number[]): void {
    transact(this.#open(), () => {
      for (const seq of broken) {
        this.#run("DELETE FROM packets WHERE seq = ?", seq);
      }
      if (broken.includes(this.#end.seq)) this.#standIn();
    });
    this.#recoveries.push({
      kind: "rows",
      fault: `their checksums do not fit, the first is packet ${broken[0]}`,
      path: this.#path,
      packets: broken.length,
      missing: {},
      removed: [],
    });
  }

  /** The newest row is gone: one without readings keeps its number and the running total. */
  #standIn(): void {
    const [epoch] = this.#all("SELECT max(id) AS id FROM epochs");
    const [before] = this.#rows("ORDER BY seq DESC", 1);
    this.#insert({
      ...{ board: 1, epoch: Number(epoch?.["id"] ?? 1), monoUs: 0 },
      ...before,
      ...this.#end,
      ...{ boardTs: null, readings: 0, body: "{}" },
    });
  }

  #write(commit: Commit): void {
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
    for (const board of boards) {
      this.#run(
        "INSERT OR REPLACE INTO boards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        board.id,
        board.name,
        board.lines,
        board.packets,
        board.rejects,
        board.other,
        board.truncated,
        JSON.stringify(board.latest),
        JSON.stringify(board.clock),
      );
    }
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
        value,
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
    if (boards.length > 0 || epochs.length > 0 || deleted !== null) {
      this.#digest = digest((sql) => this.#prepare(sql));
    }
    for (const sink of sinks) this.#writeSink(sink);
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

  #writeSink(sink: SinkState): void {
    const { id, name, target, active, seenTotal, ledger } = sink;
    const { cursor, ahead, parked, received, requeued, delivered } = ledger;
    const seal = {
      end: this.#end,
      deleted: this.#deleted,
      digest: this.#digest,
    };
    this.#run(
      `INSERT OR REPLACE INTO sinks (id, name, target, active, seq, total, seen_total, ahead, parked,
         received, requeued, delivered, dropped, seal, delivered_ahead)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, name, target, active ? 1 : 0, cursor.seq, cursor.total],
      ...[seenTotal, ahead, parked, received, requeued, delivered],
      JSON.stringify(ledger.dropped),
      makeSeal(sink, seal),
      JSON.stringify(ledger.deliveredAhead),
    );
  }

  #setSynchronous(mode: "FULL" | "NORMAL"): void {
    if (this.#synchronous === mode) return;
    this.#open().exec(`PRAGMA synchronous=${mode}`);
    this.#synchronous = mode;
  }

  /** Copies the write-ahead log into the file once nothing was written for a second. */
  #checkpointWhenIdle({ rows, rejects }: Commit): void {
    const bytes = rows.reduce((sum, row) => sum + row.body.length + 40, 0) +
      rejects.reduce((sum, reject) => sum + reject.body.length + 100, 0);
    // A commit touches the newest page of the rows, and those of boards, sinks and the tree.
    this.#pagesInLog += 4 + Math.ceil(bytes / PAGE_BYTES);
    clearTimeout(this.#idleTimer);
    if (this.#pagesInLog < IDLE_CHECKPOINT_PAGES) return;
    this.#idleTimer = setTimeout(() => {
      try {
        // Passive: waits for nobody. What a reader still holds is copied the next time.
        this.#prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
        this.#pagesInLog = 0;
      } catch {
        // A full or failing disk: the log keeps it, and the next commit tries again.
      }
    }, 1000);
  }

  #copyWhenDue({ epochs }: Commit): void {
    const nowMs = performance.now();
    const due = this.#copied === undefined || epochs.length > 0 ||
      this.#end.seq - this.#copied.seq >= COPY_ROWS ||
      nowMs - this.#copied.atMs >= COPY_MS;
    if (!due) return;
    this.#copied = { seq: this.#end.seq, atMs: nowMs };
    this.#copy({ closed: false });
  }

  #copy({ closed }: { closed: boolean }): void {
    try {
      writeCopy(this.#path, {
        ...{ closed, end: this.#end, deleted: this.#deleted },
        boards: this.#known.boards,
        sinks: this.#known.sinks,
        epochs: readEpochs(this.#open()),
      });
    } catch {
      // The copy is a help for bad days; a disk that refuses it refuses the next commit too.
    }
  }

  /** Reads some rows after `seq`, so that what is broken in them is found; gives the last one's. */
  #examine(seq: number): number | null {
    const last = this.read(seq, EXAMINED_ROWS).at(-1);
    if (last !== undefined) return last.seq;
    this.#guard(() => {
      for (const table of ["parked", "rejects"]) {
        const [found] = this.#all(`PRAGMA quick_check(${table})`);
        if (found?.["quick_check"] !== "ok") {
          throw new Error(`The table "${table}" is malformed`);
        }
      }
    });
    return null;
  }

  /** Bytes that hold something; those of the last look where the disk does not answer. */
  #measure(): number {
    try {
      this.#usedBytes = usedBytes((sql) => this.#prepare(sql)) -
        (this.#reserve?.fillerBytes ?? 0);
    } catch {
      // What is wrong with the disk is for the next commit to say.
    }
    return this.#usedBytes;
  }

  #open(): DatabaseSync {
    if (this.#db === undefined) {
      throw this.#broken ?? new Error("The journal is closed");
    }
    return this.#db;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#open().prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#prepare(sql).run(...values);
  }

  /** `all`, never `iterate`: the latter ends without a word at a damaged page. */
  #all(
    sql: string,
    ...values: (string | number | null)[]
  ): Record<string, unknown>[] {
    return this.#prepare(sql).all(...values) as Record<string, unknown>[];
  }
}
