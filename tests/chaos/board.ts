/**
 * A child that prints numbered packets as probe-rs prints them, does what it is ordered to, and goes on
 * with the next number when it is started again.
 *
 *     board.ts FOLDER
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import {
  type BoardAct,
  boardLogPath,
  type BoardOrders,
  ordersPath,
  readBoardLog,
} from "./board_files.ts";
import { lineOf } from "./packet.ts";

const TICK_MS = 25;
/** A board that stood still has kept no more than this, in packets. */
const MAX_OWED = 1000;

const [folder = ""] = Deno.args;
const encoder = new TextEncoder();
let stopping = false;
Deno.addSignalListener("SIGTERM", () => stopping = true);

const log = Deno.openSync(boardLogPath(folder), {
  append: true,
  create: true,
  mode: 0o600,
});
// Never two at once, whatever became of the one before.
log.lockSync(true);
// It may have been killed in the middle of a line.
note("\n");
const printed = readBoardLog(folder);
const bootMs = printed[0]?.atMs ?? Date.now();
let next = (printed.at(-1)?.index ?? -1) + 1;

let orders = readOrders();
let done = orders.act.id;
let owed = 0;
let before = performance.now();
// One that is to be silent is so from its start: its first line would end it where nobody reads.
if (orders.perS > 0) {
  await print("[INFO] Gateway firmware started (app src/main.rs:1)\n");
}
while (!stopping) {
  orders = readOrders();
  if (orders.act.id !== done) {
    done = orders.act.id;
    await perform(orders.act.kind);
  }
  const now = performance.now();
  owed = Math.min(MAX_OWED, owed + orders.perS * (now - before) / 1000);
  before = now;
  for (; owed >= 1 && !stopping; owed--) await printPacket([1]);
  await delay(TICK_MS);
}
Deno.exit(0);

async function perform(act: BoardAct): Promise<void> {
  if (act === "garbage") await printGarbage();
  else if (act === "torn") await printPacket([0.4, 1]);
  else if (act === "stall") await delay(3000);
  else if (act === "fail") Deno.exit(1);
  else if (act === "half") {
    note(`${next} ${Date.now()}`);
    const line = lineOf(next, Date.now() - bootMs);
    await print(line.slice(0, line.length / 2));
    Deno.exit(1);
  }
}

/** Prints the next packet up to each share of its line, with pauses between. */
async function printPacket(shares: readonly number[]): Promise<void> {
  const line = `${lineOf(next, Date.now() - bootMs)}\n`;
  note(`${next} ${Date.now()}`);
  let from = 0;
  for (const share of shares) {
    if (from > 0) await delay(300);
    const to = Math.round(share * line.length);
    await print(line.slice(from, to));
    from = to;
  }
  note(" ok\n");
  next++;
}

async function printGarbage(): Promise<void> {
  await print("[WARN] I2C timeout, retrying (app src/i2c.rs:17)\n");
  await print('[INFO] JSON sent via VCP: {"ts":12,"n1":{"t":27.6,"h":\n');
  await print("[INFO] JSON sent via VCP: \n\n\r\n");
  await Deno.stdout.write(new Uint8Array([0xff, 0xfe, 0, 27, 0x80, 0xc3, 10]));
  await print(`JSON sent via VCP: {"n1":{"t":${"9".repeat(20_000)}}}\n`);
}

function readOrders(): BoardOrders {
  return JSON.parse(Deno.readTextFileSync(ordersPath(folder))) as BoardOrders;
}

function note(text: string): void {
  log.writeSync(encoder.encode(text));
}

async function print(text: string): Promise<void> {
  const bytes = encoder.encode(text);
  for (let from = 0; from < bytes.length;) {
    from += await Deno.stdout.write(bytes.subarray(from));
  }
}
