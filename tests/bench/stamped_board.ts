/**
 * `stamped_board.ts RATE PACKETS [RATE PACKETS]`: a board that prints so many packets, so many a second,
 * and then so many more, each with the moment at which it is printed, and is silent then.
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
  /** Packets before those. @default {none} */
  readonly earlier?: {
    readonly packets: number;
    /** A second. */
    readonly rate: number;
  };
}

/** The command that runs this file. */
export function stampedBoard(options: StampedBoardOptions): string[] {
  const { rate, packets, earlier } = options;
  const path = fileURLToPath(import.meta.url);
  const before = earlier === undefined ? [] : [earlier.rate, earlier.packets];
  const args = [...before, rate, packets].map(String);
  return [Deno.execPath(), "run", "-q", path, ...args];
}

if (import.meta.main) {
  const numbers = Deno.args.map(Number);
  const encoder = new TextEncoder();
  for (let printed = 0; numbers.length > 0;) {
    const [rate = 1, packets = 1] = numbers.splice(0, 2);
    const startedMs = performance.now();
    for (let place = 1; place <= packets; place++) {
      // Each by the plan: one that is late makes no other late.
      const dueMs = startedMs + place * 1000 / rate;
      await pause(Math.max(0, dueMs - performance.now()));
      Deno.stdout.writeSync(encoder.encode(stampedLine(printed++)));
    }
  }
  await pause(2 ** 31 - 1);
}
