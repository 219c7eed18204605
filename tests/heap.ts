/**
 * What this process keeps in V8's memory.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes that are still referred to: everything else was collected for this. */
export function keptBytes(): number {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  gc();
  gc();
  return Deno.memoryUsage().heapUsed;
}
