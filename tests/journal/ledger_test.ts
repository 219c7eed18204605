import assert from "node:assert/strict";
import fc from "fast-check";
import { Ledger } from "../../lib/journal/ledger.ts";

const NOTHING = { seq: 0, total: 0 };

Deno.test("Ledger counts what is received, delivered, refused and parked", () => {
  const ledger = Ledger.startingAt(NOTHING, NOTHING);
  ledger.receive(9);
  ledger.receive(9);
  assert.equal(ledger.waiting(18), 18);
  ledger.advance({ seq: 1, total: 9 }, { readings: 9, rejected: 1, parked: 2 });
  assert.equal(ledger.waiting(18), 9 + 2);
  assert.deepEqual(ledger.state.dropped, { rejected: 1 });
  assert.equal(ledger.state.delivered, 6);
  ledger.unpark(1, "delivered");
  ledger.unpark(1, "evicted");
  assert.equal(ledger.state.delivered, 7);
  assert.deepEqual(ledger.state.dropped, { rejected: 1, evicted: 1 });
  assert.equal(ledger.imbalance(18), 0);
});

Deno.test("Ledger books rows that vanished unannounced as corrupt", () => {
  const ledger = Ledger.startingAt(NOTHING, NOTHING);
  ledger.receive(30);
  // Rows 2 and 3, ten readings each but for the two lost ones, are gone when row 4 is settled.
  ledger.advance({ seq: 4, total: 30 }, {
    readings: 12,
    rejected: 0,
    parked: 0,
  });
  assert.deepEqual(ledger.state.dropped, { corrupt: 18 });
  assert.equal(ledger.imbalance(30), 0);
});

Deno.test("Ledger does not book announced losses again when the cursor passes them", () => {
  const ledger = Ledger.startingAt(NOTHING, NOTHING);
  ledger.receive(30);
  ledger.lose("evicted", 18);
  assert.equal(ledger.waiting(30), 12);
  ledger.advance({ seq: 4, total: 30 }, {
    readings: 12,
    rejected: 0,
    parked: 0,
  });
  assert.deepEqual(ledger.state.dropped, { evicted: 18 });
  assert.equal(ledger.waiting(30), 0);
  assert.equal(ledger.imbalance(30), 0);
});

Deno.test("Ledger starts with the rows between its cursor and the end as received", () => {
  const ledger = Ledger.startingAt({ seq: 3, total: 27 }, {
    seq: 5,
    total: 45,
  });
  assert.equal(ledger.state.received, 18);
  assert.equal(ledger.waiting(45), 18);
  assert.equal(ledger.imbalance(45), 0);
});

Deno.test("Ledger notices a reading that was counted on one side only", () => {
  const ledger = Ledger.startingAt(NOTHING, NOTHING);
  ledger.receive(9);
  assert.equal(ledger.imbalance(10), -1);
});

Deno.test("Ledger balances after any sequence of events, and its counts only grow", () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("receive"), n: fc.nat(20) }),
    fc.record({ kind: fc.constant("birth"), n: fc.nat(5) }),
    fc.record({ kind: fc.constant("lose"), n: fc.nat(3) }),
    fc.record({
      kind: fc.constant("advance"),
      n: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({ kind: fc.constant("unpark"), n: fc.nat(3) }),
  );
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), (events) => {
    const ledger = Ledger.startingAt(NOTHING, NOTHING);
    /** Readings of each row beyond the cursor; null once the row was deleted. */
    const rows: { total: number; readings: number; gone: boolean }[] = [];
    let total = 0;
    let seq = 0;
    for (const { kind, n } of events) {
      const before = ledger.state;
      if (kind === "receive") {
        total += n;
        rows.push({ total, readings: n, gone: false });
        ledger.receive(n);
      } else if (kind === "birth") ledger.dropAtBirth("implausible", n);
      else if (kind === "lose") {
        for (const row of rows.filter((row) => !row.gone).slice(0, n)) {
          row.gone = true;
          ledger.lose("evicted", row.readings);
        }
      } else if (kind === "advance") {
        const passed = rows.splice(0, n);
        const last = passed.findLast((row) => !row.gone);
        if (last !== undefined) {
          rows.unshift(...passed.slice(passed.indexOf(last) + 1));
          const readings = passed.filter((row) => !row.gone)
            .reduce((sum, row) => sum + row.readings, 0);
          const refused = Math.min(1, readings);
          ledger.advance({ seq: ++seq, total: last.total }, {
            readings,
            rejected: refused,
            parked: Math.min(1, readings - refused),
          });
        } else rows.unshift(...passed);
      } else {
        ledger.unpark(Math.min(n, ledger.parked), "delivered");
      }
      assert.equal(ledger.imbalance(total), 0, kind);
      const after = ledger.state;
      for (const key of ["received", "requeued", "delivered"] as const) {
        assert.ok(after[key] >= before[key], key);
      }
      assert.equal(after.dropped.corrupt, undefined);
    }
  }));
});

Deno.test("Ledger passes a stretch whole although its rows come once more, and counts them as requeued", () => {
  const at = (place: number) => ({ seq: place, total: place });
  const ledger = Ledger.startingAt(at(0), at(10));
  const ended = { readings: 3, rejected: 0, parked: 0 };
  ledger.deliverAhead({ from: at(5), to: at(8) }, ended);
  ledger.advance(at(6), { ...ended, readings: 6 });
  assert.deepEqual(ledger.cursor, at(8));
  assert.equal(ledger.state.requeued, 1);
  assert.equal(ledger.waiting(10), 2);
  assert.equal(ledger.imbalance(10), 0);
});

Deno.test("Ledger lets nothing come again that was delivered ahead and is deleted", () => {
  const at = (place: number) => ({ seq: place, total: place });
  const ledger = Ledger.startingAt(at(0), at(20));
  const ended = { readings: 6, rejected: 0, parked: 0 };
  ledger.deliverAhead({ from: at(4), to: at(10) }, ended);
  ledger.deliverAhead({ from: at(12), to: at(18) }, ended);
  ledger.lose("evicted", 2);
  ledger.forget({ from: at(5), to: at(7) });
  ledger.forget({ from: at(9), to: at(13) });
  assert.deepEqual(ledger.deliveredAhead, [
    { from: at(4), to: at(5) },
    { from: at(7), to: at(9) },
    { from: at(13), to: at(18) },
  ]);
  assert.equal(ledger.waiting(20), 20 - 12 - 2);
  ledger.forgetStretches(2);
  assert.equal(ledger.state.requeued, 1 + 2);
  const standing = 20 - 2 - 4 - 5;
  ledger.advance(at(20), { readings: standing, rejected: 0, parked: 0 });
  assert.deepEqual(ledger.state.dropped, { evicted: 2 });
  assert.deepEqual([ledger.waiting(20), ledger.imbalance(20)], [0, 0]);
});
