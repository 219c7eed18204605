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
  recent.push(STORED);
  const ask = () => recent.after(0, 10)?.[0];
  assert.equal(ask()?.timeUs, 5);
  time = { timeUs: 7, timeQuality: "known" };
  const known = ask();
  assert.equal(known?.timeUs, 7);
  // Both sinks are given the same object.
  assert.equal(ask(), known);
});
