import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { type Commit, EMPTY_COMMIT } from "../../lib/journal/disk.ts";
import { readReport } from "../../lib/journal/report.ts";
import { Store } from "../../lib/journal/store.ts";
import { requires, requiresRoot } from "../servers.ts";
import { captureLog } from "../source/log_capture.ts";
import type { FullDiskReport } from "./full_disk.ts";
import { directDisk, makeFolder, openJournal, Writer } from "./world.ts";

const MB = 1024 * 1024;
const LOG_BYTES = 1 * MB;

/** Takes steps until there is nothing to do. */
function fill(store: Store, bytes: number): number {
  for (let steps = 0;; steps++) {
    assert.ok(steps < 1000);
    const { missingBytes, roomy } = store.reserve(bytes, true);
    assert.ok(roomy);
    if (missingBytes === 0) return steps;
  }
}
const row = (seq: number) => ({
  seq,
  board: 1,
  epoch: 1,
  monoUs: seq,
  boardTs: null,
  readings: 1,
  total: seq,
  body: `{"a":${seq}}`.padEnd(200),
});
const commit = (first: number, last: number): Commit => ({
  ...EMPTY_COMMIT,
  rows: Array.from({ length: last - first + 1 }, (_, i) => row(first + i)),
  epochs: [{
    id: 1,
    bootId: "",
    offsetUs: 0,
    quality: "known",
    knownBy: null,
    correctedUs: 0,
    firstUs: 0,
    lastUs: null,
  }],
  durable: false,
});

Deno.test("The journal's file is filled to its limit in small steps, and holds no more for it", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const store = new Store();
  const { usedBytes } = store.open(path, LOG_BYTES);
  let worst = 0;
  for (let seq = 1, more = true; more; seq++) {
    const before = store.commit(commit(seq, seq)).usedBytes;
    const started = performance.now();
    more = store.reserve(8 * MB, true).missingBytes > 0;
    worst = Math.max(worst, performance.now() - started);
    const after = store.commit(commit(1, 0)).usedBytes;
    assert.ok(Math.abs(after - before) <= 3 * 4096, `${before} → ${after}`);
    assert.ok(after < usedBytes + MB / 2, String(after));
    assert.ok(readReport(path).usedBytes < usedBytes + MB / 2);
  }
  // A figure for the reader; a busy machine may take longer.
  assert.ok(worst < 500, `${worst} ms`);
  const { blocks } = await Deno.stat(path);
  assert.ok((blocks ?? 0) * 512 >= 8 * MB, `${blocks} blocks`);
  const log = await Deno.stat(`${path}-wal`);
  assert.ok(log.size >= LOG_BYTES && log.size < 2 * LOG_BYTES, `${log.size}`);
  store.close();
  const again = new Store();
  assert.ok(again.open(path, LOG_BYTES).usedBytes < usedBytes + MB / 2);
  // Only the log is to be filled again.
  assert.ok(fill(again, 8 * MB) < 20);
  again.close();
});

Deno.test("Filling goes on where a crash ended it, and follows a limit that was raised or lowered", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const first = new Store();
  const { usedBytes } = first.open(path, LOG_BYTES);
  for (let step = 0; step < 20; step++) first.reserve(8 * MB, true);
  first.close();
  const second = new Store();
  assert.ok(second.open(path, LOG_BYTES).usedBytes <= usedBytes + 16 * 4096);
  second.commit(commit(1, 1000));
  fill(second, 16 * MB);
  assert.ok((await Deno.stat(path)).size >= 16 * MB);
  const { usedBytes: held } = second.commit(commit(1, 0));
  second.reserve(8 * MB, false);
  assert.ok((await Deno.stat(path)).size < 8 * MB);
  assert.equal(second.reserve(8 * MB, false).missingBytes, 0);
  assert.ok(second.commit(commit(1, 0)).usedBytes <= held);
  assert.equal(second.read(0, 2000).length, 1000);
  second.close();
});

Deno.test("A file that holds more than a lowered limit is shortened when it no longer does", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const store = new Store();
  store.open(path, LOG_BYTES);
  store.commit(commit(1, 60_000));
  const { size } = await Deno.stat(path);
  assert.deepEqual(store.reserve(8 * MB, false), {
    missingBytes: 0,
    roomy: true,
  });
  assert.equal((await Deno.stat(path)).size, size);
  store.commit({ ...commit(1, 0), deleted: [1, 50_000] });
  store.reserve(8 * MB, false);
  assert.ok((await Deno.stat(path)).size < 8 * MB);
  store.close();
});

Deno.test("A disk with too little room is said once, with how much is missing, and the journal goes on", async () => {
  await using folder = await makeFolder();
  await using log = await captureLog();
  {
    await using journal = await openJournal(folder.path, {
      disk: directDisk(),
      maxBytes: 1e15,
      reserve: true,
    });
    await new Writer(journal).append({ a: 1 });
  }
  const warnings = log.lines.filter((line) => /too little room/.test(line));
  assert.equal(warnings.length, 1, log.lines.join("\n"));
  assert.match(warnings[0] ?? "", /: 1000000\d{3} MB cannot.*max_megabytes/);
});

/** Runs `full_disk.ts` where the disk is small: in a tmpfs, or with a largest file size. */
async function onSmallDisk(
  command: readonly string[],
): Promise<FullDiskReport> {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(code, 0, decode(stderr));
  return JSON.parse(decode(stdout));
}

const SCRIPT = fileURLToPath(new URL("full_disk.ts", import.meta.url));
const deno = (...args: string[]) => [
  ...[Deno.execPath(), "run", "-A", "--no-prompt", SCRIPT],
  ...args,
];
const MOUNT =
  'mount -t tmpfs -o size=24m none "$0" && "$@"; code=$?; umount "$0"; exit $code';
const MAY_MOUNT = requiresRoot("unshare", "mount");

Deno.test({
  name:
    "A disk that others fill to the last byte does not hurt a journal that was filled: it goes on and gives up the oldest only beyond its limit",
  ...MAY_MOUNT,
  fn: async () => {
    await using folder = await makeFolder();
    const report = await onSmallDisk([
      ...["unshare", "-m", "sh", "-c", MOUNT, folder.path],
      ...deno(folder.path, "fill"),
    ]);
    assert.equal(report.freeBytes, 0);
    assert.deepEqual(report.media, ["disk"]);
    assert.equal(report.evictedBeforeLimit, 0);
    assert.ok(report.evicted > 1000, String(report.evicted));
    assert.equal(report.delivered + report.evicted, report.sent);
    assert.equal(report.inOrder, true);
  },
});

Deno.test({
  name:
    "A disk that is full before the journal's file is filled sends it to memory, and back when there is room",
  ...MAY_MOUNT,
  fn: async () => {
    await using folder = await makeFolder();
    const report = await onSmallDisk([
      ...["unshare", "-m", "sh", "-c", MOUNT, folder.path],
      ...deno(folder.path, "meager"),
    ]);
    assert.deepEqual(report.media, ["disk", "memory: full", "disk"]);
    assert.equal(report.evicted, 0);
    assert.equal(report.delivered, report.sent);
    assert.equal(report.inOrder, true);
  },
});

Deno.test({
  name: "A file that may not become longer counts as a full disk",
  ...requires("prlimit"),
  fn: async () => {
    await using folder = await makeFolder();
    const report = await onSmallDisk([
      ...["sh", "-c", 'trap "" XFSZ; exec prlimit --fsize=2097152 "$@"', "sh"],
      ...deno(folder.path, "limited"),
    ]);
    assert.deepEqual(report.media, ["disk", "memory: full"]);
    assert.equal(report.evicted, 0);
    assert.equal(report.inOrder, true);
  },
});
