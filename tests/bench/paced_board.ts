/**
 * A child that prints packets at a steady pace, writes into each when it left, and measures how long its
 * own writes take.
 *
 *     paced_board.ts PACKETS PER_SECOND RESULT_FILE
 *
 * @module
 */

import { SimulatedBoard } from "../../lib/simulator/board.ts";

/** The reading that tells when a packet left, by {@linkcode nowMs}, in the board's JSON. */
export const SENT_PATH = "sent";

/** What the child measured. */
export interface PacedResult {
  /** Milliseconds of its longest write. */
  readonly longestMs: number;
}

/** Milliseconds since 1970, exact to microseconds, and the same in every process of a machine. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

if (import.meta.main) {
  const [packets = "0", perSecond = "1", file = ""] = Deno.args;
  const board = new SimulatedBoard({ seed: 1, stepMs: 1000 / +perSecond });
  const encoder = new TextEncoder();
  const beganMs = performance.now();
  let longestMs = 0;
  for (let i = 0; i < Number(packets); i++) {
    const dueMs = beganMs + i * 1000 / Number(perSecond);
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
    const lines = board.packet().join("\n")
      .replace(': {"', `: {"${SENT_PATH}":${nowMs().toFixed(3)},"`);
    const bytes = encoder.encode(lines + "\n");
    for (let at = 0; at < bytes.length;) {
      const before = performance.now();
      at += Deno.stdout.writeSync(bytes.subarray(at));
      longestMs = Math.max(longestMs, performance.now() - before);
    }
  }
  const result: PacedResult = { longestMs };
  await Deno.writeTextFile(`${file}.new`, JSON.stringify(result));
  await Deno.rename(`${file}.new`, file);
}
