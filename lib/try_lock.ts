/**
 * A lock on a file that the system gives back when its holder ends, `kill -9` included.
 *
 * @module
 */

/** How long a lock may take to come where it cannot be tried. */
const PATIENCE_MS = 1000;

/** Whether the lock is ours now. `tryLock` is newer than Deno 2.6; there, a lock that does not come at once is held by another. */
export async function tryLock(
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
