/**
 * One gateway per journal: a lock on a file beside it. The system gives it back when the process
 * ends, `kill -9` included.
 *
 * Where the folder cannot be written, or is not there, a file in the system's folder for temporary
 * ones stands in for it, until the folder can be locked. So a gateway that keeps its journal in
 * memory is alone too.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { tryLock } from "../try_lock.ts";

/** How long a look at the lock by `iiot-gateway status` may hold up a start. */
const PATIENCE_MS = 1000;
const PAUSE_MS = 50;

/** Another gateway has the journal. */
export class FolderInUseError extends Error {
  override name = "FolderInUseError";
}

/** A held lock; disposing gives it back. */
export interface FolderLock extends Disposable {
  readonly path: string;
}

/**
 * Locks `folder` for this process.
 *
 * @throws {FolderInUseError} if another process holds the lock, naming its process id
 * @throws {Error} if the folder has no lock file and takes none
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const standIn = await standInPath(folder);
  const stranger = await ownerOf(standIn);
  // This process holds it itself while it waits for the folder.
  if (stranger !== null && stranger !== Deno.pid) throw inUse(folder, stranger);
  const path = join(folder, "journal.lock");
  const lock = await lockFile(path, folder, 0o600)
    .catch((error) => lockUnwritable(path, folder, error));
  // One that a crash left behind.
  if (stranger === null) await Deno.remove(standIn).catch(() => {});
  return lock;
}

/** What cannot be written can still be locked, if it is there. */
async function lockUnwritable(
  path: string,
  folder: string,
  error: unknown,
): Promise<FolderLock> {
  if (error instanceof FolderInUseError) throw error;
  const file = await Deno.open(path, { read: true }).catch(() => {
    throw error;
  });
  if (!await tryLock(file, true)) {
    file.close();
    // Whoever holds it could perhaps not write its number either.
    throw inUse(folder, 0);
  }
  return { path, [Symbol.dispose]: () => file.close() };
}

/**
 * The lock of a folder that cannot be written, or is not there yet.
 *
 * @throws {FolderInUseError} if another gateway holds it
 * @throws {Error} if the system has no folder for temporary files
 */
export async function lockStandIn(folder: string): Promise<FolderLock> {
  const path = await standInPath(folder);
  // Another user's gateway must see that it is held.
  const lock = await lockFile(path, folder, 0o644);
  return {
    path,
    [Symbol.dispose]: () => {
      try {
        Deno.removeSync(path);
      } catch {
        // Only litter.
      }
      lock[Symbol.dispose]();
    },
  };
}

/** The process id of the gateway that holds the lock of `folder`, 0 if it left none; null when no gateway runs. */
export async function lockOwner(folder: string): Promise<number | null> {
  return await ownerOf(join(folder, "journal.lock")) ??
    await ownerOf(await standInPath(folder));
}

async function lockFile(
  path: string,
  folder: string,
  mode: number,
): Promise<FolderLock> {
  const file = await Deno.open(path, {
    read: true,
    write: true,
    create: true,
    mode,
  });
  const deadline = performance.now() + PATIENCE_MS;
  while (!await tryLock(file, true)) {
    if (performance.now() >= deadline) {
      const owner = Number((await Deno.readTextFile(path)).trim());
      file.close();
      throw inUse(folder, owner);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  try {
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  } catch {
    // A full disk. The lock holds all the same; only the number is missing.
  }
  return {
    path,
    [Symbol.dispose]: () => {
      try {
        // Should the next one not be able to write its number, this one must not stand there.
        file.truncateSync();
      } catch {
        // The disk has failed meanwhile.
      }
      file.close();
    },
  };
}

async function ownerOf(path: string): Promise<number | null> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return null;
    throw error;
  }
  try {
    if (await tryLock(file, false)) return null;
    return Number((await Deno.readTextFile(path)).trim()) || 0;
  } finally {
    file.close();
  }
}

function inUse(folder: string, owner: number): FolderInUseError {
  return new FolderInUseError(
    `The journal in "${folder}" is in use by another gateway (process ${
      owner || "unknown"
    }). ` +
      `Stop that one, or give this one its own "journal.folder"`,
  );
}

/** The file that stands in for `folder`'s own: the same one by whichever way the folder is named. */
async function standInPath(folder: string): Promise<string> {
  const name = createHash("sha256").update(await realFolder(folder))
    .digest("hex").slice(0, 16);
  return join(tmpdir(), `iiot-gateway-${name}.lock`);
}

/** `folder` without links, as far as it is there. */
async function realFolder(folder: string): Promise<string> {
  const path = resolve(folder);
  return await realpath(path).catch(async () => {
    const parent = dirname(path);
    return parent === path
      ? path
      : join(await realFolder(parent), basename(path));
  });
}
