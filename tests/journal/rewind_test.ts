import assert from "node:assert/strict";
import fc from "fast-check";
import type { Journal } from "../../lib/journal/journal.ts";
import { Ledger } from "../../lib/journal/ledger.ts";
import {
  delivered,
  directDisk,
  drain,
  makeFolder,
  openJournal,
  seqsOf,
  standing,
  START_US,
  Writer,
} from "./world.ts";

const SECOND_US = 1_000_000;

/** Delivers everything to `name`; gives the seqs in order. */
async function deliverAll(journal: Journal, name: string): Promise<number[]> {
  return seqsOf(await drain(journal.cursor(name), 100));
}

Deno.test("Rewind gives a sink again what happened from a time on, with the same times, and the others nothing", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ a: 1 }, { a: 2, b: 2 }, { a: 3 }, {
    a: 4,
  });
  const before = (await journal.cursor("influxdb").next(100)).slice(1);
  journal.cursor("influxdb").giveBack();
  for (const name of ["mqtt", "influxdb"]) await deliverAll(journal, name);

  const toUs = START_US + 1.5 * SECOND_US;
  const expected = {
    from: 4,
    to: 1,
    packets: 3,
    readings: 4,
    firstUs: START_US + 2 * SECOND_US,
    oldestUs: START_US + SECOND_US,
  };
  const dry = await journal.rewind("influxdb", { toUs, dryRun: true });
  assert.deepEqual(dry, expected);
  assert.equal(standing(journal, "influxdb").waiting, 0);

  assert.deepEqual(await journal.rewind("influxdb", { toUs }), expected);
  assert.equal(standing(journal, "influxdb").ledger.requeued, 4);
  assert.equal(standing(journal, "influxdb").waiting, 4);
  assert.equal(standing(journal, "mqtt").waiting, 0);
  const again = await journal.cursor("influxdb").next(100);
  assert.deepEqual(again, before);
  journal.cursor("influxdb").settle(again, delivered(3));
  const { ledger, waiting } = standing(journal, "influxdb");
  assert.deepEqual([ledger.delivered, waiting], [5 + 4, 0]);
});

Deno.test("Rewind is on the disk when it comes back", async () => {
  await using folder = await makeFolder();
  const synced: boolean[] = [];
  {
    const disk = directDisk();
    await using journal = await openJournal(folder.path, {
      disk: {
        ...disk,
        commit: (commit) => {
          synced.push(commit.durable);
          return disk.commit(commit);
        },
      },
    });
    await new Writer(journal).append({ a: 1 }, { a: 2 });
    await deliverAll(journal, "mqtt");
    await journal.rewind("mqtt", { toUs: -Infinity });
    assert.equal(synced.at(-1), true);
    // What would be written as it closes is lost in a crash.
    await Deno.copyFile(`${folder.path}/journal.db`, `${folder.path}/copy`);
    await Deno.copyFile(
      `${folder.path}/journal.db-wal`,
      `${folder.path}/copy-wal`,
    );
  }
  await Deno.mkdir(`${folder.path}/crashed`);
  for (const end of ["", "-wal"]) {
    await Deno.rename(
      `${folder.path}/copy${end}`,
      `${folder.path}/crashed/journal.db${end}`,
    );
  }
  await using journal = await openJournal(`${folder.path}/crashed`);
  assert.equal(journal.cursor("mqtt").seq, 0);
  assert.equal(standing(journal, "mqtt").ledger.requeued, 2);
  assert.deepEqual(await deliverAll(journal, "mqtt"), [1, 2]);
});

Deno.test("Rewind counts what waits already only once, and a time that is yet to come changes nothing", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ a: 1 }, { a: 2 }, { a: 3 });
  const cursor = journal.cursor("mqtt");
  cursor.settle(await cursor.next(2), delivered(2));
  const late = await journal.rewind("mqtt", {
    toUs: START_US + 3 * SECOND_US,
  });
  assert.deepEqual([late.from, late.to, late.packets], [2, 2, 0]);
  const all = await journal.rewind("mqtt", { toUs: 0 });
  assert.deepEqual([all.from, all.to, all.packets], [2, 0, 2]);
  assert.equal(standing(journal, "mqtt").waiting, 3);
  assert.deepEqual(await deliverAll(journal, "mqtt"), [1, 2, 3]);
});

Deno.test("Rewind begins at the first packet of the time, however the clock was set", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const hour = 3600 * SECOND_US;
  await new Writer(journal, "", START_US + hour).append({ a: 1 });
  await new Writer(journal, "", START_US).append({ a: 2 });
  await new Writer(journal, "", START_US + 2 * hour).append({ a: 3 });
  await deliverAll(journal, "mqtt");
  const { to } = await journal.rewind("mqtt", { toUs: START_US + hour });
  assert.equal(to, 0);
  await deliverAll(journal, "mqtt");
  assert.equal(
    (await journal.rewind("mqtt", { toUs: START_US + 1.5 * hour })).to,
    2,
  );
});

Deno.test("Rewind voids what the sink reports of rows that it was given before", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ a: 1 }, { a: 2 }, { a: 3 }, { a: 4 });
  const cursor = journal.cursor("mqtt");
  cursor.settle(await cursor.next(2), delivered(2));
  const underWay = await cursor.next(1);
  const nextUnderWay = await cursor.next(1);
  await journal.rewind("mqtt", { toUs: 0 });
  cursor.settle(underWay, delivered(1));
  cursor.settle(nextUnderWay, delivered(1));
  assert.equal(cursor.seq, 0);
  assert.equal(standing(journal, "mqtt").ledger.delivered, 2);
  assert.deepEqual(await deliverAll(journal, "mqtt"), [1, 2, 3, 4]);
  standing(journal, "mqtt");
});

Deno.test("Rewind while the sink is just being given rows loses none and moves nothing forward", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append({ a: 1 }, { a: 2 }, { a: 3 });
  }
  const disk = directDisk();
  const { promise, resolve } = Promise.withResolvers<void>();
  let most = 2;
  // Reopened, so that nothing comes from memory.
  await using journal = await openJournal(folder.path, {
    disk: {
      ...disk,
      read: async (seq, limit) => {
        if (seq === 2) await promise;
        return await disk.read(seq, Math.min(limit, most));
      },
    },
  });
  const cursor = journal.cursor("mqtt");
  cursor.settle(await cursor.next(2), delivered(2));
  const next = cursor.next(100);
  most = 100;
  await journal.rewind("mqtt", { toUs: 0 });
  resolve();
  assert.deepEqual((await next).map(({ seq }) => seq), [1, 2, 3]);
});

Deno.test("Rewind counts on rows that nobody deletes meanwhile", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  let write: (() => Promise<void>) | undefined;
  await using journal = await openJournal(folder.path, {
    maxBytes: 200_000,
    disk: {
      ...disk,
      read: async (seq, limit) => {
        const rows = await disk.read(seq, Math.min(limit, 10));
        const fill = write;
        write = undefined;
        await fill?.();
        return rows;
      },
    },
  });
  const writer = new Writer(journal);
  await writer.append(...Array.from({ length: 50 }, (_, a) => ({ a })));
  for (const name of ["mqtt", "influxdb"]) await deliverAll(journal, name);
  const big = Object.fromEntries(
    Array.from({ length: 2000 }, (_, i) => [`path${i}`, i]),
  );
  // Now the journal is full: after each commit the oldest rows that nobody holds go.
  write = async () => {
    for (let i = 0; i < 10; i++) await writer.append(big);
  };
  const { packets, to } = await journal.rewind("mqtt", {
    toUs: START_US + 20.5 * SECOND_US,
  });
  assert.deepEqual([to, packets], [20, 30]);
  const { ledger } = standing(journal, "mqtt");
  assert.equal(ledger.requeued, 30);
  await journal.flush();
  // From here on what waits may go, and is booked.
  await deliverAll(journal, "mqtt");
  const after = standing(journal, "mqtt");
  assert.equal(after.waiting, 0);
  assert.equal(after.ledger.dropped.corrupt, undefined);
});

Deno.test("Rewind over deleted packets says what is left, and books nothing twice", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append(
      ...Array.from({ length: 30 }, (_, a) => ({ a })),
    );
    for (const name of ["mqtt", "influxdb"]) await deliverAll(journal, name);
  }
  await using journal = await openJournal(folder.path, {
    historyS: 10,
    monotonicUs: () => 30 * SECOND_US,
  });
  const writer = new Writer(journal, "", START_US + 30 * SECOND_US);
  for (let i = 0; i < 3; i++) await writer.append({ b: 1 });
  const { packets, oldestUs, from, to } = await journal.rewind("mqtt", {
    toUs: 0,
  });
  assert.deepEqual([from, to, packets], [30, 19, 11]);
  assert.equal(oldestUs, START_US + 20 * SECOND_US);
  await deliverAll(journal, "mqtt");
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual(
    [ledger.received, ledger.requeued, ledger.delivered, waiting],
    [33, 11, 33 + 11, 0],
  );
  assert.deepEqual(ledger.dropped, {});
});

Deno.test("Rewind that is given up changes nothing", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ a: 1 });
  await deliverAll(journal, "mqtt");
  await assert.rejects(
    journal.rewind("mqtt", { toUs: 0, signal: AbortSignal.abort() }),
    { name: "AbortError" },
  );
  assert.equal(standing(journal, "mqtt").waiting, 0);
  await assert.rejects(journal.rewind("nobody", { toUs: 0 }), /no sink/);
});

Deno.test("Ledger balances over any rewinds, deletions and deliveries, and books no loss twice", () => {
  const event = fc.record({
    kind: fc.constantFrom("receive", "lose", "advance", "rewind"),
    n: fc.nat(9),
  });
  fc.assert(fc.property(fc.array(event, { maxLength: 80 }), (events) => {
    const ledger = Ledger.startingAt({ seq: 0, total: 0 }, {
      seq: 0,
      total: 0,
    });
    /** Every row; `place` is how many of them the cursor has passed. */
    const rows: { readings: number; total: number; gone: boolean }[] = [];
    let place = 0;
    let lost = 0;
    const total = () => rows.at(-1)?.total ?? 0;
    const sum = (list: typeof rows) =>
      list.reduce((sum, { readings, gone }) => sum + (gone ? 0 : readings), 0);
    const advance = (to: number) => {
      ledger.advance({ seq: to, total: rows[to - 1]?.total ?? 0 }, {
        readings: sum(rows.slice(place, to)),
        rejected: 0,
        parked: 0,
      });
      place = to;
    };
    for (const { kind, n } of events) {
      if (kind === "receive") {
        rows.push({ readings: n, total: total() + n, gone: false });
        ledger.receive(n);
      } else if (kind === "lose") {
        // The newest row is never deleted.
        const victim = rows.findIndex(({ gone }) => !gone);
        const row = rows[victim];
        if (row === undefined || victim === rows.length - 1) continue;
        row.gone = true;
        if (victim < place) continue;
        ledger.lose("evicted", row.readings);
        lost += row.readings;
      } else if (kind === "advance") {
        const to = Math.min(rows.length, place + n);
        if (to > place && rows[to - 1]?.gone === false) advance(to);
      } else {
        const to = Math.max(0, place - n);
        const before = rows[to - 1]?.total ?? 0;
        ledger.rewind({ seq: to, total: before }, sum(rows.slice(to, place)));
        place = to;
      }
      assert.equal(ledger.imbalance(total()), 0, kind);
      assert.equal(ledger.waiting(total()), sum(rows.slice(place)), kind);
    }
    if (rows.length > place) advance(rows.length);
    assert.equal(ledger.waiting(total()), 0);
    assert.equal(ledger.state.ahead, 0);
    assert.equal(ledger.state.dropped.corrupt, undefined);
    assert.equal(ledger.state.dropped.evicted ?? 0, lost);
  }));
});
