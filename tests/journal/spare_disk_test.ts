import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type { Journal } from "../../lib/journal/journal.ts";
import { FolderInUseError } from "../../lib/journal/lock.ts";
import { SpareDisk } from "../../lib/journal/spare_disk.ts";
import { captureLog } from "../source/log_capture.ts";
import { brokenDisk, type Fault, spareDisk } from "./broken_disk.ts";
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

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const packets = (from: number, to: number) =>
  numbers(from, to).map((value) => ({ a: value }));
async function until(what: string, look: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!look()) {
    assert.ok(performance.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
const onDisk = (journal: Journal) => () => journal.medium.kind === "disk";

for (const fault of ["readonly", "dead", "full", "lies"] as const) {
  Deno.test(`A journal goes on in memory while its disk is ${fault}, and has everything on disk afterwards`, async () => {
    await using folder = await makeFolder();
    const broken = brokenDisk();
    {
      await using journal = await openJournal(folder.path, {
        disk: spareDisk(broken.disk),
      });
      const writer = new Writer(journal);
      const mqtt = journal.cursor("mqtt");
      await writer.append(...packets(1, 10));
      assert.deepEqual(valuesOf(await drain(mqtt)), numbers(1, 10));
      broken.fault = fault;
      await writer.append(...packets(11, 20));
      assert.equal(journal.medium.kind, "memory");
      assert.deepEqual(valuesOf(await drain(mqtt)), numbers(11, 20));
      broken.fault = "none";
      await until("the disk is back", onDisk(journal));
      await writer.append(...packets(21, 30));
      assert.deepEqual(valuesOf(await drain(mqtt)), numbers(21, 30));
      balanced(journal);
    }
    await using journal = await openJournal(folder.path);
    assert.equal(standing(journal, "mqtt").ledger.delivered, 30);
    assert.deepEqual(
      valuesOf(await drain(journal.cursor("influxdb"))),
      numbers(1, 30),
    );
    assert.equal(journal.cursor("influxdb").seq, 30);
    balanced(journal);
  });
}

Deno.test("A journal tells when it is kept in memory, why, and what to do, and when that is over", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  await using log = await captureLog();
  {
    await using journal = await openJournal(folder.path, {
      disk: spareDisk(broken.disk),
    });
    const writer = new Writer(journal);
    broken.fault = "dead";
    await writer.append({ a: 1 });
    await writer.append({ a: 2 });
    assert.deepEqual(journal.medium, {
      kind: "memory",
      sinceUs: START_US,
      reason: "disk I/O error",
      full: false,
      bytes: 2 * (7 + 100),
      limitBytes: 16 * 1024 * 1024,
    });
    broken.fault = "none";
    await until("the disk is back", onDisk(journal));
  }
  const alarms = log.lines.filter((line) => !line.startsWith("journal debug"));
  assert.equal(alarms.length, 2, JSON.stringify(alarms));
  assert.match(
    alarms[0] ?? "",
    /^journal error: .*disk I\/O error.*only in memory.*power cut loses them.*iiot-gateway check.*every minute/,
  );
  assert.match(alarms[1] ?? "", /takes the journal again/);
});

Deno.test("A full disk is left time before memory takes over", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk, { fullPatienceMs: 60_000 }),
    retryMs: 1,
  });
  const writer = new Writer(journal);
  broken.fault = "full";
  writer.enqueue({ a: 1 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(journal.medium.kind, "disk");
  broken.fault = "none";
  await journal.flush();
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [1]);
});

Deno.test("A journal in memory is bounded: the oldest go first, are booked, and stay gone", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  {
    await using journal = await openJournal(folder.path, {
      disk: spareDisk(broken.disk),
      maxBytes: 1024 * 1024,
    });
    const writer = new Writer(journal);
    await writer.append(...packets(1, 5));
    // A commit that is written and reported as failed leaves rows that are then given up.
    broken.fault = "lies";
    await writer.append(...packets(6, 10));
    broken.fault = "readonly";
    for (let from = 11; from < 10_000; from += 500) {
      await writer.append(...packets(from, from + 499));
    }
    while (
      journal.medium.kind === "memory" &&
      journal.medium.bytes > journal.medium.limitBytes
    ) await journal.flush();
    const { waiting, ledger: { dropped } } = standing(journal, "mqtt");
    assert.ok((dropped.evicted ?? 0) > 5000);
    assert.equal(waiting + (dropped.evicted ?? 0), 10_010);
    balanced(journal);
    const kept = [
      ...numbers(1, 5),
      ...numbers(6 + (dropped.evicted ?? 0), 10_010),
    ];
    assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), kept);
    broken.fault = "none";
    await until("the disk is back", onDisk(journal));
    const influxdb = journal.cursor("influxdb");
    assert.deepEqual(valuesOf(await drain(influxdb)), kept);
    balanced(journal);
  }
});

Deno.test("A gateway that starts on a disk which cannot be written begins where its file ends", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append(...packets(1, 10));
    const cursor = journal.cursor("mqtt");
    cursor.settle(await cursor.next(5), delivered(5));
  }
  const broken = brokenDisk();
  broken.fault = "readonly";
  {
    await using journal = await openJournal(folder.path, {
      disk: spareDisk(broken.disk),
    });
    await new Writer(journal, "", START_US + 60e6).append(...packets(11, 12));
    assert.equal(journal.medium.kind, "memory");
    assert.deepEqual(
      valuesOf(await drain(journal.cursor("mqtt"), 3)),
      numbers(6, 12),
    );
    broken.fault = "none";
    await until("the disk is back", onDisk(journal));
    balanced(journal);
  }
  await using journal = await openJournal(folder.path);
  assert.equal(standing(journal, "mqtt").ledger.delivered, 12);
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    numbers(1, 12),
  );
});

Deno.test("A gateway that starts without a disk begins in memory, and writes when there is one", async () => {
  await using folder = await makeFolder();
  const missing = join(folder.path, "missing");
  const broken = brokenDisk();
  await using journal = await openJournal(missing, {
    disk: spareDisk(broken.disk),
  });
  await new Writer(journal).append(...packets(1, 3));
  assert.equal(journal.medium.kind, "memory");
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [1, 2, 3]);
  await Deno.mkdir(missing);
  await until("the disk is there", onDisk(journal));
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    [1, 2, 3],
  );
  balanced(journal);
});

Deno.test("A gateway that starts on a disk which does not answer begins in memory, and writes when it does", async () => {
  await using folder = await makeFolder();
  const { disk } = brokenDisk();
  const answer = Promise.withResolvers<void>();
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(disk, {
      prepare: () => answer.promise,
      answerWithinMs: 20,
      lateAnswerWithinMs: 10,
    }),
  });
  await new Writer(journal).append(...packets(1, 3));
  assert.equal(journal.medium.kind, "memory");
  answer.resolve();
  await until("the disk answers", onDisk(journal));
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [1, 2, 3]);
  balanced(journal);
});

Deno.test("A gateway that starts on a full disk begins in memory at once", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  broken.fault = "full";
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk, { fullPatienceMs: 60_000 }),
  });
  await new Writer(journal).append(...packets(1, 3));
  assert.equal(journal.medium.kind, "memory");
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [1, 2, 3]);
  broken.fault = "none";
  await until("there is room", onDisk(journal));
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    [1, 2, 3],
  );
  balanced(journal);
});

Deno.test("A disk that appears with a journal of its own is joined with that in memory, without loss", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    const writer = new Writer(journal);
    await writer.append(...packets(1, 10));
    await drain(journal.cursor("influxdb"));
    const mqtt = journal.cursor("mqtt");
    mqtt.settle(await mqtt.next(4), delivered(4));
  }
  const broken = brokenDisk();
  broken.fault = "dead";
  const disk = spareDisk(broken.disk);
  {
    await using journal = await openJournal(folder.path, { disk });
    const writer = new Writer(journal, "", START_US + 60e6);
    await writer.append(...packets(101, 103));
    // The broker has had two of three, the database one.
    const mqtt = journal.cursor("mqtt");
    mqtt.settle(await mqtt.next(2), delivered(2));
    const influxdb = journal.cursor("influxdb");
    influxdb.settle(await influxdb.next(1), delivered(1));
    broken.fault = "none";
    await disk.foreign;
    await writer.append(...packets(104, 105));
    assert.equal(journal.medium.kind, "memory");
  }
  await using journal = await openJournal(folder.path);
  balanced(journal);
  assert.deepEqual(
    [...journal.latest()].map(({ value, seq }) => [value, seq]),
    [
      [105, 15],
    ],
  );
  const cursor = journal.cursor("influxdb");
  const times = (await cursor.next(1)).map((row) => row.timeUs - START_US);
  cursor.giveBack();
  assert.deepEqual(times, [60e6 + 2e6]);
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [
    ...numbers(5, 10),
    ...numbers(103, 105),
  ]);
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    numbers(102, 105),
  );
  const { ledger: mqtt, waiting } = standing(journal, "mqtt");
  assert.deepEqual(
    [mqtt.received, mqtt.requeued, mqtt.delivered, waiting],
    [15, 0, 15, 0],
  );
  const { ledger: influxdb } = standing(journal, "influxdb");
  assert.deepEqual(
    [influxdb.received, influxdb.requeued, influxdb.delivered],
    [15, 0, 15],
  );
  balanced(journal);
});

Deno.test("A memory that is joined with the disk's journal keeps what a sink that is not configured has to get later", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append(...packets(100, 101));
    await drain(journal.cursor("influxdb"));
  }
  const broken = brokenDisk();
  broken.fault = "dead";
  const disk = spareDisk(broken.disk);
  {
    await using journal = await openJournal(folder.path, {
      disk,
      sinks: [{ name: "mqtt", target: "broker/iiot", startAt: "oldest" }],
    });
    await new Writer(journal).append(...packets(1, 5));
    await drain(journal.cursor("mqtt"));
    broken.fault = "none";
    await disk.foreign;
  }
  await using journal = await openJournal(folder.path);
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [100, 101]);
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    numbers(1, 5),
  );
  balanced(journal);
});

Deno.test("A sink waits for rows on a disk that cannot be read, and passes them over when that takes too long", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  const options = { unreadablePatienceMs: 60_000 };
  const disk = new SpareDisk(Object.assign(options, {
    disk: broken.disk,
    prepare: () => Promise.resolve(),
    now: () => START_US,
  }));
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append(...packets(1, 3));
  }
  await using journal = await openJournal(folder.path, { disk });
  const writer = new Writer(journal, "", START_US + 60e6);
  broken.fault = "dead";
  await writer.append({ a: 4 });
  await assert.rejects(journal.cursor("mqtt").next(10), /cannot be read/);
  options.unreadablePatienceMs = 0;
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [4]);
  assert.deepEqual(standing(journal, "mqtt").ledger.dropped, { corrupt: 3 });
  balanced(journal);
  broken.fault = "none";
});

Deno.test("A disk that does not answer is left alone, and memory goes on", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  const disk = spareDisk(broken.disk, {
    answerWithinMs: 20,
    lateAnswerWithinMs: 10,
  });
  const journal = await openJournal(folder.path, { disk });
  const writer = new Writer(journal);
  broken.fault = "hangs";
  await writer.append({ a: 1 });
  const { medium } = journal;
  assert.match(medium.kind === "memory" ? medium.reason : "", /not answered/);
  assert.deepEqual(valuesOf(await drain(journal.cursor("mqtt"))), [1]);
  assert.deepEqual(valuesOf(await drain(journal.cursor("influxdb"))), [1]);
  await journal.close();
});

Deno.test("A disk that answers while the process stands still is not left alone", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  const { commit } = broken.disk;
  let standsStill = false;
  const disk = spareDisk({
    ...broken.disk,
    commit: async (what) => {
      if (standsStill) {
        const answer = new Promise((resolve) => setTimeout(resolve, 25));
        // Past both the time that the disk has and its answer.
        queueMicrotask(() => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
        });
        await answer;
      }
      return await commit(what);
    },
  }, { answerWithinMs: 20, lateAnswerWithinMs: 10 });
  await using journal = await openJournal(folder.path, { disk });
  const writer = new Writer(journal);
  standsStill = true;
  await writer.append({ a: 1 });
  assert.equal(journal.medium.kind, "disk");
  standsStill = false;
});

Deno.test("A gateway that ends while the disk takes nothing says what is lost with its memory", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  const journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk),
  });
  const writer = new Writer(journal);
  broken.fault = "dead";
  await writer.append({ a: 1 }, { a: 2 });
  const mqtt = journal.cursor("mqtt");
  await drain(mqtt);
  await assert.rejects(journal.close(), /2 packets that were only in memory/);
});

Deno.test("A gateway that ends while the disk takes nothing says that what a server refused for now is lost, too", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  const journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk),
  });
  const writer = new Writer(journal);
  broken.fault = "dead";
  await writer.append({ a: 1 }, { a: 2 });
  await drain(journal.cursor("influxdb"));
  const mqtt = journal.cursor("mqtt");
  const rows = await mqtt.next(10);
  const parked = rows.slice(1).map((row) => ({
    row,
    reading: row.readings[0]!,
    reason: "forbidden",
  }));
  mqtt.settle(rows, { done: 2, rejected: [], parked });
  await assert.rejects(journal.close(), /1 packets that were only in memory/);
});

Deno.test("A gateway that ends does not wait for a disk that hangs, and says what is lost with its memory", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  const disk = spareDisk(broken.disk, {
    answerWithinMs: 1e9,
    lateAnswerWithinMs: 1,
  });
  const journal = await openJournal(folder.path, { disk });
  const writer = new Writer(journal);
  broken.fault = "hangs";
  writer.enqueue({ a: 1 }, { a: 2 });
  const deadline = new AbortController();
  disk.hurry(deadline.signal);
  const closed = journal.close();
  closed.catch(() => {});
  assert.equal(journal.medium.kind, "disk");
  deadline.abort();
  await until("it waits no more", () => journal.medium.kind === "memory");
  await assert.rejects(closed, /2 packets that were only in memory/);
});

Deno.test("A gateway that ends writes what was in memory to a disk that answers, however late it is", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  const deadline = new AbortController();
  const { commit } = broken.disk;
  const late = Promise.withResolvers<void>();
  const disk = spareDisk({
    ...broken.disk,
    commit: async (what) => {
      if (deadline.signal.aborted && what.rows.length > 0) await late.promise;
      return await commit(what);
    },
  }, { retryMs: 1e9, lateAnswerWithinMs: 0 });
  {
    const journal = await openJournal(folder.path, { disk });
    broken.fault = "dead";
    await new Writer(journal).append(...packets(1, 3));
    broken.fault = "none";
    deadline.abort();
    disk.hurry(deadline.signal);
    const closed = journal.close();
    // Longer than any other call of the disk has.
    await new Promise((resolve) => setTimeout(resolve, 20));
    late.resolve();
    await closed;
  }
  await using journal = await openJournal(folder.path);
  assert.deepEqual(
    valuesOf(await drain(journal.cursor("influxdb"))),
    numbers(1, 3),
  );
});

Deno.test("A folder that another gateway took is not written by one that is in memory", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  let taken = false;
  const disk = spareDisk(broken.disk, {
    prepare: () =>
      taken
        ? Promise.reject(new FolderInUseError("in use (process 1)"))
        : Promise.reject(new Error("No folder")),
  });
  const journal = await openJournal(folder.path, { disk });
  await new Writer(journal).append({ a: 1 });
  taken = true;
  await until("it says so", () => {
    const { medium } = journal;
    return medium.kind === "memory" && /in use/.test(medium.reason);
  });
  assert.equal(broken.commits.length, 0);
  await drain(journal.cursor("mqtt"));
  await drain(journal.cursor("influxdb"));
  await journal.flush();
  await journal.close();
  await assert.rejects(
    openJournal(folder.path, { disk }),
    (error: Error) => error.cause instanceof FolderInUseError,
  );
});

Deno.test("Readings that are parked while the journal is in memory are tried again, and are on the disk later", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk),
  });
  const writer = new Writer(journal);
  const cursor = journal.cursor("mqtt");
  const park = async () => {
    const rows = await cursor.next(10);
    cursor.settle(rows, {
      done: rows.length,
      rejected: [],
      parked: rows.flatMap((row) =>
        row.readings.map((reading) => ({ row, reading, reason: "forbidden" }))
      ),
    });
    await journal.flush();
  };
  await writer.append({ a: 1 }, { a: 2 });
  await park();
  broken.fault = "readonly";
  await writer.append({ a: 3 }, { a: 4 });
  await park();
  const parked = await cursor.refused.parked();
  const values = (rows: typeof parked) =>
    rows?.rows.map((row) => row.readings[0]?.value);
  assert.deepEqual(values(parked), [1, 2, 3, 4]);
  // The first on disk and the first in memory go.
  const still = [1, 3].flatMap((i) => {
    const row = parked?.rows[i];
    const reading = row?.readings[0];
    return row && reading ? [{ row, reading, reason: "still" }] : [];
  });
  parked?.settle({ done: 4, rejected: [], parked: still });
  await journal.flush();
  assert.deepEqual(values(await cursor.refused.parked()), [2, 4]);
  broken.fault = "none";
  await until("the disk is back", onDisk(journal));
  assert.deepEqual(values(await cursor.refused.parked()), [2, 4]);
  assert.equal(standing(journal, "mqtt").ledger.parked, 2);
  balanced(journal);
});

Deno.test("A reading that the disk has parked, though it said that it had not, is tried and counted once", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk, { retryMs: 1e9 }),
  });
  await new Writer(journal).append({ a: 1 }, { a: 2 });
  const cursor = journal.cursor("mqtt");
  const rows = await cursor.next(10);
  broken.fault = "lies";
  cursor.settle(rows, {
    done: 2,
    rejected: [],
    parked: rows.map((row) => ({
      row,
      reading: row.readings[0]!,
      reason: "forbidden",
    })),
  });
  await journal.flush();
  assert.equal(journal.medium.kind, "memory");
  const parked = await cursor.refused.parked();
  assert.ok(parked);
  assert.deepEqual(valuesOf(parked.rows), [1, 2]);
  parked.settle({ done: 2, rejected: [], parked: [] });
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual([ledger.delivered, ledger.parked, waiting], [2, 0, 0]);
  broken.fault = "none";
});

Deno.test("A reading that is parked in memory has no time, rather than a wrong one, if its row goes before the clock is known", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk, { retryMs: 1e9 }),
    maxBytes: 100 * 1024,
    sinks: [{ name: "mqtt", target: "broker/iiot", startAt: "oldest" }],
  });
  broken.fault = "dead";
  const { board } = new Writer(journal);
  const epoch = journal.epochs
    .open({ offsetUs: START_US - 1e9, monoUs: 0, quality: "unknown" });
  let monoUs = 0;
  const append = async (packets: number) => {
    const readings = [{ path: "a", value: 1 }];
    void board.append(
      Array.from({ length: packets }, () => ({
        packet: { boardTs: null, readings, dropped: [] },
        at: { epoch, monoUs: monoUs += 8 },
      })),
      1e9,
    );
    await journal.flush();
  };
  await append(1);
  assert.equal(journal.medium.kind, "memory");
  const cursor = journal.cursor("mqtt");
  const rows = await cursor.next(1);
  const refused = rows.map((row) => ({
    row,
    reading: row.readings[0]!,
    reason: "forbidden",
  }));
  cursor.settle(rows, { done: 1, rejected: [], parked: refused });
  while (standing(journal, "mqtt").ledger.dropped.evicted === undefined) {
    await append(200);
  }
  await journal.flush();
  journal.epochs.know(START_US, "timesyncd");
  await journal.flush();
  broken.fault = "none";
  const parked = await cursor.refused.parked();
  assert.deepEqual(
    parked?.rows.map(({ timeQuality }) => timeQuality),
    ["unknown"],
  );
});

Deno.test("Nothing is lost, doubled or out of order over any sequence of disk faults", async () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("append" as const),
      n: fc.integer({ min: 1, max: 30 }),
    }),
    fc.record({
      kind: fc.constant("deliver" as const),
      n: fc.integer({ min: 1, max: 20 }),
    }),
    fc.record({
      kind: fc.constantFrom<Fault>("none", "readonly", "dead", "full", "lies"),
      n: fc.constant(0),
    }),
    fc.record({ kind: fc.constant("reopen" as const), n: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      await using folder = await makeFolder();
      const broken = brokenDisk();
      const open = () =>
        openJournal(folder.path, { disk: spareDisk(broken.disk) });
      let journal = await open();
      let writer = new Writer(journal);
      let [sent, opened] = [0, 0];
      const got: Record<string, number[]> = { mqtt: [], influxdb: [] };
      const deliver = async (name: string, n: number) => {
        const cursor = journal.cursor(name);
        const rows = await cursor.next(n).catch(() => []);
        cursor.settle(rows, delivered(rows.length));
        got[name]?.push(
          ...rows.flatMap((row) =>
            row.readings.map(({ value }) => Number(value))
          ),
        );
        return rows.length;
      };
      const mend = async () => {
        broken.fault = "none";
        await until("the disk is back", onDisk(journal));
      };
      try {
        for (const { kind, n } of steps) {
          if (kind === "append") {
            await writer.append(...packets(sent + 1, sent += n));
          } else if (kind === "deliver") {
            await deliver(n % 2 === 0 ? "mqtt" : "influxdb", n);
          } else if (kind === "reopen") {
            await mend();
            await journal.close();
            journal = await open();
            writer = new Writer(journal, "", START_US + ++opened * 3600e6);
          } else broken.fault = kind;
          balanced(journal);
        }
        await mend();
        for (const name of ["mqtt", "influxdb"]) {
          while (await deliver(name, 50) > 0);
          assert.deepEqual(got[name], numbers(1, sent), name);
          const { received, delivered, requeued } =
            standing(journal, name).ledger;
          assert.deepEqual([received, delivered, requeued], [sent, sent, 0]);
        }
        balanced(journal);
      } finally {
        broken.fault = "none";
        await journal.close();
      }
    }),
    { numRuns: 40 },
  );
});
