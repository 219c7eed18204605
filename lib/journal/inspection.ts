/**
 * A look at a journal's files before they are opened for writing: can they be trusted, were they left
 * in order, did a newer version of this program write them?
 *
 * It reads the first and the last row and the small tables, so it takes no time in a large journal,
 * and it changes nothing: SQLite removes a log that it cannot use.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { sizeOf } from "./aside.ts";
import {
  isDamage,
  openDatabase,
  readState,
  readVersion,
  ROW_COLUMNS,
  rowChecksum,
} from "./database.ts";
import type { StoredRow } from "./disk.ts";
import type { Position } from "./ledger.ts";
import type { SafetyCopy } from "./safety_copy.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "./schema.ts";
import { digest, readSeals } from "./seal.ts";

/** What a look at a journal's files tells. */
export type Inspection =
  /** There is none yet. */
  | { readonly kind: "new" }
  /** Nothing speaks against it. */
  | { readonly kind: "sound"; readonly end: Position }
  | { readonly kind: "newer"; readonly version: number }
  /** `fault`: `its file is not a database`. */
  | { readonly kind: "damaged"; readonly fault: string };

/** SQLite's code for a statement that does not fit the tables. */
const SQLITE_ERROR = 1;

/** Looks at the journal at `path`. @throws {Error} if the disk or its rights stand in the way */
export function inspect(path: string, copy?: SafetyCopy): Inspection {
  if (sizeOf(path) === 0) {
    if (sizeOf(`${path}-wal`) > 0) {
      return { kind: "damaged", fault: "its file is empty, its log is not" };
    }
    return copy === undefined || copy.end.seq === 0
      ? { kind: "new" }
      : { kind: "damaged", fault: "its file is gone" };
  }
  try {
    // A rollback journal is left when power fails while the file is being made; who only reads cannot
    // carry it out.
    const readOnly = sizeOf(`${path}-journal`) === 0;
    using db = openDatabase(path, { readOnly });
    const version = readVersion(db);
    if (version > SCHEMA_VERSION && !hasOurTables(db)) {
      return { kind: "newer", version };
    }
    const fault = findFault(db, version);
    if (fault !== null) return { kind: "damaged", fault };
    const newest = version === 0 ? null : readState(db).newest;
    return { kind: "sound", end: { seq: 0, total: 0, ...newest } };
  } catch (error) {
    if (!isDiskFault(error)) {
      const message = error instanceof Error ? error.message : String(error);
      return { kind: "damaged", fault: message };
    }
    throw error;
  }
}

function findFault(db: DatabaseSync, version: number): string | null {
  const { tables } = {
    ...db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get(),
  };
  if (version > SCHEMA_VERSION || (version === 0 && tables !== 0)) {
    return `its version is ${version}, its tables are others`;
  }
  if (version === 0) return null;
  for (const order of ["ASC", "DESC"]) {
    const row = db.prepare(
      `SELECT ${ROW_COLUMNS}, crc FROM packets ORDER BY seq ${order} LIMIT 1`,
    ).get();
    if (
      row !== undefined &&
      rowChecksum(row as unknown as StoredRow) !== row["crc"]
    ) return `the checksum of packet ${row["seq"]} does not fit`;
  }
  const { newest, oldest, sinks, epochs } = readState(db);
  for (const row of [newest, oldest]) {
    if (row !== null && !epochs.some(({ id }) => id === row.epoch)) {
      return `the time of packet ${row.seq} is missing`;
    }
  }
  for (const { name, seenTotal, active } of sinks) {
    if (active && seenTotal !== (newest?.total ?? 0)) {
      return `its newest packets do not fit the ledger of "${name}"`;
    }
  }
  if (version < 2) return null;
  db.prepare("SELECT name, seq FROM adopted").all();
  for (const { end, digest: written } of readSeals(db, sinks)) {
    if (end.seq !== (newest?.seq ?? 0)) return "its newest packets are missing";
    if (written !== digest((sql) => db.prepare(sql))) {
      return "the checksum of boards and clock does not fit";
    }
  }
  return null;
}

/** Whether the tables are those that this program makes: then a version above ours is damage. */
function hasOurTables(db: DatabaseSync): boolean {
  const read = (from: DatabaseSync) =>
    JSON.stringify(
      from.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all(),
    );
  using own = new DatabaseSync(":memory:");
  for (const sql of MIGRATIONS) own.exec(sql);
  return read(db) === read(own);
}

/** Whether an error tells of the disk or its rights; whatever else fails here does so for the content. */
export function isDiskFault(error: unknown): boolean {
  if (isDamage(error) || !(error instanceof Error)) return false;
  const { errcode, code } = error as { errcode?: number; code?: string };
  return errcode === undefined
    ? code === "ERR_SQLITE_ERROR" ||
      !(error instanceof SyntaxError) && code !== undefined
    : (errcode & 0xff) !== SQLITE_ERROR;
}
