/**
 * The journal's SQLite file: opened as the journal wants it, and what it holds besides its rows.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type {
  BoardState,
  DiskState,
  Epoch,
  KeptReject,
  SinkState,
  StoredRow,
} from "./disk.ts";
import { SCHEMA_VERSION } from "./schema.ts";

/** Bytes of a page, SQLite's default. */
export const PAGE_BYTES = 4096;

/** The columns of `packets` as a {@linkcode StoredRow}. */
export const ROW_COLUMNS =
  `seq, board, epoch, mono_us AS monoUs, board_ts AS boardTs, readings, total, body`;

/** Opens SQLite as the journal wants it; `readOnly` for looking at a file that may be in use. */
export function openDatabase(
  path: string,
  options: { readOnly?: boolean } = {},
): DatabaseSync {
  const db = new DatabaseSync(path, {
    readOnly: options.readOnly ?? false,
    timeout: 1000,
  });
  try {
    if (!options.readOnly) {
      // WAL: one sync a commit. No auto_vacuum: freed pages stay ours when the disk is full.
      db.exec("PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL");
    }
    const version = Number(
      db.prepare("PRAGMA user_version").get()?.["user_version"],
    );
    if (version > SCHEMA_VERSION) {
      throw new Error(
        `The journal "${path}" was written by a newer version of this program: its schema is ` +
          `${version}, this program knows up to ${SCHEMA_VERSION}. Use the newer program, or name ` +
          `another folder in "journal.folder"`,
      );
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Opens a file that cannot be written, nor the files beside it. What only its write-ahead log holds
 * is seen where the log's index is there too.
 */
export function openUnwritable(path: string): DatabaseSync {
  try {
    const db = openDatabase(path, { readOnly: true });
    return db;
  } catch {
    // SQLite wants to make an index for the log, even where there is no log.
    const url = pathToFileURL(path);
    url.search = "immutable=1";
    return openDatabase(url.href, { readOnly: true });
  }
}

/** Reads all that a file holds besides its rows. */
export function readState(db: DatabaseSync): DiskState {
  const row = (order: "ASC" | "DESC") =>
    (db.prepare(
      `SELECT ${ROW_COLUMNS} FROM packets ORDER BY seq ${order} LIMIT 1`,
    ).get() ??
      null) as StoredRow | null;
  return {
    boards: db.prepare("SELECT * FROM boards ORDER BY id").all().map((
      board,
    ) => ({
      ...board,
      latest: JSON.parse(String(board["latest"])),
    })) as unknown as BoardState[],
    sinks: db.prepare("SELECT * FROM sinks ORDER BY id").all().map(toSinkState)
      .map((sink) =>
        sink.active || sink.ledger.ahead === 0
          ? sink
          : { ...sink, left: readingsAfter(db, sink.ledger.cursor.seq) }
      ),
    epochs: db.prepare(
      "SELECT id, boot_id AS bootId, offset_us AS offsetUs, quality FROM epochs ORDER BY id",
    ).all() as unknown as Epoch[],
    oldest: row("ASC"),
    newest: row("DESC"),
    lastParked: Number(
      db.prepare("SELECT max(id) AS last FROM parked").get()?.["last"] ?? 0,
    ),
    usedBytes: usedBytes((sql) => db.prepare(sql)) - fillerBytes(db),
  };
}

function readingsAfter(db: DatabaseSync, seq: number): number {
  const sum = db.prepare(
    "SELECT sum(readings) AS readings FROM packets WHERE seq > ?",
  ).get(seq);
  return Number(sum?.["readings"] ?? 0);
}

function toSinkState(row: Record<string, unknown>): SinkState {
  const number = (column: string) => Number(row[column]);
  return {
    id: number("id"),
    name: String(row["name"]),
    target: String(row["target"]),
    active: row["active"] === 1,
    seenTotal: number("seen_total"),
    ledger: {
      cursor: { seq: number("seq"), total: number("total") },
      ahead: number("ahead"),
      parked: number("parked"),
      received: number("received"),
      requeued: number("requeued"),
      delivered: number("delivered"),
      dropped: JSON.parse(String(row["dropped"])),
    },
  };
}

/** Up to `limit` rejects after the id `after`, in order. */
export function readRejects(
  prepare: (sql: string) => StatementSync,
  after: number,
  limit: number,
): KeptReject[] {
  return prepare(
    "SELECT id, time_us AS timeUs, board, origin, reason, body FROM rejects WHERE id > ? ORDER BY id LIMIT ?",
  ).all(after, limit) as unknown as KeptReject[];
}

/** Pages of a row with which the file is filled to its limit (`reserve.ts`): 128 kB. */
export const FILLER_PAGES = 32;

/** What those rows take of a file. They are there only while it is being filled. */
export function fillerBytes(db: DatabaseSync): number {
  const there = db.prepare(
    "SELECT 1 FROM sqlite_schema WHERE name = 'filler'",
  ).get();
  if (there === undefined) return 0;
  const count = db.prepare("SELECT count(*) AS rows FROM filler").get();
  return Number(count?.["rows"]) * FILLER_PAGES * PAGE_BYTES;
}

/** Bytes of the file that hold something, filler rows included. */
export function usedBytes(prepare: (sql: string) => StatementSync): number {
  const pragma = (name: string) =>
    Number(prepare(`PRAGMA ${name}`).get()?.[name]);
  return (pragma("page_count") - pragma("freelist_count")) * PAGE_BYTES;
}
