/**
 * A journal at work, to be watched from outside: `deno run -A tests/journal/busy_journal.ts FOLDER`.
 *
 * Packet N is {@linkcode valuesOf}(N). Each line of stdout is a fact at the moment it is written:
 * `committed N`: packets up to N are said to be on the disk; `delivered NAME N`: that sink has said that
 * it has those up to N.
 *
 * @module
 */

import { delivered, openJournal, Writer } from "./world.ts";

/** Makes packets large: so few of them fill the journal. */
const LONG = `n1.${"h".repeat(300)}`;

/** The readings of packet `seq`. */
export function valuesOf(seq: number): Record<string, number> {
  return { "n1.t": seq, [LONG]: seq / 7, "sig.rssi": -seq };
}

/** Small, so that the log is copied every few commits, and that packets are deleted for want of room. */
const BUSY_BYTES = 320 * 1024;

if (import.meta.main) {
  const folder = Deno.args[0]!;
  const say = (line: string) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  let seq = 0;
  for (let run = 0; run < 2; run++) {
    await using journal = await openJournal(folder, { maxBytes: BUSY_BYTES });
    const writer = new Writer(journal);
    for (let i = 0; i < 30; i++) {
      const packets = Array.from({ length: 20 }, () => valuesOf(++seq));
      await writer.append(...packets);
      say(`committed ${seq}`);
      for (const name of ["mqtt", "influxdb"]) {
        const cursor = journal.cursor(name);
        const rows = await cursor.next(name === "mqtt" ? 90 : 63);
        say(`delivered ${name} ${rows.at(-1)?.seq ?? cursor.seq}`);
        cursor.settle(rows, delivered(rows.length));
      }
      // The cursors' own commit, which nobody waits for.
      await journal.flush();
    }
  }
}
