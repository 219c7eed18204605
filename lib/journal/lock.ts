/**
 * One gateway per journal: a lock on a file beside it. The system gives it back when the process
 * ends, `kill -9` included.
 *
 * @module
 */

import { join } from "node:path";

/** How long a look at the lock by `iiot-gateway status` may hold up a start. */
const PATIENCE_MS = 1000;
const PAUSE_MS = 50;

/** A held lock; disposing gives it back. */
export interface FolderLock extends Disposable {
  readonly path: string;
}

/**
 * Locks `folder` for this process.
 *
 * @throws {Error} if another process holds the lock, naming its process id
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, "journal.lock");
  const file = await Deno.open(path, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  const deadline = performance.now() + PATIENCE_MS;
  while (!await tryLock(file, true)) {
    if (performance.now() >= deadline) {
      const owner = (await Deno.readTextFile(path)).trim();
      file.close();
      throw new Error(
        `The journal in "${folder}" is in use by another gateway (process ${
          owner || "unknown"
        }). ` +
          `Stop that one, or give this one its own "journal.folder"`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return { path, [Symbol.dispose]: () => file.close() };
}

/** The process id of the gateway that holds the lock of `folder`, 0 if it left none; null when no gateway runs. */
export async function lockOwner(folder: string): Promise<number | null> {
  const path = join(folder, "journal.lock");
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  try {
    if (await tryLock(file, false)) return null;
    return Number((await Deno.readTextFile(path)).trim()) || 0;
  } finally {
    file.close();
  }
}

/** `tryLock` is newer than Deno 2.6; there, a lock that does not come at once is held by another. */
async function tryLock(
  file: Deno.FsFile,
  exclusive: boolean,
): Promise<boolean> {
  if (file.tryLock !== undefined) return await file.tryLock(exclusive);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS);
  });
  const locked = file.lock(exclusive).then(() => true, () => false);
  return await Promise.race([locked, timeout]).finally(() =>
    clearTimeout(timer)
  );
}
