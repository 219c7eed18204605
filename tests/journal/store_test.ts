import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase, readState } from "../../lib/journal/database.ts";
import { EMPTY_COMMIT } from "../../lib/journal/disk.ts";
import { Store } from "../../lib/journal/store.ts";
import { makeFolder } from "./world.ts";

const row = (seq: number) => ({
  seq,
  board: 1,
  epoch: 1,
  monoUs: seq,
  boardTs: null,
  readings: 1,
  total: seq,
  body: '{"a":1}',
});

Deno.test("Store writes a commit whole or not at all", async () => {
  await using folder = await makeFolder();
  const store = new Store();
  store.open(join(folder.path, "journal.db"), 1e6);
  store.commit({ ...EMPTY_COMMIT, rows: [row(1)] });
  // The second row has no body, so the first must not stay either.
  const broken = { ...row(3), body: null as unknown as string };
  assert.throws(() =>
    store.commit({ ...EMPTY_COMMIT, rows: [row(2), broken] })
  );
  assert.deepEqual(store.read(0, 10).map(({ seq }) => seq), [1]);
  store.commit({ ...EMPTY_COMMIT, rows: [row(2)] });
  assert.deepEqual(store.read(1, 10).map((one) => ({ ...one })), [row(2)]);
  store.close();
});

Deno.test("Store can be read by another connection while it is open, and leaves one file and its copy when closed", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const store = new Store();
  store.open(path, 1e6);
  store.commit({ ...EMPTY_COMMIT, rows: [row(1), row(2)] });
  {
    using db = openDatabase(path, { readOnly: true });
    assert.equal(readState(db).newest?.seq, 2);
  }
  store.commit({ ...EMPTY_COMMIT, rows: [row(3)] });
  store.close();
  const files = (await Array.fromAsync(Deno.readDir(folder.path)))
    .map(({ name }) => name).sort();
  assert.deepEqual(files, ["journal.db", "journal.db-copy"]);
});

Deno.test("Store takes a commit again that it had written although it reported a failure", async () => {
  await using folder = await makeFolder();
  const store = new Store();
  store.open(join(folder.path, "journal.db"), 1e6);
  const commit = { ...EMPTY_COMMIT, rows: [row(1), row(2)] };
  store.commit(commit);
  store.commit({ ...commit, rows: [...commit.rows, row(3)] });
  assert.deepEqual(store.read(0, 10).map(({ seq }) => seq), [1, 2, 3]);
  store.close();
});

Deno.test("Store adds rejects and parked readings once, however often their commit is tried", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const store = new Store();
  store.open(path, 1e6);
  const commit = {
    ...EMPTY_COMMIT,
    rejects: [
      { timeUs: 1, board: "", origin: "mqtt", reason: "no", body: "{}" },
    ],
    parked: [
      {
        id: 1,
        sink: 1,
        seq: 1,
        board: 1,
        timeUs: 1,
        path: "a",
        value: 1,
        reason: "no",
      },
    ],
  };
  store.commit(commit);
  store.commit({ ...commit, again: true });
  assert.equal(store.oldestParked(1, 10).length, 1);
  store.close();
  using db = openDatabase(path, { readOnly: true });
  assert.equal(db.prepare("SELECT * FROM rejects").all().length, 1);
});

Deno.test("Store keeps its write-ahead log short while it is busy", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const store = new Store();
  store.open(path, 512 * 1024);
  for (let seq = 1; seq <= 3000; seq++) {
    store.commit({ ...EMPTY_COMMIT, rows: [row(seq)], durable: false });
  }
  const { size } = await Deno.stat(`${path}-wal`);
  assert.ok(size < 600 * 1024, String(size));
  store.close();
});
