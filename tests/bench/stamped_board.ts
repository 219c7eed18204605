/**
 * `stamped_board.ts RATE PACKETS EARLIER`: a board that prints EARLIER packets as fast as a busy board
 * does, then PACKETS more, so many a second, each with the moment at which it is printed, and is silent then.
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
  /** Packets at that rate. */
  readonly packets: number;
  /** Packets before those, {@linkcode EARLIER_RATE} a second. @default {0} */
  readonly earlier?: number;
}

/** Packets a second of what comes earlier. */
const EARLIER_RATE = 500;

/** The command that runs this file. */
export function stampedBoard(options: StampedBoardOptions): string[] {
  const { rate, packets, earlier = 0 } = options;
  const path = fileURLToPath(import.meta.url);
  const args = [rate, packets, earlier].map(String);
  return [Deno.execPath(), "run", "-q", path, ...args];
}

if (import.meta.main) {
  const [rate = 1, packets = 1, earlier = 0] = Deno.args.map(Number);
  const encoder = new TextEncoder();
  let number = 0;
  for (const [perSecond, count] of [[EARLIER_RATE, earlier], [rate, packets]]) {
    const startedMs = performance.now();
    for (let printed = 0; printed < count!; printed++) {
      // Each by the plan: one that is late makes no other late.
      const dueMs = startedMs + printed * 1000 / perSecond!;
      await pause(Math.max(0, dueMs - performance.now()));
      Deno.stdout.writeSync(encoder.encode(stampedLine(number++)));
    }
  }
  await pause(2 ** 31 - 1);
}
