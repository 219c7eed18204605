import assert from "node:assert/strict";
import fc from "fast-check";
import { Pages } from "../../lib/journal/pages.ts";
import type { StoredRow } from "../../lib/journal/disk.ts";

function stored(seq: number): StoredRow {
  return {
    seq,
    board: 1,
    epoch: 1,
    monoUs: seq,
    boardTs: null,
    readings: 1,
    total: seq,
    body: '{"a":1}',
  };
}

/** The rows after `seq`, all up to `newest`. */
function after(pages: Pages, seq: number, newest: number): number[] {
  return pages.after(seq, Infinity, newest).map(({ seq }) => seq);
}

Deno.test("Pages gives the rows behind any place within what was kept, and none where the next one may be missing", () => {
  const pages = new Pages();
  pages.keep(10, [12, 13, 20].map(stored));
  assert.deepEqual(after(pages, 10, 20), [12, 13, 20]);
  assert.deepEqual(after(pages, 11, 20), [12, 13, 20]);
  assert.deepEqual(after(pages, 13, 20), [20]);
  assert.deepEqual(after(pages, 19, 20), [20]);
  assert.deepEqual(after(pages, 20, 20), []);
  assert.deepEqual(after(pages, 9, 20), []);
});

Deno.test("Pages gives nothing where it has less than was asked for and there is more", () => {
  const pages = new Pages();
  pages.keep(10, [12, 13, 20].map(stored));
  assert.deepEqual(after(pages, 12, 21), []);
  assert.equal(pages.after(12, 2, 21).length, 2);
  assert.equal(pages.after(12, 3, 21).length, 0);
});

Deno.test("Pages never gives a row that was given up, nor skips one that is there", () => {
  const step = fc.oneof(
    fc.record({ keep: fc.nat(60), rows: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ forget: fc.nat(60) }),
    fc.record({ after: fc.nat(60) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const pages = new Pages();
    // The rows with an odd seq are all there are; those up to `gone` are deleted.
    let gone = 0;
    const rowsAfter = (seq: number) =>
      Array.from({ length: 100 }, (_, i) => 2 * i + 1)
        .filter((one) => one > seq && one > gone);
    for (const step of steps) {
      if ("keep" in step) {
        const rows = rowsAfter(step.keep).slice(0, step.rows);
        if (rows.length > 0) pages.keep(step.keep, rows.map(stored));
      } else if ("forget" in step) {
        gone = Math.max(gone, step.forget);
        pages.forget(step.forget);
      } else {
        const given = pages.after(step.after, 1, 99).map(({ seq }) => seq);
        assert.deepEqual(
          given,
          rowsAfter(step.after).slice(0, given.length),
        );
      }
    }
  }));
});
