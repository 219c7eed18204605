import assert from "node:assert/strict";
import { join } from "node:path";
import { DiskError } from "../../lib/journal/disk.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import { brokenDisk, spareDisk } from "./broken_disk.ts";
import {
  balanced,
  delivered,
  drain,
  makeFolder,
  openJournal,
  standing,
  START_US,
  valuesOf,
  Writer,
} from "./world.ts";

async function append(
  journal: Journal,
  from: number,
  to: number,
  startUs = START_US,
) {
  const writer = new Writer(journal, "", startUs);
  for (let a = from; a <= to; a++) await writer.append({ a });
}

async function writeFile(
  folder: string,
  from: number,
  to: number,
): Promise<void> {
  await using journal = await openJournal(folder);
  await append(journal, from, to);
  await drain(journal.cursor("mqtt"));
  await drain(journal.cursor("influxdb"));
}

Deno.test("A reading that was parked in memory keeps its time when the disk comes with a journal of its own", async () => {
  await using folder = await makeFolder();
  await writeFile(folder.path, 1, 10);
  const broken = brokenDisk();
  broken.fault = "dead";
  const disk = spareDisk(broken.disk);
  let timeUs = 0;
  {
    await using journal = await openJournal(folder.path, { disk });
    await append(journal, 101, 103, START_US + 5e9);
    const cursor = journal.cursor("mqtt");
    const rows = await cursor.next(1000);
    const [row] = rows;
    timeUs = row!.timeUs;
    const parked = { row: row!, reading: row!.readings[0]!, reason: "no" };
    cursor.settle(rows, { done: 3, rejected: [], parked: [parked] });
    await journal.flush();
    broken.fault = "none";
    await disk.foreign;
  }
  await using journal = await openJournal(folder.path);
  const again = await journal.cursor("mqtt").refused.parked();
  assert.equal(again?.rows[0]?.timeUs, timeUs);
  again?.settle({ done: 0, rejected: [], parked: [] });
});

Deno.test("A disk that comes with a journal of its own, and takes nothing yet, is joined once it does", async () => {
  await using folder = await makeFolder();
  await writeFile(folder.path, 1, 10);
  const broken = brokenDisk();
  broken.fault = "dead";
  const refused = Promise.withResolvers<string>();
  let tries = 0;
  const disk = spareDisk({
    ...broken.disk,
    commit: (commit) => {
      if (broken.fault === "full" && ++tries === 3) refused.resolve("refused");
      return broken.disk.commit(commit);
    },
  });
  const foreign = disk.foreign.then(() => "foreign");
  {
    await using journal = await openJournal(folder.path, { disk });
    await append(journal, 101, 103, START_US + 5e9);
    broken.fault = "full";
    assert.equal(await Promise.race([foreign, refused.promise]), "refused");
    assert.equal(journal.medium.kind, "memory");
    broken.fault = "none";
    await foreign;
  }
  await using journal = await openJournal(folder.path);
  const influxdb = await drain(journal.cursor("influxdb"));
  assert.deepEqual(valuesOf(influxdb), [101, 102, 103]);
});

Deno.test("A sink that was removed before the journal was in memory has the account of all that came, when the two are joined", async () => {
  await using folder = await makeFolder();
  const influxdb = { name: "influxdb", target: "server/bucket" } as const;
  await writeFile(folder.path, 1, 10);
  {
    await using journal = await openJournal(folder.path, {
      sinks: [{ ...influxdb, startAt: "oldest" }],
    });
    await append(journal, 11, 15, START_US + 1e9);
    await drain(journal.cursor("influxdb"));
  }
  const broken = brokenDisk();
  broken.fault = "dead";
  const disk = spareDisk(broken.disk);
  {
    await using journal = await openJournal(folder.path, { disk });
    await append(journal, 16, 18, START_US + 2e9);
    await drain(journal.cursor("mqtt"));
    broken.fault = "none";
    await disk.foreign;
  }
  await using journal = await openJournal(folder.path);
  const mqtt = await drain(journal.cursor("mqtt"));
  assert.deepEqual(valuesOf(mqtt), [11, 12, 13, 14, 15]);
  for (const name of ["mqtt", "influxdb"]) {
    const { received, requeued } = standing(journal, name).ledger;
    assert.deepEqual([received, requeued], [18, 0], name);
  }
});

Deno.test("A sink that is not configured while the journal is in memory has the account of that, too, when it comes back", async () => {
  await using folder = await makeFolder();
  await writeFile(folder.path, 1, 10);
  const broken = brokenDisk();
  broken.fault = "dead";
  const disk = spareDisk(broken.disk);
  const sinks = [
    { name: "influxdb", target: "server/bucket", startAt: "oldest" as const },
  ];
  {
    await using journal = await openJournal(folder.path, { disk, sinks });
    await append(journal, 11, 13, START_US + 1e9);
    broken.fault = "none";
    await disk.foreign;
  }
  await using journal = await openJournal(folder.path);
  assert.equal(standing(journal, "mqtt").ledger.received, 13);
  const mqtt = await drain(journal.cursor("mqtt"));
  assert.deepEqual(valuesOf(mqtt), [11, 12, 13]);
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual([ledger.delivered, ledger.requeued, waiting], [13, 0, 0]);
});

Deno.test("A sink whose address was corrected while the disk was away takes over what waited on it", async () => {
  await using folder = await makeFolder();
  const before = { name: "mqtt", target: "brokre", startAt: "now" } as const;
  const sinks = [{ ...before, target: "broker" }];
  {
    await using journal = await openJournal(folder.path, { sinks: [before] });
    await append(journal, 1, 5);
    const cursor = journal.cursor("mqtt");
    cursor.settle(await cursor.next(2), delivered(2));
  }
  const broken = brokenDisk();
  broken.fault = "dead";
  const disk = spareDisk(broken.disk);
  {
    await using journal = await openJournal(folder.path, { disk, sinks });
    await append(journal, 11, 13, START_US + 1e9);
    const cursor = journal.cursor("mqtt");
    cursor.settle(await cursor.next(1), delivered(1));
    broken.fault = "none";
    await disk.foreign;
  }
  await using journal = await openJournal(folder.path, { sinks });
  const rows = await drain(journal.cursor("mqtt"));
  assert.deepEqual(valuesOf(rows), [3, 4, 5, 12, 13]);
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual(
    [ledger.received, ledger.requeued, ledger.delivered, waiting],
    [6, 0, 6, 0],
  );
  assert.deepEqual(ledger.dropped, {});
});

Deno.test("A disk that is swapped for another one while the gateway runs leaves ledgers that balance", async () => {
  await using folder = await makeFolder();
  await using other = await makeFolder();
  await writeFile(other.path, 1001, 1050);
  const broken = brokenDisk();
  const disk = spareDisk(broken.disk);
  {
    await using journal = await openJournal(folder.path, { disk });
    await append(journal, 1, 10, START_US + 1e9);
    broken.fault = "dead";
    await append(journal, 11, 20, START_US + 2e9);
    assert.equal(journal.medium.kind, "memory");
    for await (const { name } of Deno.readDir(folder.path)) {
      if (name.endsWith(".tmp")) continue; // The safety copy, which is being written.
      await Deno.remove(join(folder.path, name));
    }
    for await (const { name } of Deno.readDir(other.path)) {
      await Deno.copyFile(join(other.path, name), join(folder.path, name));
    }
    broken.fault = "none";
    await disk.foreign;
  }
  await using journal = await openJournal(folder.path);
  balanced(journal);
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    Array.from({ length: 10 }, (_, i) => 11 + i),
  );
  const { dropped } = journal.standings()[1]!.ledger;
  assert.deepEqual(dropped, { corrupt: 10 }, "what went with the old disk");
});

Deno.test("A disk that comes back damaged is salvaged with what is known, and nothing is missing", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  let hurt = false;
  const disk = spareDisk({
    ...broken.disk,
    open: async (path, logBytes) => {
      if (hurt && broken.fault === "none") {
        hurt = false;
        await broken.disk.openForReading(path);
        using file = await Deno.open(path, { write: true });
        await file.write(new Uint8Array(100));
      }
      return await broken.disk.open(path, logBytes);
    },
  });
  {
    await using journal = await openJournal(folder.path, { disk });
    await append(journal, 1, 10);
    await drain(journal.cursor("mqtt"));
    await journal.flush();
    broken.fault = "dead";
    await append(journal, 11, 20, START_US + 1e9);
    hurt = true;
    broken.fault = "none";
  }
  assert.equal(hurt, false, "the file was damaged");
  await using journal = await openJournal(folder.path);
  balanced(journal);
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  balanced(journal);
  for (const { ledger } of journal.standings()) {
    assert.deepEqual(ledger.dropped, {});
  }
});

Deno.test("A report comes although the rows that wait are on a disk that cannot be read", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk),
    maxRecentReadings: 1,
  });
  await append(journal, 1, 10);
  broken.fault = "dead";
  await append(journal, 11, 11, START_US + 1e9);
  const report = await journal.report();
  assert.equal(report.medium.kind, "memory");
  assert.equal(report.sinks[0]?.waiting, 11);
  broken.fault = "none";
});

Deno.test("Lines that a disk was given without a sync, and lost as it failed, are on it once it takes another board's packet", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  let [forgets, fails] = [false, false];
  const disk = spareDisk({
    ...broken.disk,
    commit: async (commit) => {
      if (forgets) return { usedBytes: 0, limitBytes: 1e9 };
      if (fails) {
        fails = false;
        throw new DiskError("disk I/O error", "failing");
      }
      return await broken.disk.commit(commit);
    },
  });
  await using journal = await openJournal(folder.path, { disk });
  const hall = new Writer(journal, "hall");
  const yard = new Writer(journal, "yard");
  await hall.append({ a: 1 });
  await yard.append({ a: 1 });
  hall.counts.lines += 10;
  hall.counts.other += 10;
  forgets = true;
  await journal.flush();
  forgets = false;
  fails = true;
  await yard.append({ a: 2 });
  assert.equal(journal.medium.kind, "disk");
  const onDisk = await broken.disk.open(join(folder.path, "journal.db"), 1e6);
  const board = onDisk.boards.find(({ name }) => name === "hall");
  assert.equal(board?.lines, 11);
});
