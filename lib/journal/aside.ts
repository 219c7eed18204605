/**
 * Journals put aside: damaged ones, and those that a newer version of this program wrote.
 *
 *     journal-20261123T101500Z.damaged.db   with -wal, -shm, -journal and -copy where there are such
 *     journal-20261123T101500Z.newer.db
 *
 * - The files of a journal go together, and nothing is ever overwritten.
 * - A journal is replaced by its salvaged successor such that a crash at any moment leaves either the
 *   old one in its place or the whole new one: see {@linkcode Replacement}.
 * - Of the damaged ones the newest are kept ({@linkcode MAX_DAMAGED}, {@linkcode MAX_DAMAGED_BYTES});
 *   those of a newer version are kept until a program has taken them over.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";

/** Damaged journals kept. */
export const MAX_DAMAGED = 3;
/** Bytes of the damaged journals kept; the newest is kept whatever its size. */
export const MAX_DAMAGED_BYTES = 256 * 1024 * 1024;

/** What stands behind a journal's name in the names of its files. */
export const SUFFIXES = ["", "-wal", "-shm", "-journal", "-copy"] as const;

/** Why a journal lies aside. */
export type AsideKind = "damaged" | "newer";

/** A journal that was put aside. */
export interface AsideFile {
  readonly path: string;
  readonly kind: AsideKind;
  /** Bytes of all its files. */
  readonly bytes: number;
}

/** The journals put aside in the folder of the journal at `path`, the oldest first. */
export function listAside(path: string): AsideFile[] {
  const folder = dirname(path);
  return namesIn(folder).flatMap((name) => {
    const kind = pattern(path, "(damaged|newer)").exec(name)?.[1];
    if (kind === undefined) return [];
    const file = join(folder, name);
    const bytes = SUFFIXES.reduce((sum, end) => sum + sizeOf(file + end), 0);
    return [{ path: file, kind: kind as AsideKind, bytes }];
  }).sort((a, b) => compareAge(a.path, b.path));
}

/** Puts a newer version's journal aside; gives where it lies now. @throws {Error} if the disk refuses */
export function putNewerAside(path: string, nowMs: number): string {
  const stem = freeStem(path, nowMs);
  // Says after a crash that what is left of the journal's files belongs to those that are moved.
  Deno.writeFileSync(`${stem}.moving.db`, new Uint8Array());
  syncFolder(path);
  finishReplacements(path);
  return `${stem}.newer.db`;
}

/** Removes the journal at `path` with all its files. */
export function removeJournal(path: string): void {
  // The file itself last: as long as it is there, the journal is.
  for (const suffix of SUFFIXES.toReversed()) removeIfThere(path + suffix);
  syncFolder(path);
}

/** Removes the oldest damaged journals beyond the limits; gives those that are gone. */
export function trimDamaged(path: string): string[] {
  const damaged = listAside(path).filter(({ kind }) => kind === "damaged")
    .reverse();
  let bytes = 0;
  const gone = damaged.filter((one, i) => {
    bytes += one.bytes;
    return i > 0 && (i >= MAX_DAMAGED || bytes > MAX_DAMAGED_BYTES);
  });
  for (const one of gone) removeJournal(one.path);
  return gone.map((one) => one.path);
}

/**
 * A journal's successor while it is made.
 *
 * It grows in `….rebuilding.db`. Once that is whole and on the disk it is renamed to `….rebuilt.db`,
 * and from then on it is the journal: {@linkcode finishReplacements} moves the old one aside and the
 * new one into its place, now or at the next start.
 */
export class Replacement {
  readonly #path: string;
  readonly #stem: string;

  constructor(path: string, nowMs: number) {
    this.#path = path;
    this.#stem = freeStem(path, nowMs);
  }

  /** Where the successor is made. */
  get buildPath(): string {
    return `${this.#stem}.rebuilding.db`;
  }

  /** The successor is closed and whole: it takes the journal's place; gives where the old one lies. */
  finish(): string {
    {
      using file = Deno.openSync(this.buildPath, { read: true, write: true });
      file.syncSync();
    }
    Deno.renameSync(this.buildPath, `${this.#stem}.rebuilt.db`);
    syncFolder(this.#path);
    finishReplacements(this.#path);
    return `${this.#stem}.damaged.db`;
  }
}

/** Ends what a crash interrupted: removes unfinished successors, puts finished ones in place. */
export function finishReplacements(path: string): void {
  const folder = dirname(path);
  for (const name of namesIn(folder)) {
    const file = join(folder, name);
    if (pattern(path, "rebuilding", ".*").test(name)) removeIfThere(file);
    if (pattern(path, "moving").test(name)) {
      moveJournal(path, file.replace(/\.moving\.db$/, ".newer.db"));
      syncFolder(path);
      Deno.removeSync(file);
    } else if (pattern(path, "rebuilt").test(name)) {
      moveJournal(path, file.replace(/\.rebuilt\.db$/, ".damaged.db"));
      syncFolder(path);
      Deno.renameSync(file, path);
    } else continue;
    syncFolder(path);
  }
}

/** Makes the names in the folder of `path` last; where a folder cannot be synced nothing is to be done. */
export function syncFolder(path: string): void {
  try {
    using folder = Deno.openSync(dirname(path), { read: true });
    folder.syncSync();
  } catch {
    // Windows opens no folders, and some file systems sync none.
  }
}

/** The size of a file; 0 if there is none. */
export function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** Names that belong to the journal at `path`: `journal-DATE.KIND.db`. */
function pattern(path: string, kind: string, end = ""): RegExp {
  const name = basename(path, ".db").replace(/[^\w-]/g, "\\$&");
  return new RegExp(`^${name}-\\d{8}T\\d{6}Z(?:-\\d+)?\\.${kind}\\.db${end}$`);
}

/** `FOLDER/journal-20261123T101500Z`, with a number behind it where that is taken. */
function freeStem(path: string, nowMs: number): string {
  const date = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const stem = `${basename(path, ".db")}-${date}`;
  const taken = namesIn(dirname(path));
  for (let i = 1;; i++) {
    const name = i === 1 ? stem : `${stem}-${i}`;
    if (!taken.some((one) => one.startsWith(`${name}.`))) {
      return join(dirname(path), name);
    }
  }
}

/** The first of a second has no number. */
function compareAge(a: string, b: string): number {
  const age = (path: string) => path.replace(/Z(?=\.\w+\.db$)/, "Z-1");
  return age(a).localeCompare(age(b), "en", { numeric: true });
}

function moveJournal(from: string, to: string): void {
  for (const suffix of SUFFIXES) {
    try {
      Deno.renameSync(from + suffix, to + suffix);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory;
}
