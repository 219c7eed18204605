import assert from "node:assert/strict";
import { join } from "node:path";
import {
  balanced,
  delivered,
  directDisk,
  makeFolder,
  openJournal,
  standing,
  Writer,
} from "./world.ts";

Deno.test("Journal gives up the oldest rows when it is full, books them, and never repeats a number", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path, {
    maxBytes: 400 * 1024,
  });
  const writer = new Writer(journal);
  const mqtt = journal.cursor("mqtt");
  const values = { "n1.t": 27.6, "n1.h": 54.1, "n1.g": 84_190 };
  for (let i = 0; i < 40; i++) {
    await writer.append(...Array.from({ length: 250 }, () => values));
    const rows = await mqtt.next(1e6);
    mqtt.settle(rows, delivered(rows.length));
  }
  while (standing(journal, "influxdb").ledger.dropped.evicted === undefined) {
    await journal.flush();
  }
  await journal.flush();
  const file = await Deno.stat(join(folder.path, "journal.db"));
  assert.ok(file.size < 1024 * 1024, String(file.size));
  assert.equal(standing(journal, "mqtt").ledger.delivered, 30_000);
  const influxdb = journal.cursor("influxdb");
  const seqs: number[] = [];
  for (let rows; (rows = await influxdb.next(5000)).length > 0;) {
    influxdb.settle(rows, delivered(rows.length));
    seqs.push(...rows.map((row) => row.seq));
  }
  assert.equal(seqs.at(-1), 10_000);
  assert.equal(new Set(seqs).size, seqs.length);
  const { ledger, waiting } = standing(journal, "influxdb");
  assert.equal(waiting, 0);
  assert.equal(ledger.delivered, seqs.length * 3);
  assert.equal(ledger.delivered + (ledger.dropped.evicted ?? 0), 30_000);
  assert.equal(ledger.dropped.corrupt, undefined);
  balanced(journal);
});

Deno.test("Journal that is full gives up rows behind those in a sink's hands, however many these are", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path, {
    maxBytes: 400 * 1024,
  });
  const writer = new Writer(journal);
  await writer.append(...Array.from({ length: 4000 }, () => ({ a: 1 })));
  const mqtt = journal.cursor("mqtt");
  const held = await mqtt.next(4000);
  assert.equal(held.length, 4000);
  for (let i = 0; i < 40; i++) {
    await writer.append(...Array.from({ length: 200 }, () => ({ a: 1 })));
  }
  for (let i = 0; i < 40; i++) await journal.flush();
  const { evicted = 0 } = standing(journal, "mqtt").ledger.dropped;
  assert.ok(evicted > 500, `${evicted} are given up`);
  mqtt.settle(held, delivered(held.length));
  assert.equal(standing(journal, "mqtt").ledger.delivered, 4000);
  balanced(journal);
});

Deno.test("Journal gives no row out that was chosen for deletion before it was read and is gone when the disk answers", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  const chosen = Promise.withResolvers<readonly [number, number]>();
  const deletes = Promise.withResolvers<void>();
  const deleted = Promise.withResolvers<void>();
  await using journal = await openJournal(folder.path, {
    disk: {
      ...disk,
      commit: async (commit) => {
        // Those that were the very first are skipped as they are asked for.
        if ((commit.deleted?.[0] ?? 1) === 1) return await disk.commit(commit);
        chosen.resolve(commit.deleted!);
        await deletes.promise;
        const result = await disk.commit(commit);
        deleted.resolve();
        return result;
      },
      read: async (...args) => {
        const rows = await disk.read(...args);
        deletes.resolve();
        await deleted.promise;
        await journal.flush();
        return rows;
      },
    },
    maxBytes: 400 * 1024,
    maxRecentReadings: 1,
  });
  const writer = new Writer(journal);
  const values = { "n1.t": 27.6, "n1.h": 54.1, "n1.g": 84_190 };
  for (let i = 0; i < 40; i++) {
    writer.enqueue(...Array.from({ length: 250 }, () => values));
  }
  const [, last] = await chosen.promise;
  const mqtt = journal.cursor("mqtt");
  const rows = await mqtt.next(30_000);
  assert.ok(rows.every(({ seq }) => seq > last), `${rows[0]?.seq} ${last}`);
  mqtt.settle(rows, delivered(rows.length));
  assert.ok(standing(journal, "mqtt").ledger.ahead >= 0);
});

Deno.test("Journal deletes delivered rows by age, the undelivered never", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append({ a: 1 }, { a: 2 }, { a: 3 }, { a: 4 });
    for (const [name, count] of [["mqtt", 4], ["influxdb", 2]] as const) {
      const cursor = journal.cursor(name);
      cursor.settle(await cursor.next(count), delivered(count));
    }
  }
  const disk = directDisk();
  const deleted = Promise.withResolvers<void>();
  await using journal = await openJournal(folder.path, {
    historyS: 60,
    monotonicUs: () => 3600e6,
    disk: {
      ...disk,
      commit: async (commit) => {
        const result = await disk.commit(commit);
        if (commit.deleted !== null) deleted.resolve();
        return result;
      },
    },
  });
  await deleted.promise;
  assert.deepEqual(
    (await disk.oldest(10)).map((row) => row.seq),
    [3, 4],
  );
  balanced(journal);
});
