/**
 * Journals whose every row is known, as files to be damaged, and a close look at what a gateway makes
 * of them.
 *
 * @module
 */

import type { Value } from "../../lib/model.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import type { AsyncDisk } from "../../lib/journal/disk.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import type { Recovery } from "../../lib/journal/recovery.ts";
import { Store } from "../../lib/journal/store.ts";
import type { Row } from "../../lib/model.ts";
import {
  balanced,
  delivered,
  directDisk,
  makeFolder,
  openJournal,
  START_US,
  Writer,
} from "./world.ts";

/** When damaged files are found. */
export const NOW_MS = Date.UTC(2026, 10, 23, 10, 15);
/** What {@linkcode NOW_MS} looks like in a name. */
export const STAMP = "20261123T101500Z";

/** A journal's files, and what they hold. */
export interface Image {
  /** By the end of their names: `""`, `"-wal"`, `"-copy"`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Every packet that was committed, by its number. */
  readonly rows: ReadonlyMap<number, Row>;
  /** The running total of the newest. */
  readonly total: number;
  /** Whether the journal was closed. */
  readonly closed: boolean;
}

/** What to make of an {@linkcode Image}. */
export interface ImageOptions {
  /** The gateway is gone without closing its journal. @default {false} */
  readonly crashed?: boolean;
  /** Bytes that the file may use: a small one has had to give up rows. @default {67108864} */
  readonly maxBytes?: number;
  /** @default {300} */
  readonly packets?: number;
}

/** A journal of three runs; "mqtt" has had two thirds of it, and three of its readings are parked. */
export async function makeImage(
  { crashed = false, maxBytes = 64 * 1024 * 1024, packets = 300 }:
    ImageOptions = {},
): Promise<Image> {
  await using folder = await makeFolder();
  const rows = new Map<number, Row>();
  const path = join(folder.path, "journal.db");
  const disk = directDisk();
  let files = new Map<string, Uint8Array>();
  for (let run = 0; run < 3; run++) {
    await using journal = await openJournal(folder.path, { disk, maxBytes });
    const writer = new Writer(journal, "", START_US + run * 3600e6);
    const stopListening = journal.onCommit(() => {});
    for (let i = 0; i < packets / 3; i += 5) {
      await writer.append(...[0, 1, 2, 3, 4].map((k) => packetOf(run, i + k)));
      const mqtt = journal.cursor("mqtt");
      for (const row of await mqtt.next(1e6)) rows.set(row.seq, row);
      mqtt.giveBack();
      if (run < 2) await deliver(journal, { parking: i === 0 && run === 0 });
    }
    writer.board.reject("JSON sent via VCP: {", "The braces do not close");
    await journal.flush();
    stopListening();
    if (run === 2 && crashed) files = await readFiles(path);
  }
  if (!crashed) files = await readFiles(path);
  const total = Math.max(...[...rows.values()].map((row) => row.total));
  return { files, rows, total, closed: !crashed };
}

function packetOf(run: number, i: number): Record<string, Value> {
  // What is parked of the first packets is a text, a number that is one, and whether something is so.
  const mode = ["run", "12", true][i % 3]!;
  return { mode, "n1.t": run * 1000 + i, "sig.rssi": -1 - i };
}

async function deliver(
  journal: Journal,
  { parking }: { parking: boolean },
): Promise<void> {
  const mqtt = journal.cursor("mqtt");
  const rows = await mqtt.next(1000);
  const parked = parking
    ? rows.slice(0, 3).map((row) => ({
      row,
      reading: row.readings[0]!,
      reason: "forbidden",
    }))
    : [];
  mqtt.settle(rows, { done: rows.length, rejected: [], parked });
}

async function readFiles(path: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const suffix of ["", "-wal", "-copy"]) {
    const bytes = await Deno.readFile(path + suffix).catch(() => undefined);
    if (bytes !== undefined) files.set(suffix, bytes);
  }
  return files;
}

/** Puts the files of `image` into `folder`, as `change` makes them. */
export async function writeImage(
  folder: string,
  image: Image,
  change: (bytes: Uint8Array, suffix: string) => Uint8Array = (bytes) => bytes,
): Promise<void> {
  for (const [suffix, bytes] of image.files) {
    await Deno.writeFile(
      join(folder, `journal.db${suffix}`),
      change(bytes.slice(), suffix),
    );
  }
}

/** A disk that remembers what it had to do. */
export function watchedDisk(
  store: Store = new Store({ now: () => NOW_MS }),
): AsyncDisk & { readonly recoveries: Recovery[] } {
  const disk = directDisk(store);
  const recoveries: Recovery[] = [];
  return {
    ...disk,
    recoveries,
    open: async (...args) => {
      const state = await disk.open(...args);
      recoveries.push(...state.recoveries ?? []);
      return state;
    },
    commit: async (commit) => {
      const result = await disk.commit(commit);
      recoveries.push(...result.recoveries ?? []);
      return result;
    },
  };
}

/** What a sink was given. */
export interface Given {
  readonly name: string;
  readonly seqs: readonly number[];
  /** Booked as `corrupt` in the end. */
  readonly corrupt: number;
  /** Readings of packets that nobody knows to be missing, because the newest accounts are gone too. */
  readonly unknown: number;
}

/**
 * Opens the journal in `folder`, gives its rows to the sinks and checks that nothing is invented, that
 * what is missing is booked. `goesOn`: no number is given twice.
 */
export async function examine(
  folder: string,
  { rows, total }: Pick<Image, "rows" | "total">,
): Promise<{ recoveries: Recovery[]; given: Given[]; goesOn: boolean }> {
  const disk = watchedDisk();
  await using journal = await openJournal(folder, { disk });
  balanced(journal);
  const given: Given[] = [];
  for (const { name } of journal.standings()) {
    const cursor = journal.cursor(name);
    const seqs: number[] = [];
    const before = cursor.ledger;
    const end = before.cursor.total + cursor.waiting + before.ahead -
      before.parked;
    const beforeCorrupt = before.dropped.corrupt ?? 0;
    let readings = 0;
    let atCursor = before.cursor.total;
    for (let page; (page = await cursor.next(200)).length > 0;) {
      for (const row of page) {
        assert.ok(row.seq > (seqs.at(-1) ?? 0), "rows come in order");
        if (row.readings.length === 0) continue;
        // A clock epoch that is made from a newest value knows of no run of the system.
        const { monoUs: _, ...written }: Partial<Row> = rows.get(row.seq) ?? {};
        const { monoUs: __, ...kept } = row;
        assert.deepEqual(kept, written, "a row is as it was written");
        seqs.push(row.seq);
        readings += row.readings.length;
        atCursor = row.total;
      }
      cursor.settle(page, delivered(page.length));
    }
    assert.ok(atCursor <= end);
    const { ledger } = cursor;
    assert.equal(ledger.delivered - before.delivered, readings);
    assert.equal(cursor.waiting, ledger.parked, "nothing waits for ever");
    assert.equal(
      end - before.cursor.total,
      readings + before.ahead + (ledger.dropped.corrupt ?? 0) - beforeCorrupt,
      "what is not there is booked",
    );
    given.push({
      name,
      seqs,
      corrupt: ledger.dropped.corrupt ?? 0,
      unknown: total - end,
    });
  }
  balanced(journal);
  const newest = Math.max(...rows.keys());
  const writer = new Writer(journal, "", START_US + 9 * 3600e6);
  await writer.append({ "n1.t": -1 });
  const [row] = await journal.cursor("influxdb").next(10);
  assert.ok(row !== undefined);
  balanced(journal);
  return { recoveries: disk.recoveries, given, goesOn: row.seq > newest };
}
