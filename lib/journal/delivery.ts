/**
 * The end of a journal that gets no more packets: everything is delivered, or nothing goes on.
 *
 * @module
 */

import { wait as sleep } from "../wait.ts";
import type { Journal } from "./journal.ts";

/** Options for {@linkcode delivered}. */
export interface DeliveryOptions {
  readonly signal: AbortSignal;
  /** Milliseconds that only grow. @default {performance.now} */
  now?(): number;
  /** Resolves after `ms`, or early when `signal` is aborted. @default {a timer} */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
}

/** How long nothing may be delivered before what still waits is given up, in milliseconds. */
export const DELIVERY_PATIENCE_MS = 30_000;
const LOOK_MS = 50;

/** Whether everything is delivered; false once nothing was for a while, or `signal` is aborted. */
export async function delivered(
  journal: Pick<Journal, "standings">,
  { signal, now = () => performance.now(), wait = sleep }: DeliveryOptions,
): Promise<boolean> {
  let least = Infinity;
  let sinceMs = now();
  while (!signal.aborted) {
    const waiting = journal.standings()
      .reduce((sum, one) => sum + one.waiting, 0);
    if (waiting === 0) return true;
    if (waiting < least) [least, sinceMs] = [waiting, now()];
    if (now() - sinceMs > DELIVERY_PATIENCE_MS) return false;
    await wait(LOOK_MS, signal);
  }
  return false;
}
