/**
 * A journal that already holds many rows: what a gateway has after months, made in seconds.
 *
 * @module
 */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { rowChecksum } from "../../lib/journal/database.ts";
import {
  type BoardState,
  EMPTY_COMMIT,
  type Epoch,
  type StoredRow,
} from "../../lib/journal/disk.ts";
import { journalPath } from "../../lib/journal/folder.ts";
import { Store } from "../../lib/journal/store.ts";
import type { BenchGateway } from "./gateway.ts";
import type { BenchContext } from "./point.ts";

/** Bytes that the write-ahead log may take meanwhile. */
const LOG_BYTES = 16e6;
const ROWS_PER_COMMIT = 100_000;

/** What is in it. */
export interface FilledJournal {
  readonly rows: number;
  /** When its newest row happened, in microseconds since 1970; they are 10 ms apart. */
  readonly untilUs: number;
  /** The readings of each row, as the simulated board sends them. @default {nine} */
  readonly body?: string;
}

const BODY =
  '{"n1.t":27.61,"n1.h":54.12,"n1.p":1003.21,"n1.gas":11234.5,"sig.rssi":-81,"sig.snr":9.25,"n2.t":26.12,"n2.h":51.77,"n2.p":1002.91}';

/** What makes the rows of such a journal, by their seq. */
export function rowMaker(body = BODY): (seq: number) => StoredRow {
  const readings = Object.keys(JSON.parse(body)).length;
  return (seq) => ({
    ...{ seq, board: 1, epoch: 1, monoUs: seq * 10_000, boardTs: seq * 10 },
    ...{ readings, total: seq * readings, body },
  });
}

/**
 * Makes the file: sound rows of one board, whose time is known, and no sink yet, so that one which starts
 * at `now` has nothing to do with them. 10,000,000 rows take 1.6 GB, and some 40 s.
 */
export function fillJournal(
  path: string,
  { rows, untilUs, body = BODY }: FilledJournal,
): void {
  const rowOf = rowMaker(body);
  const epoch: Epoch = {
    ...{ id: 1, bootId: "", quality: "known", knownBy: "trust" },
    ...{ correctedUs: 0, firstUs: 0, lastUs: rows * 10_000 },
    offsetUs: untilUs - rows * 10_000,
  };
  const board: BoardState = {
    // Nothing is counted: who waits for so many packets counts those to come.
    ...{ id: 1, name: "", lines: 0, packets: 0, rejects: 0, other: 0 },
    ...{ truncated: 0, latest: {} },
    clock: { reboots: 0, wraps: 0, repeats: 0, jumps: 0 },
  };
  const store = new Store();
  store.open(path, LOG_BYTES);
  const first = [rowOf(1)];
  store.commit({
    ...EMPTY_COMMIT,
    rows: first,
    epochs: [epoch],
    boards: [board],
  });
  store.close();
  using db = new DatabaseSync(path);
  // Nobody needs it if this is cut short.
  db.exec("PRAGMA synchronous=OFF");
  const insert = db.prepare(
    "INSERT INTO packets VALUES (?, 1, 1, ?, ?, ?, ?, ?, ?)",
  );
  for (let seq = 2; seq <= rows;) {
    db.exec("BEGIN");
    for (let i = 0; i < ROWS_PER_COMMIT && seq <= rows; i++, seq++) {
      const row = rowOf(seq);
      const { monoUs, boardTs, readings, total } = row;
      insert.run(seq, monoUs, boardTs, readings, total, body, rowChecksum(row));
    }
    db.exec("COMMIT");
  }
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  // Now, and not while something else is measured.
  using file = Deno.openSync(path);
  file.syncSync();
}

/** A journal of so many rows, made once for all that want a copy of it. */
export async function madeJournal(
  { shared, say }: BenchContext,
  rows: number,
): Promise<string> {
  const made = join(shared, `${rows}.db`);
  const isMade = await Deno.stat(made).then(() => true, () => false);
  if (!isMade) {
    say(`Making a journal of ${rows} rows`);
    // A day ago: old enough to be deleted by age where that is asked for.
    fillJournal(made, { rows, untilUs: (Date.now() - 86_400_000) * 1000 });
  }
  return made;
}

/** Below `[journal]`, with {@linkcode giveRows}: none of them is deleted for want of room. */
export const ROOMY = "max_megabytes = 4000\nreserve = false";

/** The gateway finds a journal with so many rows; its sinks have nothing to do with them. */
export async function giveRows(
  context: BenchContext,
  gateway: BenchGateway,
  rows: number,
): Promise<void> {
  const made = await madeJournal(context, rows);
  await Deno.mkdir(gateway.journalFolder, { recursive: true });
  await copyWhole(made, journalPath(gateway.journalFolder));
}

/** Copies a file down to the disk: what is still to be written is not for somebody's syncs to wait for. */
export async function copyWhole(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, to);
  using file = await Deno.open(to);
  await file.sync();
}

if (import.meta.main) {
  const [path = "", rows = "0"] = Deno.args;
  fillJournal(path, { rows: Number(rows), untilUs: Date.now() * 1000 });
}
