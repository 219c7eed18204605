import assert from "node:assert/strict";
import { RecentRows } from "../../lib/journal/rows.ts";
import type { RowTime } from "../../lib/journal/epochs.ts";

const STORED = {
  ...{ seq: 1, board: 1, epoch: 1, monoUs: 0, boardTs: null },
  ...{ readings: 1, total: 1, body: '{"a":1}' },
};

Deno.test("RecentRows gives a row the time that is known when it is asked for, and keeps one that is settled", () => {
  let time: RowTime = { timeUs: 5, timeQuality: "unknown" };
  const recent = new RecentRows({ boardName: () => "", time: () => time });
  recent.push([STORED]);
  const ask = () => recent.after(0, 10)?.[0];
  assert.equal(ask()?.timeUs, 5);
  time = { timeUs: 7, timeQuality: "known" };
  const known = ask();
  assert.equal(known?.timeUs, 7);
  // Both sinks are given the same object.
  assert.equal(ask(), known);
});

Deno.test("RecentRows keeps the newest within its bound, the last one in any case, and nothing that is forgotten", () => {
  const recent = new RecentRows({
    boardName: () => "",
    time: () => ({ timeUs: 0, timeQuality: "known" }),
  }, 10);
  const rows = Array.from({ length: 8 }, (_, index) => ({
    ...STORED,
    ...{ seq: index + 1, total: 4 * (index + 1), readings: 4 },
  }));
  const here = () =>
    rows.map(({ seq }) => seq)
      .filter((seq) => recent.after(seq - 1, 1)?.[0]?.seq === seq);
  recent.push(rows.slice(0, 2));
  assert.deepEqual(here(), [1, 2]);
  recent.push(rows.slice(2, 4));
  assert.deepEqual(here(), [3, 4]);
  recent.forget(3);
  assert.deepEqual(here(), [4]);
  recent.forget(4);
  assert.deepEqual(here(), []);
  recent.push([]);
  recent.push(rows.slice(4));
  assert.deepEqual(here(), [7, 8]);
  recent.push([{ ...STORED, seq: 9, total: 132, readings: 100 }]);
  assert.deepEqual(recent.after(8, 1)?.map(({ seq }) => seq), [9]);
});
