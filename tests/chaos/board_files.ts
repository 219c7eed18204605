/**
 * What the numbered board and those who command it tell each other, by files in one folder.
 *
 * @module
 */

import { join } from "node:path";

/** What the board shall do once. */
export type BoardAct =
  /** Print log lines, broken packets, bytes that are no text, and a line of 20,000 characters. */
  | "garbage"
  /** Print a packet in two pieces with a pause between. */
  | "torn"
  /** Print half a packet and end. */
  | "half"
  /** End with exit code 1. */
  | "fail"
  /** Print nothing for three seconds, then all that has gathered. */
  | "stall";

/** What the board shall do. */
export interface BoardOrders {
  /** Packets a second. */
  readonly perS: number;
  /** Done once, when `id` is another than before. */
  readonly act: { readonly id: number; readonly kind: BoardAct };
}

/** A packet in the board's own log. */
export interface PrintedPacket {
  readonly index: number;
  /** When it was about to be printed, milliseconds since 1970 by the real clock. */
  readonly atMs: number;
  /** The system has taken all of it. Without, it may have been printed or not. */
  readonly printed: boolean;
}

/** The file with the orders. */
export function ordersPath(folder: string): string {
  return join(folder, "board.json");
}

/** The board's own log: a line per packet, written before it is printed and marked behind. */
export function boardLogPath(folder: string): string {
  return join(folder, "board.log");
}

/** Gives orders. */
export async function order(
  folder: string,
  orders: BoardOrders,
): Promise<void> {
  const path = ordersPath(folder);
  await Deno.writeTextFile(`${path}.new`, JSON.stringify(orders));
  await Deno.rename(`${path}.new`, path);
}

/** Reads the board's own log. */
export function readBoardLog(folder: string): PrintedPacket[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(boardLogPath(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return [...text.matchAll(/^(\d+) (\d+)( ok)?$/gm)].map((
    [, index, atMs, ok],
  ) => ({
    index: Number(index),
    atMs: Number(atMs),
    printed: ok !== undefined,
  }));
}
