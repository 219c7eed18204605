import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase, rowChecksum } from "../../lib/journal/database.ts";
import { EMPTY_COMMIT } from "../../lib/journal/disk.ts";
import { takeReadings } from "../../lib/journal/rows.ts";
import { Store } from "../../lib/journal/store.ts";
import {
  balanced,
  delivered,
  directDisk,
  drain,
  gatedDisk,
  makeFolder,
  openJournal,
  standing,
  START_US,
  Writer,
} from "./world.ts";

Deno.test("Journal gives each sink every row in order, on its own time", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  await writer.append({ "n1.t": 27.6, "n1.h": 54.1 }, { "n1.t": 27.7 });
  const mqtt = journal.cursor("mqtt");
  const rows = await mqtt.next(100);
  assert.deepEqual(rows.map((row) => row.seq), [1, 2]);
  assert.deepEqual(rows[0], {
    seq: 1,
    board: "",
    timeUs: START_US + 1_000_000,
    timeQuality: "known",
    monoUs: 1_000_000,
    boardTs: null,
    readings: [{ path: "n1.t", value: 27.6 }, { path: "n1.h", value: 54.1 }],
    total: 2,
  });
  mqtt.settle(rows, delivered(2));
  assert.equal(standing(journal, "mqtt").waiting, 0);
  assert.equal(standing(journal, "influxdb").waiting, 3);
  assert.deepEqual(await mqtt.next(100), []);
  assert.equal((await journal.cursor("influxdb").next(100)).length, 2);
  balanced(journal);
});

Deno.test("Journal gives nothing out before the disk has it", async () => {
  await using folder = await makeFolder();
  const { disk, stand, go } = gatedDisk();
  await using journal = await openJournal(folder.path, { disk });
  stand();
  new Writer(journal).enqueue({ "n1.t": 1 });
  await Promise.resolve();
  assert.deepEqual(await journal.cursor("mqtt").next(100), []);
  go();
  await journal.flush();
  assert.equal((await journal.cursor("mqtt").next(100)).length, 1);
});

Deno.test("Journal gives out no row of a commit that the disk reports as failed, though it is written", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  let failing = false;
  const tried = Promise.withResolvers<void>();
  await using journal = await openJournal(folder.path, {
    disk: {
      ...disk,
      commit: async (commit) => {
        const result = await disk.commit(commit);
        if (!failing) return result;
        tried.resolve();
        throw new Error("disk I/O error");
      },
    },
    retryMs: 1,
    maxRecentReadings: 1,
  });
  const writer = new Writer(journal);
  await writer.append({ a: 1 }, { a: 2 }, { a: 3 });
  failing = true;
  writer.enqueue({ a: 4 });
  await tried.promise;
  const rows = await journal.cursor("mqtt").next(100);
  assert.deepEqual(rows.map(({ seq }) => seq), [1, 2, 3]);
  failing = false;
  await journal.flush();
  assert.equal((await journal.cursor("mqtt").next(100)).length, 1);
});

Deno.test("Journal syncs what a killed process left before it gives anything out", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  const durable: boolean[] = [];
  await using _ = await openJournal(folder.path, {
    disk: {
      ...disk,
      commit: (commit) => {
        durable.push(commit.durable);
        return disk.commit(commit);
      },
    },
  });
  assert.deepEqual(durable, [true]);
});

Deno.test("Journal commits together what gathered while the last commit was under way", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  const sizes: number[] = [];
  const gate = Promise.withResolvers<void>();
  await using journal = await openJournal(folder.path, {
    disk: {
      ...disk,
      commit: async (commit) => {
        if (commit.rows.length > 0) {
          sizes.push(commit.rows.length);
          if (sizes.length === 1) await gate.promise;
        }
        return await disk.commit(commit);
      },
    },
  });
  const writer = new Writer(journal);
  writer.enqueue({ "n1.t": 0 });
  await Promise.resolve();
  await Promise.resolve();
  for (let i = 1; i <= 100; i++) writer.enqueue({ "n1.t": i });
  gate.resolve();
  await journal.flush();
  assert.deepEqual(sizes, [1, 100]);
});

Deno.test("Journal goes on where it was after it was closed, in the worker too", async () => {
  await using folder = await makeFolder();
  for (const worker of [false, true]) {
    await using journal = await openJournal(folder.path, { worker });
    const writer = new Writer(journal);
    const cursor = journal.cursor("mqtt");
    const before = cursor.seq;
    await writer.append({ "n1.t": 1 }, { "n1.t": 2 }, { "n1.t": 3 });
    const rows = await cursor.next(2);
    assert.deepEqual(rows.map((row) => row.seq), [before + 1, before + 2]);
    cursor.settle(rows, delivered(2));
    await cursor.next(1);
    cursor.settle(await cursor.next(0), delivered(0));
    cursor.giveBack();
    cursor.settle(await cursor.next(1), delivered(1));
    balanced(journal);
  }
  await using journal = await openJournal(folder.path);
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual(
    { received: ledger.received, delivered: ledger.delivered, waiting },
    { received: 6, delivered: 6, waiting: 0 },
  );
  assert.equal(standing(journal, "influxdb").waiting, 6);
  balanced(journal);
});

Deno.test("Journal gives out again what a sink gave back, with the same times", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ "n1.t": 1 }, { "n1.t": 2 });
  const cursor = journal.cursor("influxdb");
  const first = await cursor.next(100);
  cursor.settle(first, delivered(1));
  cursor.giveBack();
  assert.deepEqual(await cursor.next(100), first.slice(1));
});

Deno.test("Journal books readings that never got a row, for every sink", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  await writer.board.append([
    writer.packet({ "n1.h": 54.1 }, [
      { path: "n1.t", value: "2795", reason: "implausible" },
      { path: "n1.g", value: "NaN", reason: "not_a_number" },
    ]),
  ], 10);
  await journal.flush();
  for (const name of ["mqtt", "influxdb"]) {
    const { ledger, waiting } = standing(journal, name);
    assert.deepEqual(ledger.dropped, { implausible: 1, not_a_number: 1 });
    assert.equal(ledger.received, 3);
    assert.equal(waiting, 1);
  }
  balanced(journal);
});

Deno.test("Journal drops what exceeds its memory while the disk stands, and books it as overrun", async () => {
  await using folder = await makeFolder();
  const { disk, stand, go } = gatedDisk();
  await using journal = await openJournal(folder.path, { disk });
  const writer = new Writer(journal);
  stand();
  // 8 MiB at some 110 bytes each are some 76,000 packets.
  const packets = Array.from({ length: 100_000 }, () => ({ "n1.t": 27.6 }));
  writer.enqueue(...packets);
  go();
  await journal.flush();
  const { ledger, waiting } = standing(journal, "mqtt");
  const overrun = ledger.dropped.overrun ?? 0;
  assert.ok(overrun > 20_000 && overrun < 30_000, String(overrun));
  assert.equal(waiting, 100_000 - overrun);
  assert.equal((await disk.oldest(1e6)).length, waiting);
  balanced(journal);
});

Deno.test("Journal keeps every board its part of the memory while another one floods", async () => {
  await using folder = await makeFolder();
  const { disk, stand, go } = gatedDisk();
  await using journal = await openJournal(folder.path, { disk });
  const [hall, yard] = [
    new Writer(journal, "hall"),
    new Writer(journal, "yard"),
  ];
  stand();
  // Of 8 MiB at some 110 bytes each, half are some 38,000 packets.
  hall.enqueue(...Array.from({ length: 100_000 }, () => ({ "n1.t": 27.6 })));
  yard.enqueue(...Array.from({ length: 30_000 }, () => ({ "n1.t": 27.6 })));
  go();
  await journal.flush();
  const rows = await disk.read(0, 1e6);
  const ofYard = rows.filter(({ board }) => board === 2).length;
  assert.equal(ofYard, 30_000);
  assert.ok(rows.length - ofYard > 35_000 && rows.length - ofYard < 40_000);
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.equal(ledger.dropped.overrun, 130_000 - rows.length);
  assert.equal(waiting, rows.length);
  balanced(journal);
});

Deno.test("Journal lets no board wait for the packets of another", async () => {
  await using folder = await makeFolder();
  const { disk, stand, go } = gatedDisk();
  await using journal = await openJournal(folder.path, { disk });
  const [hall, yard] = [
    new Writer(journal, "hall"),
    new Writer(journal, "yard"),
  ];
  stand();
  hall.enqueue(...Array.from({ length: 100 }, () => ({ "n1.t": 27.6 })));
  let waits = true;
  void yard.board.append([yard.packet({ a: 1 })], 10)
    .then(() => waits = false);
  // Only a timer or a commit would end the wait.
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assert.equal(waits, false);
  go();
});

Deno.test("Journal asks a writer to wait while more than its capacity waits, but not for ever", async () => {
  await using folder = await makeFolder();
  const { disk, stand, go } = gatedDisk();
  await using journal = await openJournal(folder.path, { disk });
  const writer = new Writer(journal);
  stand();
  const packets = Array.from({ length: 20 }, () => writer.packet({ a: 1 }));
  await writer.board.append(packets.slice(0, 10), 10);
  const before = performance.now();
  await writer.board.append(packets.slice(10), 10);
  assert.ok(performance.now() - before < 1000);
  go();
});

Deno.test("Journal tries a failed commit again and forgets nothing", async () => {
  await using folder = await makeFolder();
  const store = new Store();
  let failures = 2;
  const commit = store.commit.bind(store);
  store.commit = (what) => {
    if (what.rows.length > 0 && failures-- > 0) throw new Error("disk is full");
    return commit(what);
  };
  await using journal = await openJournal(folder.path, {
    disk: directDisk(store),
    retryMs: 1,
  });
  const writer = new Writer(journal);
  await writer.append({ "n1.t": 1 }, { "n1.t": 2 });
  assert.equal(failures, -1);
  assert.equal((await journal.cursor("mqtt").next(10)).length, 2);
  balanced(journal);
});

Deno.test("Journal that is opened or closed on a disk that fails says so, and ends", async () => {
  await using folder = await makeFolder();
  const store = new Store();
  const commit = store.commit.bind(store);
  let fails = true;
  store.commit = (what) => {
    if (fails) throw new Error("disk I/O error");
    return commit(what);
  };
  const options = { disk: directDisk(store), retryMs: 1 };
  await assert.rejects(openJournal(folder.path, options), /Cannot open/);
  fails = false;
  const journal = await openJournal(folder.path, options);
  const writer = new Writer(journal);
  await writer.append({ a: 1 });
  fails = true;
  writer.enqueue({ a: 2 });
  writer.board.reject("broken", "for the timer that writes what is no row");
  await assert.rejects(journal.close(), /the packets after 1 are lost/);
});

Deno.test("Journal says that all is written that was known when it was asked, however much comes on", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  let more = true;
  const stopListening = journal.onCommit(() => {
    if (more) writer.enqueue({ a: 1 });
  });
  await writer.append({ a: 0 });
  more = false;
  stopListening();
});

Deno.test("Journal gives what waited for a sink to the one that takes its place", async () => {
  await using folder = await makeFolder();
  const wrong = { name: "mqtt", target: "typo", startAt: "now" } as const;
  {
    await using journal = await openJournal(folder.path, { sinks: [wrong] });
    await new Writer(journal).append({ a: 1 }, { a: 2 }, { a: 3 });
    const cursor = journal.cursor("mqtt");
    cursor.settle(await cursor.next(1), delivered(1));
  }
  await using journal = await openJournal(folder.path, {
    sinks: [{ ...wrong, target: "right" }],
  });
  const rows = await journal.cursor("mqtt").next(10);
  assert.deepEqual(rows.map((row) => row.seq), [2, 3]);
  assert.equal(standing(journal, "mqtt").ledger.received, 2);
  balanced(journal);
});

Deno.test("Journal knows the newest value of each reading, after a restart too", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append({ a: 1, b: 2 }, { a: 3 });
  }
  await using journal = await openJournal(folder.path);
  assert.deepEqual([...journal.latest()], [
    {
      board: "",
      path: "a",
      seq: 2,
      value: 3,
      timeUs: START_US + 2_000_000,
      timeQuality: "known",
    },
    {
      board: "",
      path: "b",
      seq: 1,
      value: 2,
      timeUs: START_US + 1_000_000,
      timeQuality: "known",
    },
  ]);
  const [first, second] = await journal.cursor("mqtt").next(10);
  assert.ok(first && second);
  assert.equal(journal.isNewest(first, "a"), false);
  assert.equal(journal.isNewest(first, "b"), true);
  assert.equal(journal.isNewest(second, "a"), true);
});

Deno.test("Journal starts a new sink where the configuration says and lets a removed one hold nothing back", async () => {
  await using folder = await makeFolder();
  const mqtt = { name: "mqtt", target: "a", startAt: "now" } as const;
  const influxdb = {
    name: "influxdb",
    target: "b",
    startAt: "oldest",
  } as const;
  {
    await using journal = await openJournal(folder.path, { sinks: [mqtt] });
    await new Writer(journal).append({ a: 1 }, { a: 2 });
    const cursor = journal.cursor("mqtt");
    cursor.settle(await cursor.next(1), delivered(1));
  }
  {
    await using journal = await openJournal(folder.path, { sinks: [influxdb] });
    assert.equal(standing(journal, "influxdb").waiting, 2);
    assert.throws(() => journal.cursor("mqtt"), /knows no sink "mqtt"/);
    await new Writer(journal, "", START_US + 60e6).append({ a: 3 });
    balanced(journal);
  }
  await using journal = await openJournal(folder.path, {
    sinks: [mqtt, influxdb, { ...mqtt, name: "mqtt2" }],
  });
  assert.deepEqual(
    (await journal.cursor("mqtt").next(10)).map((row) => row.seq),
    [2, 3],
  );
  assert.equal(standing(journal, "mqtt").ledger.received, 3);
  assert.equal(standing(journal, "mqtt2").waiting, 0);
  balanced(journal);
});

Deno.test("Rows that are given out together are as many as fit, though more were deleted between them", () => {
  const rows = [
    { seq: 3, readings: 2, total: 5 },
    { seq: 90, readings: 2, total: 400 },
    { seq: 91, readings: 2, total: 402 },
  ];
  assert.deepEqual(
    takeReadings(rows, 0, 4).map(({ seq }) => seq),
    [3, 90],
  );
  assert.deepEqual(takeReadings(rows, 1, 1).map(({ seq }) => seq), [90]);
  assert.deepEqual(takeReadings(rows, 3, 1), []);
});

Deno.test("Journal books what a removed sink lost as evicted, wherever the rows stood that it lost before", async () => {
  const sinks = ["mqtt", "influxdb"].map((name) => ({
    name,
    target: name,
    startAt: "oldest" as const,
  }));
  // Rows 2 to 5 are in the hands of mqtt when 6 and 7 are given up; it is removed, and its rows go
  // up to `beginning`.
  for (const beginning of [3, 5, 7, 9]) {
    await using folder = await makeFolder();
    const disk = directDisk();
    {
      await using journal = await openJournal(folder.path, { sinks, disk });
      await new Writer(journal).append(
        ...Array.from({ length: 12 }, (_, i) => ({ a: i + 1 })),
      );
      const cursor = journal.cursor("mqtt");
      cursor.settle(await cursor.next(1), delivered(1));
    }
    {
      using db = openDatabase(join(folder.path, "journal.db"));
      db.exec(
        `DELETE FROM packets WHERE seq IN (1, 6, 7);
         UPDATE sinks SET seal = '';
         UPDATE sinks SET ahead = 2, dropped = '{"evicted":2}' WHERE name = 'mqtt'`,
      );
    }
    {
      await using journal = await openJournal(folder.path, {
        sinks: sinks.slice(1),
      });
      const influxdb = journal.cursor("influxdb");
      while ((await influxdb.next(100)).length > 0);
      await journal.flush();
    }
    {
      using db = openDatabase(join(folder.path, "journal.db"));
      db.exec(
        `DELETE FROM packets WHERE seq < ${beginning}; UPDATE sinks SET seal = ''`,
      );
    }
    await using journal = await openJournal(folder.path, { sinks });
    const cursor = journal.cursor("mqtt");
    const rows = await cursor.next(100);
    cursor.settle(rows, delivered(rows.length));
    const { ledger, waiting } = standing(journal, "mqtt");
    assert.deepEqual(ledger.dropped, { evicted: 11 - rows.length });
    assert.equal(waiting, 0);
    assert.equal(
      rows.length,
      [2, 3, 4, 5, 8, 9, 10, 11, 12].filter((seq) => seq >= beginning).length,
    );
  }
});

Deno.test("Journal books for a removed sink what was given up behind rows in another one's hands", async () => {
  await using folder = await makeFolder();
  const values = { "n1.t": 27.6, "n1.h": 54.1, "n1.g": 84_190 };
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append(values);
  }
  {
    await using journal = await openJournal(folder.path, {
      sinks: [{ name: "mqtt", target: "broker/iiot", startAt: "oldest" }],
      maxBytes: 200 * 1024,
    });
    await journal.cursor("mqtt").next(1);
    const writer = new Writer(journal);
    for (let i = 0; i < 20; i++) {
      await writer.append(...Array.from({ length: 250 }, () => values));
    }
    while (standing(journal, "mqtt").ledger.dropped.evicted === undefined) {
      await journal.flush();
    }
    await journal.flush();
  }
  await using journal = await openJournal(folder.path);
  const influxdb = journal.cursor("influxdb");
  for (let rows; (rows = await influxdb.next(5000)).length > 0;) {
    influxdb.settle(rows, delivered(rows.length));
  }
  const { ledger, waiting } = standing(journal, "influxdb");
  assert.equal(waiting, 0);
  assert.deepEqual(Object.keys(ledger.dropped), ["evicted"]);
  assert.equal(ledger.delivered + (ledger.dropped.evicted ?? 0), 15_003);
  balanced(journal);
});

Deno.test("Journal gives a new sink all that it holds, and books nothing that was given up before the sink began", async () => {
  await using folder = await makeFolder();
  const values = { "n1.t": 27.6, "n1.h": 54.1, "n1.g": 84_190 };
  const mqtt = { name: "mqtt", target: "there", startAt: "oldest" } as const;
  {
    await using journal = await openJournal(folder.path, {
      sinks: [mqtt],
      maxBytes: 200 * 1024,
    });
    const writer = new Writer(journal);
    await writer.append(values);
    // It stays in this sink's hands, so what stands behind it is given up.
    await journal.cursor("mqtt").next(1);
    for (let i = 0; i < 20; i++) {
      await writer.append(...Array.from({ length: 250 }, () => values));
    }
    while (standing(journal, "mqtt").ledger.dropped.evicted === undefined) {
      await journal.flush();
    }
    await journal.flush();
  }
  await using journal = await openJournal(folder.path, {
    sinks: [mqtt, { ...mqtt, name: "influxdb" }],
  });
  const rows = await drain(journal.cursor("influxdb"));
  assert.equal(rows[0]?.seq, 1);
  assert.ok(rows[1]!.seq > 2);
  const { ledger, waiting } = standing(journal, "influxdb");
  assert.deepEqual(ledger.dropped, {});
  assert.deepEqual(
    [ledger.received, ledger.delivered, waiting],
    [3 * rows.length, 3 * rows.length, 0],
  );
});

Deno.test("Journal books once what was given up around a row that is missing", async () => {
  await using folder = await makeFolder();
  const mqtt = { name: "mqtt", target: "there", startAt: "oldest" } as const;
  const disk = directDisk();
  {
    await using journal = await openJournal(folder.path, { disk });
    await new Writer(journal).append(...Array(40).fill({ a: 1 }));
    const giveUp = async (...deleted: [number, number]) => {
      await disk.commit({ ...EMPTY_COMMIT, deleted });
      // With this the sinks' seals know of it.
      await journal.flush();
    };
    await giveUp(10, 20);
    using db = openDatabase(join(folder.path, "journal.db"));
    db.exec("DELETE FROM packets WHERE seq = 21");
    await giveUp(22, 30);
  }
  await using journal = await openJournal(folder.path, {
    sinks: [mqtt, { ...mqtt, name: "influxdb" }],
  });
  const rows = await drain(journal.cursor("influxdb"));
  const { ledger, waiting } = standing(journal, "influxdb");
  assert.deepEqual([ledger.delivered, waiting], [rows.length, 0]);
  assert.deepEqual([rows.length, ledger.dropped], [40 - 21, {}]);
});

Deno.test("Journal counts a board's lines over its runs", async () => {
  await using folder = await makeFolder();
  for (let run = 0; run < 2; run++) {
    await using journal = await openJournal(folder.path);
    const writer = new Writer(journal);
    writer.counts.lines += 5;
    writer.counts.other += 5;
    await writer.append({ a: 1 });
  }
  using db = openDatabase(join(folder.path, "journal.db"), { readOnly: true });
  assert.deepEqual(
    {
      ...db.prepare("SELECT lines, packets, rejects, other FROM boards").get(),
    },
    { lines: 12, packets: 2, rejects: 0, other: 10 },
  );
});

Deno.test("Journal gives no time twice when the clock was set back a little over a restart", async () => {
  await using folder = await makeFolder();
  const times: number[] = [];
  for (const offsetUs of [START_US, START_US + 500_000, START_US + 900_000]) {
    await using journal = await openJournal(folder.path);
    await new Writer(journal, "", offsetUs).append({ a: 1 });
    const cursor = journal.cursor("mqtt");
    const rows = await cursor.next(10);
    times.push(...rows.map((row) => row.timeUs));
    cursor.settle(rows, delivered(rows.length));
  }
  assert.equal(times.length, 3);
  assert.deepEqual(times, [...new Set(times)].sort((a, b) => a - b));
});

Deno.test("Journal writes a checksum with each row", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append({ "n1.t": 27.6 });
  }
  using db = openDatabase(join(folder.path, "journal.db"), { readOnly: true });
  const row = db.prepare("SELECT * FROM packets").get();
  assert.ok(row);
  assert.equal(
    row["crc"],
    rowChecksum({
      seq: 1,
      board: 1,
      epoch: 1,
      monoUs: 1_000_000,
      boardTs: null,
      readings: 1,
      total: 1,
      body: '{"n1.t":27.6}',
    }),
  );
});

Deno.test("Sinks that keep up read no disk, and what all of them have is let go of", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  let reads = 0;
  await using journal = await openJournal(folder.path, {
    disk: {
      ...disk,
      read(...args) {
        reads++;
        return disk.read(...args);
      },
    },
  });
  const writer = new Writer(journal);
  const [mqtt, influxdb] = ["mqtt", "influxdb"].map((name) =>
    journal.cursor(name)
  );
  const take = async (cursor = mqtt!) => {
    const rows = await cursor.next(10);
    cursor.settle(rows, delivered(rows.length));
    return rows.map(({ seq }) => seq);
  };
  await writer.append({ a: 1 });
  await take();
  await writer.append({ a: 2 });
  assert.deepEqual(await take(), [2]);
  // One has had nothing yet, so all is there.
  assert.deepEqual(await take(influxdb), [1, 2]);
  await writer.append({ a: 3 });
  assert.deepEqual([await take(), await take(influxdb)], [[3], [3]]);
  assert.equal(reads, 0);

  await journal.rewind("mqtt", { toUs: START_US });
  reads = 0;
  assert.deepEqual(await take(), [1, 2, 3]);
  assert.ok(reads > 0, "What both had was still in memory");
});
