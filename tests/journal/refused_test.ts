import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../../lib/journal/database.ts";
import { EMPTY_COMMIT } from "../../lib/journal/disk.ts";
import type { Row } from "../../lib/model.ts";
import {
  balanced,
  directDisk,
  makeFolder,
  openJournal,
  standing,
  START_US,
  Writer,
} from "./world.ts";

Deno.test("Journal keeps 10,000 parked readings and books each of the others once", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  await using journal = await openJournal(folder.path, { disk });
  const writer = new Writer(journal);
  const cursor = journal.cursor("mqtt");
  await writer.append(...Array.from({ length: 12_000 }, () => ({ a: 1 })));
  for (let batch = 0; batch < 12; batch++) {
    const rows = await cursor.next(1000);
    const parked = rows.flatMap((row) =>
      row.readings.map((reading) => ({ row, reading, reason: "forbidden" }))
    );
    cursor.settle(rows, { done: rows.length, rejected: [], parked });
  }
  while (standing(journal, "mqtt").ledger.parked > 10_000) {
    await journal.flush();
  }
  await journal.flush();
  const { ledger } = standing(journal, "mqtt");
  assert.equal(ledger.parked, 10_000);
  assert.deepEqual(ledger.dropped, { evicted: 2000 });
  assert.equal((await disk.oldestParked(1, 1e6)).length, 10_000);
  balanced(journal);
});

Deno.test("Journal keeps a refused reading among the rejects and counts it", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    const writer = new Writer(journal);
    writer.board.reject("JSON sent via VCP: {", "The braces do not close");
    await writer.append({ "n1.t": 1, "n1.h": 2 });
    const cursor = journal.cursor("influxdb");
    const rows = await cursor.next(10);
    const [row] = rows;
    assert.ok(row?.readings[0]);
    cursor.settle(rows, {
      done: 1,
      rejected: [{ row, reading: row.readings[0], reason: "conflict" }],
      parked: [],
    });
    assert.equal(standing(journal, "influxdb").ledger.dropped.rejected, 1);
    balanced(journal);
  }
  using db = openDatabase(join(folder.path, "journal.db"), { readOnly: true });
  assert.deepEqual(
    db.prepare("SELECT origin, reason, body FROM rejects ORDER BY id").all()
      .map((row) => ({ ...row })),
    [
      {
        origin: "source",
        reason: "The braces do not close",
        body: "JSON sent via VCP: {",
      },
      { origin: "influxdb", reason: "conflict", body: '{"n1.t":1}' },
    ],
  );
});

Deno.test("Journal parks a reading, lets the rest pass and gives it out again", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append({ a: 1, b: 2 }, { a: 3, b: 4 });
    const cursor = journal.cursor("mqtt");
    const rows = await cursor.next(10);
    cursor.settle(rows, {
      done: 2,
      rejected: [],
      parked: rows.flatMap((row) =>
        row.readings.slice(1).map((reading) => ({
          row,
          reading,
          reason: "Not authorized",
        }))
      ),
    });
    assert.equal(cursor.seq, 2);
    assert.equal(cursor.waiting, 2);
    balanced(journal);
  }
  await using journal = await openJournal(folder.path);
  const cursor = journal.cursor("mqtt");
  const parked = await cursor.refused.parked();
  assert.ok(parked);
  assert.deepEqual(
    parked.rows.map(({ seq, timeUs, readings }) => ({ seq, timeUs, readings })),
    [
      {
        seq: 1,
        timeUs: START_US + 1_000_000,
        readings: [{ path: "b", value: 2 }],
      },
      {
        seq: 2,
        timeUs: START_US + 2_000_000,
        readings: [{ path: "b", value: 4 }],
      },
    ],
  );
  const [, second] = parked.rows;
  assert.ok(second?.readings[0]);
  parked.settle({
    done: 2,
    rejected: [],
    parked: [{ row: second, reading: second.readings[0], reason: "still" }],
  });
  assert.equal(cursor.waiting, 1);
  assert.deepEqual(
    (await cursor.refused.parked())?.rows.map((row) => row.seq),
    [
      2,
    ],
  );
  balanced(journal);
});

Deno.test("Journal keeps at most 2 MiB of rejects, the newest", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    const writer = new Writer(journal);
    for (let i = 0; i < 8; i++) {
      for (let k = 0; k < 60; k++) {
        writer.board.reject(`${i} ${"x".repeat(8000)}`, "broken");
      }
      await journal.flush();
    }
  }
  using db = openDatabase(join(folder.path, "journal.db"), { readOnly: true });
  const { bytes, oldest } = {
    ...db.prepare(
      "SELECT sum(length(body)) AS bytes, min(body) AS oldest FROM rejects",
    ).get(),
  };
  assert.ok(Number(bytes) > 1.9e6 && Number(bytes) < 2.1e6, String(bytes));
  assert.equal(String(oldest).slice(0, 1), "3");
});

Deno.test("A parked reading whose row is deleted before the clock is known has no time, rather than a wrong one", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  await using journal = await openJournal(folder.path, { disk });
  const { board } = new Writer(journal);
  const epoch = journal.epochs
    .open({ offsetUs: START_US - 1e9, monoUs: 0, quality: "unknown" });
  const readings = [{ path: "a", value: 1 }];
  const packet = { boardTs: null, readings, dropped: [] };
  for (const monoUs of [8, 16, 24]) {
    void board.append([{ packet, at: { epoch, monoUs } }], 9);
  }
  await journal.flush();
  const cursor = journal.cursor("mqtt");
  const rows = await cursor.next(2);
  const parked = rows.map((row) => ({
    row,
    reading: row.readings[0]!,
    reason: "forbidden",
  }));
  cursor.settle(rows, { done: 2, rejected: [], parked });
  await journal.flush();
  await disk.commit({ ...EMPTY_COMMIT, deleted: [1, 1] });
  journal.epochs.know(START_US, "timesyncd");
  await journal.flush();
  const tried = await cursor.refused.parked();
  assert.deepEqual(
    tried?.rows.map(({ timeQuality }) => timeQuality),
    ["unknown", "known"],
  );
  const known = tried?.rows[1];
  assert.ok(known && Math.abs(known.timeUs - START_US) < 100);
});

Deno.test("Journal gives texts and truths back as they were, parked, rejected and sent again ones too", async () => {
  await using folder = await makeFolder();
  const said = { a: "run", b: "12", c: '"', d: true, e: false, f: -0.5 };
  const given = Object.entries(said).map(([path, value]) => ({ path, value }));
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append(said, said);
    const cursor = journal.cursor("mqtt");
    const rows = await cursor.next(100);
    const [first, second] = rows;
    assert.ok(first && second);
    assert.deepEqual(first.readings, given);
    const refused = (row: Row) =>
      row.readings.map((reading) => ({ row, reading, reason: "no" }));
    cursor.settle(rows, {
      done: 2,
      rejected: refused(second),
      parked: refused(first),
    });
    await journal.flush();
  }
  await using journal = await openJournal(folder.path);
  assert.deepEqual(
    (await journal.cursor("influxdb").next(1))[0]?.readings,
    given,
  );
  assert.deepEqual(
    [...journal.latest()].map(({ path, value }) => ({ path, value })),
    given,
  );
  await journal.rejects.resend({ origin: "mqtt" }, () => null);
  const parked = await journal.cursor("mqtt").refused.parked();
  assert.deepEqual(
    parked?.rows.flatMap(({ readings }) => readings),
    [...given, ...given],
  );
});
