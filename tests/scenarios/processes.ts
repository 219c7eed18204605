/**
 * Processes, as Linux tells of them.
 *
 * @module
 */

/** Those whose command line names `folder`. */
export async function processesOf(folder: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (/^\d+$/.test(name) && await isOf(Number(name), folder)) {
      found.push(Number(name));
    }
  }
  return found;
}

/** Whether a process of this number lives and its command line names `folder`. */
export async function isOf(pid: number, folder: string): Promise<boolean> {
  try {
    // One that is dead and not yet reaped has an empty one.
    const line = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    return line.includes(folder);
  } catch {
    return false;
  }
}
