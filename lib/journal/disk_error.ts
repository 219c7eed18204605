/**
 * What SQLite's words about a failing disk mean.
 *
 * SQLite calls a disk full only at ENOSPC; a quota that is used up (EDQUOT) and a file that may not
 * become longer (EFBIG) are an I/O error to it, and which one it keeps to itself. So after a failed
 * write the folder is asked.
 *
 * @module
 */

import { dirname } from "node:path";
import { DiskError } from "./disk.ts";

/** https://www.sqlite.org/rescode.html */
const FULL = 13;
/** SQLITE_IOERR_WRITE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHMMAP. */
const NO_ROOM_PERHAPS = [778, 1546, 4874, 5386];
/** The system's words for no space left, quota exceeded, and a file that is too large. */
const NO_ROOM = /ENOSPC|EDQUOT|EFBIG|os error (28|122|27)\b/;

/** `error` of the file `path`, with what kind it is of. */
export function toDiskError(error: unknown, path: string): DiskError {
  if (error instanceof DiskError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { errcode?: number }).errcode ?? 0;
  const full = code % 256 === FULL || /disk is full/.test(message) ||
    ((NO_ROOM_PERHAPS.includes(code) || /disk I\/O error/.test(message)) &&
      !hasRoom(path));
  return new DiskError(message, full ? "full" : "failing", { cause: error });
}

/** Whether the folder takes another file as long as the longest of the journal's. */
function hasRoom(path: string): boolean {
  const probe = `${dirname(path)}/.room-${crypto.randomUUID()}`;
  try {
    const end = Math.max(lengthOf(path), lengthOf(`${path}-wal`));
    using file = Deno.openSync(probe, { write: true, createNew: true });
    // A hole costs nothing: only the largest length and 64 kB are tried.
    file.seekSync(end, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(65_536));
    return true;
  } catch (error) {
    return !NO_ROOM.test(String(error));
  } finally {
    try {
      Deno.removeSync(probe);
    } catch {
      // It was not made.
    }
  }
}

function lengthOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}
