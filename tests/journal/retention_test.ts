import assert from "node:assert/strict";
import {
  chooseRows,
  chunkRows,
  pinnedUpTo,
} from "../../lib/journal/retention.ts";

const rows = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => ({
    seq: first + i,
    readings: 9,
    total: 9 * (first + i),
    epoch: 1,
    monoUs: (first + i) * 1e6,
  }));
const seqs = (chosen: { seq: number }[]) => chosen.map((row) => row.seq);
const always = () => true;
const never = () => false;

Deno.test("Retention by age takes only what every sink has delivered", () => {
  const chosen = chooseRows({
    oldest: rows(1, 10),
    newest: 10,
    pins: [{ from: 6, to: 6 }, { from: 4, to: 8 }],
    full: false,
    chunk: 1000,
    expired: always,
  });
  assert.deepEqual(seqs(chosen), [1, 2, 3, 4]);
});

Deno.test("Retention by age stops at the first row that is young enough", () => {
  const chosen = chooseRows({
    oldest: rows(1, 10),
    newest: 10,
    pins: [{ from: 9, to: 9 }],
    full: false,
    chunk: 1000,
    expired: (row) => row.monoUs < 3e6,
  });
  assert.deepEqual(seqs(chosen), [1, 2]);
});

Deno.test("Retention by size takes the oldest, delivered or not, but nothing in a sink's hands", () => {
  const chosen = chooseRows({
    oldest: rows(1, 10),
    newest: 10,
    pins: [{ from: 0, to: 3 }, { from: 9, to: 9 }],
    full: true,
    chunk: 1000,
    expired: never,
  });
  assert.deepEqual(seqs(chosen), [4, 5, 6, 7, 8, 9]);
});

Deno.test("Retention takes one unbroken stretch at a time", () => {
  const chosen = chooseRows({
    oldest: rows(1, 10),
    newest: 10,
    pins: [{ from: 3, to: 6 }],
    full: true,
    chunk: 1000,
    expired: never,
  });
  assert.deepEqual(seqs(chosen), [1, 2, 3]);
});

Deno.test("Retention never takes the newest row, and takes nothing from a journal that has room", () => {
  const question = {
    oldest: rows(1, 3),
    newest: 3,
    pins: [{ from: 3, to: 3 }],
    chunk: 1000,
  };
  assert.deepEqual(
    seqs(chooseRows({ ...question, full: true, expired: always })),
    [1, 2],
  );
  assert.deepEqual(
    chooseRows({ ...question, full: false, expired: never }),
    [],
  );
});

Deno.test("Retention takes at most one chunk at a time", () => {
  const chosen = chooseRows({
    oldest: rows(1, 3000),
    newest: 3000,
    pins: [],
    full: true,
    chunk: 1000,
    expired: never,
  });
  assert.equal(chosen.length, 1000);
});

Deno.test("Retention deletes what takes a moment at a time, and more only where each commit brings more", () => {
  const usual = { excessBytes: 0, committedRows: 75, readingsPerRow: 9 };
  const full = { ...usual, excessBytes: 1e9 };
  assert.equal(chunkRows(full), 500);
  assert.equal(chunkRows({ ...full, readingsPerRow: 100 }), 225);
  assert.equal(
    chunkRows({ ...full, committedRows: 1, readingsPerRow: 100 }),
    50,
  );
  const old = { ...usual, committedRows: 1 };
  assert.equal(chunkRows(old), 100);
  assert.equal(chunkRows({ ...old, readingsPerRow: 100 }), 10);
  const long = { ...old, committedRows: 400, readingsPerRow: 100 };
  assert.equal(chunkRows(long), 50);
  const flood = { ...usual, committedRows: 20_000 };
  assert.equal(chunkRows({ ...flood, excessBytes: 1e9 }), 60_000);
  assert.equal(
    chunkRows({ ...flood, excessBytes: (40 + 22 * 9) * 5000 }),
    5000,
  );
  assert.equal(chunkRows(flood), 500);
});

Deno.test("Retention by age wins against what two commits bring, as long as that takes a moment", () => {
  for (const readingsPerRow of [1, 9, 30, 100, 1000]) {
    const most = chunkRows({
      ...{ excessBytes: 0, committedRows: 1e6, readingsPerRow },
    });
    for (let rows = 1; 2 * rows < most; rows++) {
      const chunk = chunkRows({
        ...{ excessBytes: 0, committedRows: rows, readingsPerRow },
      });
      assert.ok(chunk > 2 * rows, `${chunk} of ${rows} rows a commit`);
    }
  }
});

Deno.test("Retention knows where what the sinks hold without a gap ends", () => {
  const pins = [{ from: 8, to: 12 }, { from: 0, to: 5 }, { from: 4, to: 9 }];
  assert.equal(pinnedUpTo(1, pins), 12);
  assert.equal(pinnedUpTo(12, pins), 12);
  assert.equal(pinnedUpTo(3, [{ from: 2, to: Infinity }]), Infinity);
});
