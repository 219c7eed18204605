import assert from "node:assert/strict";
import type { Commit, KeptReject } from "../../lib/journal/disk.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import type { SecondReading } from "../../lib/journal/rejects.ts";
import { keptBytes } from "../heap.ts";
import {
  delivered,
  directDisk,
  gatedDisk,
  makeFolder,
  openJournal,
  standing,
  START_US,
  Writer,
} from "./world.ts";

const SECOND_US = 1_000_000;
const NONE = {
  packets: 0,
  readings: 0,
  returned: {},
  unusable: 0,
  strange: 0,
  noRoom: 0,
};

/** What `mqtt` gets next. */
async function deliverNext(journal: Journal) {
  const cursor = journal.cursor("mqtt");
  const rows = await cursor.next(100);
  cursor.settle(rows, delivered(rows.length));
  return rows;
}

/** Makes of a body `{"a":1}` a packet. */
function readAgain(counted: boolean) {
  return ({ body }: KeptReject): SecondReading => {
    if (!body.startsWith("{")) return null;
    const readings = Object.entries(JSON.parse(body) as Record<string, number>)
      .map(([path, value]) => ({ path, value }));
    return {
      packet: { boardTs: 5, readings, dropped: [] },
      counted,
      reasons: [],
    };
  };
}

const nothing = () => null;

Deno.test("Rejects of a sink go back to it alone, and are booked as requeued", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ a: 1, b: 2 }, { a: 3 });
  const cursor = journal.cursor("mqtt");
  const rows = await cursor.next(100);
  const [first, second] = rows;
  assert.ok(first?.readings[0] && second?.readings[0]);
  cursor.settle(rows, {
    done: 2,
    rejected: [
      { row: first, reading: first.readings[0], reason: "no" },
      { row: second, reading: second.readings[0], reason: "no" },
    ],
    parked: [],
  });
  assert.deepEqual(await journal.rejects.resend({}, nothing), {
    ...NONE,
    returned: { mqtt: 2 },
  });
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual(
    [ledger.received, ledger.requeued, ledger.delivered, waiting],
    [3, 2, 1, 2],
  );
  assert.equal(standing(journal, "influxdb").ledger.requeued, 0);

  const parked = await cursor.refused.parked();
  assert.ok(parked);
  const [old, newest] = parked.rows;
  assert.ok(old && newest);
  // Only the newest value of its topic may be retained again.
  assert.deepEqual([old.timeUs, newest.timeUs], [first.timeUs, second.timeUs]);
  assert.equal(journal.isNewest(old, "a"), false);
  assert.equal(journal.isNewest(newest, "a"), true);
  parked.settle(delivered(2));
  assert.equal(standing(journal, "mqtt").waiting, 0);
  assert.deepEqual(await journal.rejects.resend({}, nothing), NONE);
});

Deno.test("Rejects of a sink that is not configured stay", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append({ a: 1 });
    const cursor = journal.cursor("mqtt");
    const rows = await cursor.next(100);
    const [row] = rows;
    assert.ok(row?.readings[0]);
    const refusal = { row, reading: row.readings[0], reason: "no" };
    cursor.settle(rows, { done: 1, rejected: [refusal], parked: [] });
  }
  await using journal = await openJournal(folder.path, { sinks: [] });
  assert.deepEqual(await journal.rejects.resend({}, nothing), {
    ...NONE,
    strange: 1,
  });
  assert.equal(await journal.rejects.clear({}), 1);
});

Deno.test("Rejects of a board become packets of the time at which they were read, and overtake nothing", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path, {
      now: () => START_US + 1.5 * SECOND_US,
    });
    const writer = new Writer(journal);
    await writer.append({ a: 1 });
    writer.board.reject('{"a":1.5,"b":9}', "No metric");
    writer.board.reject("broken", "Not JSON");
    await writer.append({ a: 2 });
    await deliverNext(journal);
    assert.deepEqual(await journal.rejects.resend({}, readAgain(false)), {
      ...NONE,
      packets: 1,
      readings: 2,
      unusable: 1,
    });
    const [row] = await deliverNext(journal);
    assert.ok(row);
    assert.deepEqual(row, {
      seq: 3,
      board: "",
      timeUs: START_US + 1.5 * SECOND_US,
      timeQuality: "known",
      boardTs: 5,
      readings: [{ path: "a", value: 1.5 }, { path: "b", value: 9 }],
      total: 4,
    });
    assert.equal(journal.isNewest(row, "a"), false);
    assert.equal(journal.isNewest(row, "b"), true);
    const { ledger } = standing(journal, "mqtt");
    assert.deepEqual([ledger.received, ledger.requeued], [4, 0]);
    await writer.append({ a: 3 });
  }
  // Its time is the same after a restart.
  await using journal = await openJournal(folder.path);
  const influxdb = await journal.cursor("influxdb").next(100);
  assert.deepEqual(
    influxdb.map(({ timeUs }) => (timeUs - START_US) / SECOND_US),
    [1, 2, 1.5, 3],
  );
});

Deno.test("Rejects that were counted when they came are booked as requeued, for every sink", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  await writer.board.append([
    writer.packet({ b: 1 }, [
      { path: "a", value: "2795", reason: "implausible" },
    ]),
  ], 10);
  writer.board.reject('{"a":2795}', "implausible: a = 2795");
  await journal.rejects.resend({}, readAgain(true));
  for (const name of ["mqtt", "influxdb"]) {
    const { ledger, waiting } = standing(journal, name);
    assert.deepEqual(
      [ledger.received, ledger.requeued, waiting, ledger.dropped],
      [2, 1, 2, { implausible: 1 }],
    );
  }
});

Deno.test("Rejects whose line still holds a bad reading leave a reject for that one", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  new Writer(journal).board.reject("line", "No metric");
  const once = (): SecondReading => ({
    packet: {
      boardTs: null,
      readings: [{ path: "b", value: 1 }],
      dropped: [{ path: "a", value: "2795", reason: "implausible" }],
    },
    counted: false,
    reasons: ["implausible: a = 2795"],
  });
  await journal.rejects.resend({}, once);
  const seen: KeptReject[] = [];
  await journal.rejects.resend({}, (reject) => {
    seen.push(reject);
    return null;
  });
  assert.deepEqual(
    seen.map(({ reason, body }) => [reason, body]),
    [["implausible: a = 2795", "line"]],
  );
  assert.deepEqual(standing(journal, "mqtt").ledger.dropped, {
    implausible: 1,
  });
  assert.equal(standing(journal, "mqtt").ledger.received, 2);
});

Deno.test("Rejects leave in the transaction that brings back what they held", async () => {
  await using folder = await makeFolder();
  const disk = directDisk();
  const commits: Commit[] = [];
  await using journal = await openJournal(folder.path, {
    disk: {
      ...disk,
      commit: (commit) => {
        commits.push(commit);
        return disk.commit(commit);
      },
    },
  });
  const { board } = new Writer(journal);
  for (let i = 0; i < 450; i++) board.reject(`{"a":${i}}`, "No metric");
  await journal.rejects.resend({}, readAgain(false));
  let rows = 0;
  for (const commit of commits) {
    assert.equal(commit.rows.length, commit.unrejected.length);
    assert.ok(commit.rows.length === 0 || commit.durable);
    rows += commit.rows.length;
  }
  assert.equal(rows, 450);
});

Deno.test("Rejects are cleared by what is meant, and the rest stay", async () => {
  await using folder = await makeFolder();
  let now = START_US;
  await using journal = await openJournal(folder.path, { now: () => now });
  const { board } = new Writer(journal);
  for (const line of ["one", "two", "three", "four"]) {
    board.reject(line, "bad");
    now += SECOND_US;
  }
  assert.equal(await journal.rejects.clear({ origin: "mqtt" }), 0);
  assert.equal(await journal.rejects.clear({ ids: [1, 7] }), 1);
  assert.equal(
    await journal.rejects.clear({ sinceUs: START_US + 2 * SECOND_US }),
    2,
  );
  assert.equal(await journal.rejects.clear({}), 1);
});

Deno.test("Rejects sent again outlive the clock epochs around them", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    const writer = new Writer(journal);
    writer.board.reject('{"a":0}', "No metric");
    await journal.rejects.resend({}, readAgain(false));
    for (let i = 1; i <= 3; i++) {
      await new Writer(journal, "", START_US + i * 3600 * SECOND_US)
        .append({ a: i });
    }
    await new Writer(journal, "", START_US + 4 * 3600 * SECOND_US)
      .append({ a: 4 });
    writer.board.reject('{"a":9}', "No metric");
    await journal.rejects.resend({}, readAgain(false));
    for (const name of ["mqtt", "influxdb"]) {
      const cursor = journal.cursor(name);
      cursor.settle(await cursor.next(4), delivered(4));
    }
  }
  {
    // What is delivered is old enough to go, and with it the epochs that nobody needs.
    await using _deleting = await openJournal(folder.path, {
      historyS: 0,
      monotonicUs: () => 100 * 3600 * SECOND_US,
    });
  }
  await using journal = await openJournal(folder.path);
  const rows = await journal.cursor("mqtt").next(100);
  assert.deepEqual(rows.map(({ seq, timeUs }) => [seq, timeUs]), [
    [5, START_US + (4 * 3600 + 1) * SECOND_US],
    [6, START_US],
  ]);
  await new Writer(journal).append({ a: 10 });
});

Deno.test("A reject that waits for the disk keeps nothing of what its line was cut from", async () => {
  await using folder = await makeFolder();
  const { disk, stand, go } = gatedDisk();
  await using journal = await openJournal(folder.path, { disk });
  const { board } = new Writer(journal);
  const [count, chunk] = [100, 65_536];
  stand();
  const before = keptBytes();
  for (let i = 0; i < count; i++) {
    const bytes = new TextEncoder().encode(`a line, number ${i}`.padEnd(chunk));
    const text = new TextDecoder().decode(bytes);
    board.reject(text.slice(0, 18), text.slice(2, 18));
  }
  const kept = keptBytes() - before;
  go();
  assert.ok(kept < count * chunk / 4, `${kept} bytes`);
});
