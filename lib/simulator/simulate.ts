/**
 * `iiot-gateway simulate`: a board's lines, at its pace or as fast as somebody reads them.
 *
 * @module
 */

import { SimulatedBoard } from "./board.ts";

/** Options for {@linkcode simulate}. */
export interface SimulateOptions {
  /** From one packet to the next; 0 writes as fast as `write` takes it. */
  readonly intervalMs: number;
  /**
   * Packets of telemetry after which it ends.
   *
   * @default {Infinity}
   */
  readonly count?: number;
  /**
   * The same seed gives the same values at any interval.
   *
   * @default {1}
   */
  readonly seed?: number;
  /** Takes whole lines; resolves when it can take more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it, also while `write` or `wait` is pending. */
  readonly signal: AbortSignal;
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** The real board's interval, which its clock shows when none is kept. */
const BOARD_STEP_MS = 10_000;
/** Written at once when there is no interval: about what a pipe holds. */
const LINES_AT_ONCE = 512;

/**
 * Writes lines until the count is reached, `signal` is aborted or the reader is gone; none of them is
 * an error.
 *
 * @returns how many packets of telemetry were written
 */
export async function simulate(options: SimulateOptions): Promise<number> {
  const { intervalMs, count = Infinity, seed = 1, signal } = options;
  const board = new SimulatedBoard({
    seed,
    stepMs: intervalMs || BOARD_STEP_MS,
  });
  const encoder = new TextEncoder();
  let lines = [board.boot()];
  let gathered = 0;
  let written = 0;
  while (written + gathered < count && !signal.aborted) {
    lines.push(...board.packet());
    gathered++;
    const last = written + gathered === count;
    if (intervalMs === 0 && lines.length < LINES_AT_ONCE && !last) continue;
    try {
      await unlessAborted(
        options.write(encoder.encode(lines.join("\n") + "\n")),
        signal,
      );
    } catch (error) {
      if (signal.aborted || error instanceof Deno.errors.BrokenPipe) break;
      throw error;
    }
    written += gathered;
    gathered = 0;
    lines = [];
    if (intervalMs > 0 && !last) await options.wait(intervalMs, signal);
  }
  return written;
}

/** What `pending` comes to, or a rejection as soon as `signal` is aborted: a full pipe may never be. */
async function unlessAborted(
  pending: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([pending, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
