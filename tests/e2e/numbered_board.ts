/**
 * A child that prints numbered packets as probe-rs prints them, ends now and then as a real one
 * does, and goes on where it was when it is started again.
 *
 *     numbered_board.ts STATE_FILE PACKETS PER_RUN
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { values } from "./numbered_packet.ts";

const [state = "", total = "0", perRun = "0"] = Deno.args;
let next = Number(await Deno.readTextFile(state).catch(() => "0"));
const last = Math.min(Number(total), next + Number(perRun));
const encoder = new TextEncoder();

// A packet that was printed is also counted, whenever the end is asked for.
let asked = false;
Deno.addSignalListener("SIGTERM", () => {
  if (next >= last) Deno.exit(0);
  asked = true;
});
await write("[INFO] Gateway firmware started (app src/main.rs:1)\n");
while (next < last && !asked) {
  await write(line(next));
  await Deno.writeTextFile(state, String(++next));
  if (next % 5 === 0) await delay(5);
}
// The last run stays, as a board does that has nothing more to say.
if (next === Number(total) && !asked) await delay(2 ** 31 - 1);
Deno.exit(0);

function line(index: number): string {
  const v = values(index);
  const json = JSON.stringify({
    ts: index * 10,
    id: "N2",
    n1: { t: v["n1.t"], h: v["n1.h"], g: v["n1.g"] },
    n2: { t: v["n2.t"], p: v["n2.p"] },
    sig: { rssi: v["sig.rssi"], snr: v["sig.snr"] },
    sts: { rx: v["sts.rx"], err: v["sts.err"] },
  });
  return `[INFO] JSON sent via VCP: ${json}\\n (app src/main.rs:573)\n`;
}

async function write(text: string): Promise<void> {
  await Deno.stdout.write(encoder.encode(text));
}
