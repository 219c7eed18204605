import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../../lib/journal/database.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import { SCHEMA_VERSION } from "../../lib/journal/schema.ts";
import { STAMP, watchedDisk } from "./damaged.ts";
import {
  balanced,
  drain,
  makeFolder,
  openJournal,
  standing,
  START_US,
  valuesOf,
  Writer,
} from "./world.ts";

/** Makes the journal at `path` one of a newer version, or what it was before. */
function setVersion(path: string, version: number): void {
  using db = openDatabase(path);
  if (version > SCHEMA_VERSION) {
    db.exec(`
      ALTER TABLE packets ADD COLUMN novelty INTEGER;
      CREATE TABLE novelties (id INTEGER PRIMARY KEY)`);
  }
  db.exec(`PRAGMA user_version=${version}`);
}

async function deliverAll(journal: Journal, name: string) {
  const rows = await drain(journal.cursor(name));
  return {
    values: valuesOf(rows),
    times: rows.filter(({ readings }) => readings.length > 0)
      .map(({ timeUs }) => (timeUs - START_US) / 1e6),
  };
}

async function asideNames(folder: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(folder));
  return names.map(({ name }) => name).filter((name) => /newer/.test(name))
    .sort();
}

/**
 * A newer version has so many packets, of which "mqtt" has had all and "influxdb" two (and one parked);
 * then this version runs with two packets of its own, of which "mqtt" has had both.
 */
async function rollBack(folder: string, packets = 5): Promise<string> {
  const path = join(folder, "journal.db");
  {
    await using journal = await openJournal(folder);
    const writer = new Writer(journal);
    writer.board.reject("{", "broken");
    await writer.append(
      ...Array.from(
        { length: packets },
        (_, i) => i === 1 ? { a: 2, b: 9 } : { a: i + 1 },
      ),
    );
    await deliverAll(journal, "mqtt");
    const influxdb = journal.cursor("influxdb");
    const rows = await influxdb.next(3);
    const parked = rows.slice(1, 2).map((row) => ({
      row,
      reading: row.readings[1]!,
      reason: "forbidden",
    }));
    influxdb.settle(rows, { done: 2, rejected: [], parked });
  }
  setVersion(path, SCHEMA_VERSION + 1);
  const disk = watchedDisk();
  {
    await using journal = await openJournal(folder, { disk });
    assert.deepEqual(disk.recoveries.map(({ kind }) => kind), ["newer"]);
    const writer = new Writer(journal, "", START_US + 3600e6);
    await writer.append({ a: 6 }, { a: 7, c: 1 });
    assert.deepEqual((await deliverAll(journal, "mqtt")).values, [6, 7, 1]);
    balanced(journal);
  }
  const aside = join(folder, `journal-${STAMP}.newer.db`);
  assert.equal(disk.recoveries[0]?.path, aside);
  return aside;
}

Deno.test("A newer version's journal is put aside, and taken over by a program that knows it", async () => {
  await using folder = await makeFolder();
  const aside = await rollBack(folder.path);
  {
    const disk = watchedDisk();
    await using journal = await openJournal(folder.path, { disk });
    assert.deepEqual(
      disk.recoveries,
      [],
      "as long as nobody knows it, it lies",
    );
    assert.equal(journal.cursor("influxdb").waiting, 3);
  }
  setVersion(aside, SCHEMA_VERSION);
  const disk = watchedDisk();
  await using journal = await openJournal(folder.path, { disk });
  assert.deepEqual(
    disk.recoveries.map(({ kind, packets }) => ({ kind, packets })),
    [{ kind: "adopted", packets: 3 }],
  );
  balanced(journal);
  assert.equal(journal.cursor("mqtt").waiting, 0);
  const { values, times } = await deliverAll(journal, "influxdb");
  assert.deepEqual(values, [6, 7, 1, 3, 4, 5]);
  assert.deepEqual(times, [3601, 3602, 3, 4, 5]);
  const parked = await journal.cursor("influxdb").refused.parked();
  assert.deepEqual(
    parked?.rows.map(({ readings, timeUs }) => ({ readings, timeUs })),
    [{ readings: [{ path: "b", value: 9 }], timeUs: START_US + 2e6 }],
  );
  assert.equal(standing(journal, "influxdb").ledger.received, 3 + 3 + 1);
  balanced(journal);
  assert.deepEqual(
    [...journal.latest()].map(({ path, value }) => [path, value]).sort(),
    [["a", 7], ["b", 9], ["c", 1]],
  );
  assert.deepEqual(await asideNames(folder.path), []);
  await new Writer(journal, "", START_US + 7200e6).append({ a: 8 });
  assert.deepEqual((await deliverAll(journal, "mqtt")).values, [8]);
});

Deno.test("A reading that was parked before the clock was known is taken over with the time that it has by now", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const open = () => openJournal(folder.path, { monotonicUs: () => 1e6 });
  {
    await using journal = await open();
    const { board } = new Writer(journal);
    const epoch = journal.epochs
      .open({ offsetUs: START_US - 1e9, monoUs: 0, quality: "unknown" });
    const readings = [{ path: "a", value: 1 }];
    void board.append([{
      packet: { boardTs: null, readings, dropped: [] },
      at: { epoch, monoUs: 8 },
    }], 9);
    await journal.flush();
    const mqtt = journal.cursor("mqtt");
    const rows = await mqtt.next(1);
    const parked = rows.map((row) => ({
      row,
      reading: row.readings[0]!,
      reason: "forbidden",
    }));
    mqtt.settle(rows, { done: 1, rejected: [], parked });
    await journal.flush();
    journal.epochs.know(START_US, "timesyncd");
  }
  setVersion(path, SCHEMA_VERSION + 1);
  {
    await using _journal = await openJournal(folder.path, {
      disk: watchedDisk(),
      monotonicUs: () => 1e6,
    });
  }
  setVersion(
    join(folder.path, `journal-${STAMP}.newer.db`),
    SCHEMA_VERSION,
  );
  await using journal = await open();
  const parked = await journal.cursor("mqtt").refused.parked();
  const [row] = parked?.rows ?? [];
  assert.equal(row?.timeQuality, "known");
  assert.ok(Math.abs(row.timeUs - START_US) < 100);
});

Deno.test("A crash while a journal is taken over repeats nothing and loses nothing", async () => {
  await using folder = await makeFolder();
  const aside = await rollBack(folder.path, 2500);
  setVersion(aside, SCHEMA_VERSION);
  const path = join(folder.path, "journal.db");
  {
    using db = openDatabase(path);
    db.exec(`
      CREATE TRIGGER crash BEFORE INSERT ON packets WHEN NEW.body = '{"a":2000}'
      BEGIN SELECT RAISE(ABORT, 'crash'); END`);
  }
  await assert.rejects(openJournal(folder.path), (error: Error) => {
    assert.match(String(error.cause), /crash/);
    return true;
  });
  {
    using db = openDatabase(path);
    db.exec("DROP TRIGGER crash");
  }
  const file = await Deno.readFile(aside);
  {
    await using _journal = await openJournal(folder.path);
  }
  // And once more when all is taken over, before the file is removed.
  await Deno.writeFile(aside, file);
  await using journal = await openJournal(folder.path);
  balanced(journal);
  assert.deepEqual((await deliverAll(journal, "mqtt")).values, []);
  const { values } = await deliverAll(journal, "influxdb");
  const expected = Array.from({ length: 2498 }, (_, i) => i + 3);
  assert.deepEqual(values, [6, 7, 1, ...expected]);
  assert.equal(journal.standings()[1]?.ledger.received, 3 + 2498 + 1);
  balanced(journal);
  assert.deepEqual(await asideNames(folder.path), []);
});

Deno.test("A journal that was put aside goes out whole where nothing was kept since", async () => {
  await using folder = await makeFolder();
  const aside = await rollBack(folder.path);
  for (const suffix of ["", "-copy"]) {
    await Deno.remove(join(folder.path, `journal.db${suffix}`));
  }
  setVersion(aside, SCHEMA_VERSION);
  await using journal = await openJournal(folder.path);
  assert.deepEqual((await deliverAll(journal, "mqtt")).values, []);
  assert.deepEqual((await deliverAll(journal, "influxdb")).values, [3, 4, 5]);
  balanced(journal);
});

Deno.test("Putting a journal aside that a crash interrupted is taken up where it was", async () => {
  await using folder = await makeFolder();
  const aside = await rollBack(folder.path);
  const path = join(folder.path, "journal.db");
  await Deno.remove(path);
  // The file has been moved, its copy and the mark have not.
  await Deno.rename(`${aside}-copy`, `${path}-copy`);
  const copy = await Deno.readTextFile(`${path}-copy`);
  await Deno.writeTextFile(aside.replace(".newer.", ".moving."), "");
  const disk = watchedDisk();
  await using _journal = await openJournal(folder.path, { disk });
  assert.deepEqual(disk.recoveries, []);
  assert.equal(await Deno.readTextFile(`${aside}-copy`), copy);
});
