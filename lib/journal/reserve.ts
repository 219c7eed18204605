/**
 * Takes the disk space that the journal may need beforehand, so that a disk which others fill up
 * cannot hurt it: the file is filled to its limit once, and the write-ahead log to its length at
 * each start. SQLite never gives either back while the file is open (`auto_vacuum=NONE`), so from
 * then on no commit and no deletion needs new space.
 *
 * The file is filled with filler rows in a table of its own, which are then deleted again: their
 * pages stay free in the file. That table is there only meanwhile, and a crash leaves nothing but
 * the work to go on with. The log is filled by writing one such row again and again.
 *
 * Each step is small, and a step is all that a commit ever waits for.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { FILLER_PAGES, fillerBytes, PAGE_BYTES } from "./database.ts";
import type { Reserved } from "./disk.ts";

/** A page of a long value holds the number of its next page besides. */
const ROW_BYTES = FILLER_PAGES * (PAGE_BYTES - 4);
/** Rows deleted in a step. */
const ROWS_FREED = 4;
/** How much longer the file may be than asked: a commit goes beyond its limit before rows go. */
const SLACK_BYTES = 1024 * 1024;
/** Free space that is left to others. */
const LEFT_FREE_BYTES = 8 * 1024 * 1024;

/** Fills one open file. */
export class Reserve {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #logBytes: number;
  /** What the filler rows take now. */
  #fillerBytes: number;
  /** The log has had its length since the file was opened. */
  #logFilled = false;
  #checkpoint: number;

  constructor(db: DatabaseSync, path: string, logBytes: number) {
    this.#db = db;
    this.#path = path;
    this.#logBytes = logBytes;
    this.#fillerBytes = fillerBytes(db);
    this.#checkpoint = checkpointPages(logBytes);
  }

  /** What the filler rows take of the file; they hold nothing. */
  get fillerBytes(): number {
    return this.#fillerBytes;
  }

  /** One step towards a file of `bytes`; without `fill` only towards a shorter one. */
  step(bytes: number, fill: boolean): Reserved {
    const pages = this.#pragma("page_count");
    if (this.#shorten(pages, bytes)) return { missingBytes: 1, roomy: true };
    const file = fill
      ? Math.max(0, bytes + SLACK_BYTES - pages * PAGE_BYTES)
      : 0;
    const log = fill && !this.#logFilled
      ? Math.max(0, this.#logBytes - logLength(this.#path))
      : 0;
    const missingBytes = file + log;
    const roomy = missingBytes === 0 || this.#isRoomy(missingBytes);
    try {
      // Copied into the file, the log would begin anew and not become longer: not before it is full.
      this.#setCheckpoint(file === 0 && log > 0 && roomy ? 0 : undefined);
      if (file > 0 && roomy) this.#growFile();
      else if (log > 0 && roomy) this.#growLog();
      else if (this.#fillerBytes > 0) this.#free();
      else return { missingBytes, roomy };
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#setCheckpoint(undefined);
      throw error;
    }
    return { missingBytes: Math.max(missingBytes, 1), roomy: true };
  }

  /** What the journal may use has become less: free pages go back to the disk. */
  #shorten(pages: number, bytes: number): boolean {
    const used = pages - this.#pragma("freelist_count");
    const most = bytes + 4 * SLACK_BYTES;
    if (pages * PAGE_BYTES <= most || used * PAGE_BYTES > bytes) return false;
    this.#db.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    this.#logFilled = false;
    return true;
  }

  #pragma(name: "page_count" | "freelist_count"): number {
    return Number(this.#db.prepare(`PRAGMA ${name}`).get()?.[name]);
  }

  #isRoomy(missingBytes: number): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    return bavail * bsize >= missingBytes + LEFT_FREE_BYTES;
  }

  #growFile(): void {
    this.#addRow();
    // The log is short, so this copies little; left alone it would copy all of a full log at once.
    this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  #growLog(): void {
    if (this.#fillerBytes === 0) this.#addRow();
    else {
      // Other bytes each time: SQLite does not write a page again that stays as it is.
      this.#db.exec(
        `UPDATE filler SET body = randomblob(${ROW_BYTES}) WHERE id = (SELECT max(id) FROM filler)`,
      );
    }
    this.#logFilled = logLength(this.#path) >= this.#logBytes;
  }

  /** After how many pages the log is copied into the file; 0: never. */
  #setCheckpoint(pages = checkpointPages(this.#logBytes)): void {
    if (pages === this.#checkpoint) return;
    this.#db.exec(`PRAGMA wal_autocheckpoint=${pages}`);
    this.#checkpoint = pages;
  }

  #addRow(): void {
    this.#db.exec(
      `BEGIN IMMEDIATE;
       CREATE TABLE IF NOT EXISTS filler (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
       INSERT INTO filler (body) VALUES (randomblob(${ROW_BYTES}));
       COMMIT`,
    );
    this.#fillerBytes += FILLER_PAGES * PAGE_BYTES;
  }

  #free(): void {
    this.#db.exec(
      `DELETE FROM filler WHERE id IN (SELECT id FROM filler ORDER BY id DESC LIMIT ${ROWS_FREED})`,
    );
    this.#fillerBytes = fillerBytes(this.#db);
    if (this.#fillerBytes === 0) this.#db.exec("DROP TABLE filler");
  }
}

/**
 * After how many pages of the log they are copied into the file: half of its length, so that a large
 * commit still finds room behind them.
 */
export function checkpointPages(logBytes: number): number {
  return Math.floor(logBytes / 2 / PAGE_BYTES);
}

function logLength(path: string): number {
  try {
    return Deno.statSync(`${path}-wal`).size;
  } catch {
    return 0;
  }
}
