/**
 * The disk's side of the journal: SQLite, and nothing that decides.
 *
 * - A commit that asked to be `durable` is synced when {@linkcode Store.commit} returns
 *   (write-ahead log, `synchronous=FULL`); the others are at the next durable one, or when the
 *   system writes them out.
 * - A commit is written whole or not at all, a crash or a full disk included.
 * - Rows are only ever inserted and deleted, never changed.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import {
  openDatabase,
  openUnwritable,
  PAGE_BYTES,
  readRejects,
  readState,
  ROW_COLUMNS,
  usedBytes,
} from "./database.ts";
import type {
  Commit,
  CommitResult,
  Disk,
  DiskState,
  KeptReject,
  OldestRow,
  ParkedReading,
  Reserved,
  StoredRow,
} from "./disk.ts";
import { toDiskError } from "./disk_error.ts";
import { checkpointPages, Reserve } from "./reserve.ts";
import { MIGRATIONS, TIME_OF_DAY } from "./schema.ts";

/** Rejects kept, in bytes of their texts and 100 for each; the oldest go first. */
export const MAX_REJECT_BYTES = 2 * 1024 * 1024;

/** Pages worth copying once nothing was written for a second: 1 MB. */
const IDLE_CHECKPOINT_PAGES = 256;

/** The checksum that a row of `packets` carries. */
export function rowChecksum(row: StoredRow): number {
  const { seq, board, epoch, monoUs, boardTs, readings, total, body } = row;
  return crc32(
    `${seq}|${board}|${epoch}|${monoUs}|${boardTs}|${readings}|${total}|${body}`,
  );
}

/** SQLite as a {@linkcode Disk}. */
export class Store implements Disk {
  #db: DatabaseSync | undefined;
  #statements = new Map<string, StatementSync>();
  #pagesInLog = 0;
  #usedBytes = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #synchronous = "";
  #path = "";
  #reserve: Reserve | undefined;

  open(path: string, logBytes: number): DiskState {
    this.close();
    this.#path = path;
    this.#db = openDatabase(path);
    // SQLite itself knows how long the log is. A checkpoint of its own that fails does not fail the
    // commit that it comes with.
    this.#db.exec(`PRAGMA wal_autocheckpoint=${checkpointPages(logBytes)}`);
    this.#migrate();
    this.#reserve = new Reserve(this.#db, path, logBytes);
    return readState(this.#db);
  }

  openForReading(path: string): DiskState {
    this.close();
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
      this.#setSynchronous(commit.durable ? "FULL" : "NORMAL");
      this.#run("BEGIN IMMEDIATE");
      this.#write(commit);
      this.#run("COMMIT");
    } catch (error) {
      try {
        this.#run("ROLLBACK");
      } catch {
        // After a full disk SQLite has rolled back already, and refuses to do it again.
      }
      throw toDiskError(error, this.#path);
    }
    // It is written: nothing from here on may say that it is not.
    this.#checkpointWhenIdle(commit);
    return { usedBytes: this.#measure() };
  }

  read(seq: number, limit: number): StoredRow[] {
    return this.#all(
      `SELECT ${ROW_COLUMNS} FROM packets WHERE seq > ? ORDER BY seq LIMIT ?`,
      seq,
      limit,
    ) as unknown as StoredRow[];
  }

  oldest(limit: number): OldestRow[] {
    return this.#all(
      "SELECT seq, readings, epoch, mono_us AS monoUs FROM packets ORDER BY seq LIMIT ?",
      limit,
    ) as unknown as OldestRow[];
  }

  parked(sink: number, limit: number): ParkedReading[] {
    return this.#all(
      `SELECT id, sink, seq, board, time_us AS timeUs, path, value, reason FROM (
         SELECT *, row_number() OVER (PARTITION BY board, path ORDER BY id) AS place
         FROM parked WHERE sink = ?
       ) WHERE place <= ? ORDER BY id`,
      sink,
      limit,
    ) as unknown as ParkedReading[];
  }

  oldestParked(sink: number, limit: number): number[] {
    return this.#all(
      "SELECT id FROM parked WHERE sink = ? ORDER BY id LIMIT ?",
      sink,
      limit,
    )
      .map((row) => Number(row["id"]));
  }

  rejects(after: number, limit: number): KeptReject[] {
    return readRejects((sql) => this.#prepare(sql), after, limit);
  }

  close(): void {
    clearTimeout(this.#idleTimer);
    this.#statements.clear();
    this.#reserve = undefined;
    this.#synchronous = "";
    // The last connection copies the log into the file as it closes, if the disk lets it.
    const db = this.#db;
    this.#db = undefined;
    db?.close();
  }

  #write(
    commit: Commit,
  ): void {
    const { rows, epochs, boards, sinks, rejects, parked, unparked, deleted } =
      commit;
    // Before the rows: `SpareDisk` deletes a stretch and keeps some of it.
    if (deleted !== null) {
      this.#run("DELETE FROM packets WHERE seq BETWEEN ? AND ?", ...deleted);
    }
    // A row that is there already was committed by an attempt that the disk reported as failed.
    const insert = this.#prepare(
      "INSERT INTO packets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING",
    );
    for (const row of rows) {
      insert.run(
        row.seq,
        row.board,
        row.epoch,
        row.monoUs,
        row.boardTs,
        row.readings,
        row.total,
        row.body,
        rowChecksum(row),
      );
    }
    for (const { id, bootId, offsetUs, quality } of epochs) {
      this.#run(
        "INSERT INTO epochs (id, boot_id, offset_us, quality) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        id,
        bootId,
        offsetUs,
        quality,
      );
    }
    for (const board of boards) {
      this.#run(
        "INSERT OR REPLACE INTO boards VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        board.id,
        board.name,
        board.lines,
        board.packets,
        board.rejects,
        board.other,
        board.truncated,
        JSON.stringify(board.latest),
      );
    }
    for (const { id, name, target, active, seenTotal, ledger } of sinks) {
      this.#run(
        "INSERT OR REPLACE INTO sinks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        id,
        name,
        target,
        active ? 1 : 0,
        ledger.cursor.seq,
        ledger.cursor.total,
        seenTotal,
        ledger.ahead,
        ledger.parked,
        ledger.received,
        ledger.requeued,
        ledger.delivered,
        JSON.stringify(ledger.dropped),
      );
    }
    for (const id of commit.unrejected) {
      this.#run("DELETE FROM rejects WHERE id = ?", id);
    }
    for (const { timeUs, board, origin, reason, body } of rejects) {
      this.#run(
        "INSERT INTO rejects (time_us, board, origin, reason, body) VALUES (?, ?, ?, ?, ?)",
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
        `DELETE FROM epochs WHERE id < (SELECT epoch FROM packets ORDER BY seq LIMIT 1) AND id <> ${TIME_OF_DAY.id}`,
      );
    }
  }

  #migrate(): void {
    const db = this.#open();
    const version = Number(
      db.prepare("PRAGMA user_version").get()?.["user_version"],
    );
    MIGRATIONS.slice(version).forEach((sql, step) => {
      db.exec(
        `BEGIN IMMEDIATE; ${sql}; PRAGMA user_version=${
          version + step + 1
        }; COMMIT`,
      );
    });
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
    if (this.#db === undefined) throw new Error("The journal is closed");
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
