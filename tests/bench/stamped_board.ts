/**
 * `stamped_board.ts RATE PACKETS`: a board that prints so many packets a second, so many in all, each
 * with the moment at which it is printed, and is silent then.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stampedLine } from "./stamp.ts";

/** What a {@linkcode stampedBoard} prints. */
export interface StampedBoardOptions {
  /** Packets a second; less than 1 for one in several seconds. */
  readonly rate: number;
  /** Packets in all. */
  readonly packets: number;
}

/** The command that runs this file. */
export function stampedBoard(options: StampedBoardOptions): string[] {
  const { rate, packets } = options;
  const path = fileURLToPath(import.meta.url);
  return [Deno.execPath(), "run", "-q", path, String(rate), String(packets)];
}

if (import.meta.main) {
  const [rate = 1, packets = 1] = Deno.args.map(Number);
  const encoder = new TextEncoder();
  const startedMs = performance.now();
  for (let number = 0; number < packets; number++) {
    // Each by the plan: one that is late makes no other late.
    const dueMs = startedMs + number * 1000 / rate;
    await pause(Math.max(0, dueMs - performance.now()));
    Deno.stdout.writeSync(encoder.encode(stampedLine(number)));
  }
  await pause(2 ** 31 - 1);
}
