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

import { sizeOf } from "./aside.ts";
import {
  isDamage,
  openDatabase,
  openUnwritable,
  PAGE_BYTES,
  readEpochs,
  readRejects,
  readState,
  rowChecksum,
} from "./database.ts";
import { decodeValue } from "./rows.ts";
import type {
  Commit,
  CommitResult,
  Disk,
  DiskState,
  KeptReject,
  OldestRow,
  Reserved,
  StoredParkedReading,
  StoredRow,
} from "./disk.ts";
import { toDiskError } from "./disk_error.ts";
import { Examiner } from "./examiner.ts";
import { Opening } from "./opening.ts";
import type { Recovery } from "./recovery.ts";
import { checkpointPages, Reserve } from "./reserve.ts";
import { readCopy, type SafetyCopy, writeCopy } from "./safety_copy.ts";
import { type CheckedRow, Tables } from "./tables.ts";

/** Pages worth copying once nothing was written for a second: 1 MB. */
const IDLE_CHECKPOINT_PAGES = 256;

/** The safety copy is written again after so many packets, … */
const COPY_ROWS = 100_000;
/** … and after so many milliseconds. */
const COPY_MS = 600_000;
/** It waits for a pause of so many milliseconds between two commits: its sync would hold up the next one, … */
const COPY_PAUSE_MS = 250;
/** … but no longer than this. */
const COPY_PATIENCE_MS = 10_000;

/** Rows that are read in one step after a stop that was not in order. */
const EXAMINED_ROWS = 500;

/** A salvage in mid-run that fails is not tried again sooner. */
const RECOVERY_PAUSE_MS = 60_000;

/** Options for {@linkcode Store}. */
export interface StoreOptions {
  /** Milliseconds since 1970, for the names of files put aside. @default {Date.now} */
  now?(): number;
}

/** SQLite as a {@linkcode Disk}. */
export class Store implements Disk {
  readonly #opening: Opening;
  #path = "";
  #logBytes = 0;
  #tables: Tables | undefined;
  #pagesInLog = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #reserve: Reserve | undefined;
  #examiner: Examiner | undefined;

  /** What the last commit left, should the file turn out damaged; it outlives the connection. */
  #known: Omit<SafetyCopy, "closed" | "epochs"> = {
    boards: [],
    sinks: [],
    end: { seq: 0, total: 0 },
    deleted: [],
  };
  #copyTimer: ReturnType<typeof setTimeout> | undefined;
  #copied: { seq: number; atMs: number } | undefined;
  /** Since when the copy is to be written; it waits for a pause. */
  #copyDueMs: number | undefined;
  #recoveries: Recovery[] = [];
  #failedMs = -Infinity;
  /** Why there is no file to work with: a salvage failed. */
  #broken: unknown;

  constructor({ now = Date.now }: StoreOptions = {}) {
    this.#opening = new Opening({ now });
  }

  open(path: string, logBytes: number): DiskState {
    this.#disconnect();
    // Opened anew after a fault: what it held is known, and nothing came after that.
    const known = path === this.#path && this.#known.end.seq > 0
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
    this.#tables = new Tables(openUnwritable(path));
    return readState(this.#tables.db);
  }

  reserve(bytes: number, fill: boolean): Reserved {
    try {
      // Nothing of it is worth a sync of its own.
      this.#open().setSynchronous("NORMAL");
      if (this.#reserve === undefined) throw new Error("It cannot be written");
      return this.#reserve.step(bytes, fill);
    } catch (error) {
      throw toDiskError(error, this.#path);
    }
  }

  commit(commit: Commit): CommitResult {
    let usedBytes: number;
    try {
      usedBytes = this.#guard(() => this.#open().commit(commit));
    } catch (error) {
      throw toDiskError(error, this.#path);
    }
    // It is written: nothing from here on may say that it is not.
    this.#know(commit);
    this.#checkpointWhenIdle(commit);
    this.#copyWhenDue(commit);
    return {
      usedBytes: usedBytes - (this.#reserve?.fillerBytes ?? 0),
      recoveries: this.#recoveries.splice(0),
    };
  }

  read(seq: number, limit: number): StoredRow[] {
    return this.#guard(() => {
      for (let after = seq;;) {
        const rows = this.#open().rows(
          "WHERE seq > ? ORDER BY seq",
          after,
          limit,
        );
        const last = rows.at(-1);
        if (last === undefined) return [];
        const sound = this.#sound(rows);
        // A page full of broken rows is not the end.
        if (sound.length > 0) return sound;
        after = last.seq;
      }
    });
  }

  oldest(limit: number, seq = 0): OldestRow[] {
    return this.#guard(() =>
      this.#sound(this.#open().rows("WHERE seq > ? ORDER BY seq", seq, limit))
        .map(({ seq, readings, total, epoch, monoUs }) => ({
          seq,
          readings,
          total,
          epoch,
          monoUs,
        }))
    );
  }

  parked(sink: number, limit: number): StoredParkedReading[] {
    return this.#guard(() =>
      this.#open().all(
        `SELECT id, sink, seq, parked.board, time_us AS timeUs, path, value, reason,
         epoch, mono_us AS monoUs
       FROM (
         SELECT *, row_number() OVER (PARTITION BY board, path ORDER BY id) AS place
         FROM parked WHERE sink = ?
       ) AS parked LEFT JOIN packets USING (seq) WHERE place <= ? ORDER BY id`,
        sink,
        limit,
      )
    ).map((row) => ({
      ...row as unknown as StoredParkedReading,
      value: decodeValue(row["value"]),
    }));
  }

  oldestParked(sink: number, limit: number): number[] {
    return this.#guard(() =>
      this.#open().all(
        "SELECT id FROM parked WHERE sink = ? ORDER BY id LIMIT ?",
        sink,
        limit,
      )
    ).map((row) => Number(row["id"]));
  }

  rejects(after: number, limit: number): KeptReject[] {
    return this.#guard(() =>
      readRejects((sql) => this.#open().prepare(sql), after, limit)
    );
  }

  close(): void {
    if (this.#copied !== undefined) this.#copy({ closed: true });
    this.#disconnect();
  }

  /** Opens the file and takes from it what the next commits go on from. */
  #connect(path: string): DiskState {
    const tables = this.#tables = new Tables(openDatabase(path));
    // SQLite itself knows how long the log is. A checkpoint of its own that fails does not fail the
    // commit that it comes with.
    const pages = checkpointPages(this.#logBytes);
    tables.db.exec(`PRAGMA wal_autocheckpoint=${pages}`);
    const state = tables.load();
    this.#reserve = new Reserve(tables.db, path, this.#logBytes);
    this.#known = { ...this.#known, boards: [], sinks: [] };
    this.#know(state);
    return state;
  }

  /** Lets go of the file, without a word of what was known of it. */
  #disconnect(): void {
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#copyTimer);
    this.#examiner?.stop();
    this.#copied = undefined;
    this.#copyDueMs = undefined;
    this.#reserve = undefined;
    // The last connection copies the log into the file as it closes, if the disk lets it.
    const tables = this.#tables;
    this.#tables = undefined;
    tables?.[Symbol.dispose]();
  }

  /** Remembers the last accounts of boards and sinks, and where the tables stand. */
  #know({ boards, sinks }: Pick<Commit, "boards" | "sinks">): void {
    const { end, deleted } = this.#open();
    const unchanged = this.#known.boards.filter(({ id }) =>
      !boards.some((board) => board.id === id)
    );
    this.#known = {
      boards: [...unchanged, ...boards],
      sinks: sinks.length > 0 ? sinks : this.#known.sinks,
      end,
      deleted,
    };
  }

  /** What is known of the file, and nothing came after that. */
  #knownCopy(): SafetyCopy {
    return {
      ...this.#known,
      epochs: readCopy(this.#path)?.epochs ?? [],
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

  /** Of `rows` those that are as they were written; the others are removed. */
  #sound(rows: readonly CheckedRow[]): StoredRow[] {
    const sound: StoredRow[] = [];
    const broken: number[] = [];
    for (const { crc, ...row } of rows) {
      if (rowChecksum(row) === crc) sound.push(row);
      else broken.push(row.seq);
    }
    if (broken.length === 0) return sound;
    this.#open().remove(broken);
    this.#recoveries.push({
      kind: "rows",
      fault: `their checksums do not fit, the first is packet ${broken[0]}`,
      path: this.#path,
      packets: broken.length,
      missing: {},
      removed: [],
    });
    return sound;
  }

  /** Copies the write-ahead log into the file once nothing was written for a second. */
  #checkpointWhenIdle({ rows, rejects }: Commit): void {
    const bytes = rows.reduce((sum, row) => sum + row.body.length + 40, 0) +
      rejects.reduce((sum, reject) => sum + reject.body.length + 100, 0);
    // A commit touches the newest page of the rows, and those of boards, sinks and perhaps the tree.
    this.#pagesInLog += 4 + Math.ceil(bytes / PAGE_BYTES);
    clearTimeout(this.#idleTimer);
    if (this.#pagesInLog < IDLE_CHECKPOINT_PAGES) return;
    this.#idleTimer = setTimeout(() => {
      try {
        // Passive: waits for nobody. What a reader still holds is copied the next time.
        this.#open().prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
        this.#pagesInLog = 0;
      } catch {
        // A full or failing disk: the log keeps it, and the next commit tries again.
      }
    }, 1000);
  }

  #copyWhenDue({ epochs }: Commit): void {
    const nowMs = performance.now();
    const isDue = this.#copied === undefined || epochs.length > 0 ||
      this.#known.end.seq - this.#copied.seq >= COPY_ROWS ||
      nowMs - this.#copied.atMs >= COPY_MS;
    if (isDue) this.#copyDueMs ??= nowMs;
    if (this.#copyDueMs === undefined) return;
    this.#copied ??= { seq: this.#known.end.seq, atMs: nowMs };
    const waitedMs = nowMs - this.#copyDueMs;
    clearTimeout(this.#copyTimer);
    this.#copyTimer = setTimeout(() => {
      this.#copied = { seq: this.#known.end.seq, atMs: performance.now() };
      this.#copyDueMs = undefined;
      this.#copy({ closed: false });
    }, waitedMs < COPY_PATIENCE_MS ? COPY_PAUSE_MS : 0);
  }

  #copy({ closed }: { closed: boolean }): void {
    try {
      writeCopy(this.#path, {
        ...this.#known,
        closed,
        epochs: readEpochs(this.#open().db),
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
        const [found] = this.#open().all(`PRAGMA quick_check(${table})`);
        if (found?.["quick_check"] !== "ok") {
          throw new Error(`The table "${table}" is malformed`);
        }
      }
    });
    return null;
  }

  #open(): Tables {
    if (this.#tables === undefined) {
      throw this.#broken ?? new Error("The journal is closed");
    }
    return this.#tables;
  }
}
