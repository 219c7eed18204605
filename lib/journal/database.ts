/**
 * The journal's SQLite file: opened as the journal wants it, and what it holds besides its rows.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { pathToFileURL } from "node:url";
import type {
  BoardState,
  DiskState,
  Epoch,
  KeptReject,
  SinkState,
  StoredRow,
} from "./disk.ts";
import type { LedgerState } from "./ledger.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "./schema.ts";

/** Bytes of a page, SQLite's default. */
export const PAGE_BYTES = 4096;

/** The columns of `packets` as a {@linkcode StoredRow}. */
export const ROW_COLUMNS =
  `seq, board, epoch, mono_us AS monoUs, board_ts AS boardTs, readings, total, body`;

/** SQLite's result codes for content that cannot be: corrupt, not a database, a file cut short. */
const DAMAGE_CODES = [11, 26, 522];

/**
 * Whether an error tells of what a file holds, and not of the disk under it: reading it again will
 * not help, a salvage will.
 */
export function isDamage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { errcode, code } = error as { errcode?: number; code?: string };
  if (errcode !== undefined) {
    return DAMAGE_CODES.includes(errcode) ||
      DAMAGE_CODES.includes(errcode & 0xff);
  }
  // `exec` gives no code; a number beyond 2^53 is none that the journal wrote.
  return code === "ERR_OUT_OF_RANGE" ||
    /malformed|not a database|JavaScript number/.test(error.message);
}

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
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The version of the file's tables; 0 for a new file. */
export function readVersion(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** Runs `work` in a transaction, which is undone if it throws. */
export function transact<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    try {
      db.exec("ROLLBACK");
    } catch {
      // After a full disk SQLite has rolled back already, and refuses to do it again.
    }
    throw error;
  }
}

/** Takes the steps that the file has not taken yet, all of them or none. */
export function migrate(db: DatabaseSync): void {
  const steps = MIGRATIONS.slice(readVersion(db));
  if (steps.length === 0) return;
  // A transaction of its own for each, and so a sync of the disk, would hold up the first start.
  transact(
    db,
    () => db.exec(`${steps.join(";")}; PRAGMA user_version=${SCHEMA_VERSION}`),
  );
}

/** The checksum that a row of `packets` carries. */
export function rowChecksum(row: StoredRow): number {
  const { seq, board, epoch, monoUs, boardTs, readings, total, body } = row;
  return crc32(
    `${seq}|${board}|${epoch}|${monoUs}|${boardTs}|${readings}|${total}|${body}`,
  );
}
const NO_CLOCK = '{"reboots":0,"wraps":0,"repeats":0,"jumps":0}';

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
      clock: JSON.parse(String(board["clock"] ?? NO_CLOCK)),
    })) as unknown as BoardState[],
    sinks: db.prepare("SELECT * FROM sinks ORDER BY id").all().map(toSinkState)
      .map((sink) => withLeft(db, sink)),
    epochs: readEpochs(db),
    oldest: row("ASC"),
    newest: row("DESC"),
    lastParked: Number(
      db.prepare("SELECT max(id) AS last FROM parked").get()?.["last"] ?? 0,
    ),
    usedBytes: usedBytes((sql) => db.prepare(sql)) - fillerBytes(db),
  };
}

/** A removed sink with what is left for it: meanwhile rows may have gone from anywhere. */
function withLeft(db: DatabaseSync, sink: SinkState): SinkState {
  return sink.active
    ? sink
    : { ...sink, left: undoneReadings(db, sink.ledger) };
}

/** Readings of the rows beyond a ledger's cursor that it does not hold for done. */
export function undoneReadings(db: DatabaseSync, ledger: LedgerState): number {
  const { cursor, deliveredAhead } = ledger;
  const sum = db.prepare(
    "SELECT ifnull(sum(readings), 0) AS readings FROM packets WHERE seq > ? AND seq <= ?",
  );
  const starts = [cursor, ...deliveredAhead.map(({ to }) => to)];
  return starts.reduce((readings, { seq }, i) => {
    const last = deliveredAhead[i]?.from.seq ?? Number.MAX_SAFE_INTEGER;
    return readings + Number(sum.get(seq, last)?.["readings"]);
  }, 0);
}

/** Reads the clock epochs. */
export function readEpochs(db: DatabaseSync): Epoch[] {
  return db.prepare("SELECT * FROM epochs ORDER BY id").all().map(toEpoch);
}

/** What {@linkcode epochValues} is inserted by. */
export const INTO_EPOCHS =
  `INTO epochs (id, boot_id, offset_us, quality, frozen, known_by, corrected_us, first_us, last_us)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** An epoch as its row is written. */
export function epochValues(epoch: Epoch): (string | number | null)[] {
  const { id, bootId, offsetUs, quality, knownBy, correctedUs } = epoch;
  const frozen = quality === "unknown" ? 0 : 1;
  const { firstUs, lastUs } = epoch;
  return [
    ...[id, bootId, offsetUs, quality, frozen],
    ...[knownBy, correctedUs, firstUs, lastUs],
  ];
}

/** A row of `epochs`; a file that only older programs have written has not all of it yet. */
export function toEpoch(row: Record<string, unknown>): Epoch {
  const { quality, known_by } = row;
  return {
    id: Number(row["id"]),
    bootId: String(row["boot_id"]),
    offsetUs: Number(row["offset_us"]),
    quality: quality === "unknown" || quality === "estimated"
      ? quality
      : "known",
    knownBy: typeof known_by === "string" ? known_by : null,
    correctedUs: Number(row["corrected_us"] ?? 0),
    firstUs: Number(row["first_us"] ?? 0),
    lastUs: typeof row["last_us"] === "number" ? row["last_us"] : null,
  };
}

/** A row of `sinks`. */
export function toSinkState(row: Record<string, unknown>): SinkState {
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
      deliveredAhead: JSON.parse(String(row["delivered_ahead"] ?? "[]")),
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
