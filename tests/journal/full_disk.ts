/**
 * A journal on a small disk that becomes full, for `reserve_test.ts`; prints a report as JSON.
 *
 *     full_disk.ts FOLDER fill|meager|limited
 *
 * @module
 */

import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { fillerBytes, openDatabase } from "../../lib/journal/database.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import { SpareDisk } from "../../lib/journal/spare_disk.ts";
import { WorkerDisk } from "../../lib/journal/worker_disk.ts";
import { delivered, openJournal, START_US, Writer } from "./world.ts";

/** What came of it; the sink is the database, and readings are numbered. */
export interface FullDiskReport {
  /** What was left of the disk when others had filled it. */
  readonly freeBytes: number;
  /** Where the journal was kept, each change. */
  readonly media: readonly string[];
  readonly sent: number;
  readonly delivered: number;
  readonly evicted: number;
  /** Of these, before 90 % of the limit was in use. */
  readonly evictedBeforeLimit: number;
  /** Whether what was delivered came in order, without a gap but for one at the beginning. */
  readonly inOrder: boolean;
}

const [folder = "", mode = ""] = Deno.args;
if (!["fill", "meager", "limited"].includes(mode)) {
  throw new Error("Wanted: full_disk.ts FOLDER fill|meager|limited");
}
if (mode !== "limited" && await free() > 64 * 1024 * 1024) {
  throw new Error(`The disk of ${folder} is to be filled, and is no small one`);
}
const MAX_BYTES = 8 * 1024 * 1024;
/** What makes a packet some 200 bytes long. */
const MORE = Object.fromEntries(
  Array.from({ length: 10 }, (_, i) => [`more.${i}`, 123_456.789]),
);
const READINGS = 11;
const other = join(folder, "others");

const disk = new SpareDisk({
  disk: new WorkerDisk(),
  prepare: () => Promise.resolve(),
  now: () => START_US,
  retryMs: 50,
  fullPatienceMs: 200,
});
const journal = await openJournal(folder, {
  disk,
  maxBytes: MAX_BYTES,
  sinks: [{ name: "influxdb", target: "t", startAt: "oldest" }],
  reserve: mode === "fill",
  retryMs: 20,
});
const writer = new Writer(journal);
const media: string[] = [];
let sent = 0;
look();

if (mode === "fill") await filled();
if (mode !== "limited") await fillDisk();
const freeBytes = await free();
let evictedBeforeLimit = 0;
const wanted = { fill: 60_000, meager: 4000, limited: 15_500 }[mode] ?? 0;
while (sent < wanted) {
  await writer.append(
    ...Array.from({ length: 500 }, () => ({ a: ++sent, ...MORE })),
  );
  look();
  if (sent < 15_000) evictedBeforeLimit = evicted(journal);
}
if (mode === "meager") {
  await Deno.remove(other);
  while (journal.medium.kind !== "disk") await pause(10);
  look();
}
// What is still being given up would leave a gap behind the first rows in the sink's hands.
for (let before = -1; before !== evicted(journal);) {
  before = evicted(journal);
  await journal.flush();
}
const cursor = journal.cursor("influxdb");
const values: number[] = [];
for (let rows; (rows = await cursor.next(5000)).length > 0;) {
  cursor.settle(rows, delivered(rows.length));
  values.push(...rows.map((row) => Number(row.readings[0]?.value)));
}
await journal.flush();
look();
// deno-lint-ignore no-console -- the test reads it
console.log(
  JSON.stringify(
    {
      freeBytes,
      media,
      sent: READINGS * sent,
      delivered: READINGS * values.length,
      evicted: evicted(journal),
      evictedBeforeLimit,
      inOrder: values.every((value, i) => value === (values[0] ?? 0) + i),
    } satisfies FullDiskReport,
  ),
);
await journal.close();

function look(): void {
  const { medium } = journal;
  const name = medium.kind === "disk" || !medium.full
    ? medium.kind
    : "memory: full";
  if (media.at(-1) !== name) media.push(name);
}

function evicted(journal: Journal): number {
  return journal.standings()[0]?.ledger.dropped.evicted ?? 0;
}

/** Comes when the file and the log have their full size. */
async function filled(): Promise<void> {
  const path = join(folder, "journal.db");
  const logBytes = MAX_BYTES / 4;
  const deadline = performance.now() + 60_000;
  for (; performance.now() < deadline; await pause(50)) {
    const { size } = await Deno.stat(path);
    const log = await Deno.stat(`${path}-wal`);
    if (size < MAX_BYTES - logBytes || log.size < logBytes) continue;
    using db = openDatabase(path, { readOnly: true });
    if (fillerBytes(db) === 0) return;
  }
  throw new Error("The file is not filled after a minute");
}

async function fillDisk(): Promise<void> {
  using file = await Deno.open(other, { write: true, create: true });
  const block = new Uint8Array(65_536);
  try {
    for (let size = block.length; size > 0;) {
      try {
        await file.write(block.subarray(0, size));
      } catch {
        size >>= 1;
      }
    }
  } catch {
    // Full.
  }
}

async function free(): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
