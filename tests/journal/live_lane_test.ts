import assert from "node:assert/strict";
import fc from "fast-check";
import { Cursor, type CursorHost } from "../../lib/journal/cursor.ts";
import type { Lane } from "../../lib/journal/lane.ts";
import { Ledger, MAX_STRETCHES } from "../../lib/journal/ledger.ts";
import type { Row } from "../../lib/model.ts";
import {
  delivered,
  drain,
  makeFolder,
  openJournal,
  seqsOf,
  standing,
  START_US,
  Writer,
} from "./world.ts";

const values = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ a: from + i, b: from + i }));

/** Delivers everything that `lane` gives out, three packets at a time; gives the seqs in order. */
async function deliverAll(lane: Lane): Promise<number[]> {
  return seqsOf(await drain(lane, 6));
}

/** A journal that has been written for `count` seconds; the clock stands there. */
async function written(folder: string, count: number) {
  const clock = { us: START_US };
  const journal = await openJournal(folder, { now: () => clock.us });
  const writer = new Writer(journal);
  const write = async (packets: number) => {
    await writer.append(...values(clock.us, packets));
    clock.us += packets * 1e6;
  };
  await write(count);
  return { journal, write };
}

Deno.test("Cursor gives what is live on a lane of its own, and the past behind it", async () => {
  await using folder = await makeFolder();
  const { journal, write } = await written(folder.path, 100);
  await using _ = journal;
  const cursor = journal.cursor("mqtt");
  const live = await cursor.openLive(10);
  assert.equal(live.start.seq, 89);
  assert.deepEqual(await deliverAll(live), [
    90,
    91,
    92,
    93,
    94,
    95,
    96,
    97,
    98,
    99,
    100,
  ]);
  assert.equal(cursor.seq, 0);
  assert.equal(standing(journal, "mqtt").waiting, 2 * 89);
  const early = await cursor.next(20);
  assert.deepEqual(seqsOf(early), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  await write(2);
  assert.deepEqual(await deliverAll(live), [101, 102]);
  cursor.settle(early, delivered(10));
  assert.deepEqual((await deliverAll(cursor)).length, 79);
  assert.equal(cursor.seq, 102);
  assert.deepEqual(standing(journal, "mqtt").ledger.deliveredAhead, []);
  await write(1);
  assert.deepEqual(await deliverAll(cursor), []);
  assert.deepEqual(await deliverAll(live), [103]);
  assert.equal(cursor.seq, 103);
  assert.equal(standing(journal, "mqtt").waiting, 0);
});

Deno.test("Cursor gives everything on the live lane when nothing is old", async () => {
  await using folder = await makeFolder();
  const { journal } = await written(folder.path, 5);
  await using _ = journal;
  const cursor = journal.cursor("mqtt");
  const live = await cursor.openLive(60);
  assert.deepEqual(await deliverAll(cursor), []);
  assert.deepEqual(await deliverAll(live), [1, 2, 3, 4, 5]);
  assert.equal(cursor.seq, 5);
});

Deno.test("Journal remembers over a crash what was delivered ahead of the past, whatever the next mode is", async () => {
  for (const again of ["live_first", "all"]) {
    await using folder = await makeFolder();
    await using crashed = await makeFolder();
    const { journal, write } = await written(folder.path, 50);
    await using _ = journal;
    const cursor = journal.cursor("mqtt");
    const live = await cursor.openLive(5);
    await deliverAll(live);
    cursor.settle(await cursor.next(20), delivered(10));
    await write(3);
    for await (const { name } of Deno.readDir(folder.path)) {
      if (name.endsWith(".tmp")) continue; // The safety copy, which is being written.
      await Deno.copyFile(`${folder.path}/${name}`, `${crashed.path}/${name}`);
    }

    await using revived = await openJournal(crashed.path, {
      now: () => START_US + 53e6,
    });
    assert.equal(standing(revived, "mqtt").waiting, 2 * (50 - 6 - 10 + 3));
    const next = revived.cursor("mqtt");
    const lanes = again === "all" ? [next] : [await next.openLive(1), next];
    const given: number[] = [];
    for (const lane of lanes) given.push(...await deliverAll(lane));
    const past = Array.from({ length: 34 }, (_, i) => 11 + i);
    assert.deepEqual(
      given,
      again === "all" ? [...past, 51, 52, 53] : [52, 53, ...past, 51],
    );
    assert.equal(standing(revived, "mqtt").waiting, 0);
    assert.equal(next.seq, 53);
    assert.equal(standing(revived, "mqtt").ledger.requeued, 0);
  }
});

Deno.test("Journal that is full books only what was not delivered ahead of the past", async () => {
  await using folder = await makeFolder();
  const journal = await openJournal(folder.path, {
    maxBytes: 400_000,
    now: () => START_US + 600e6,
    sinks: [{ name: "mqtt", target: "broker/iiot", startAt: "oldest" }],
  });
  await using _ = journal;
  const writer = new Writer(journal);
  await writer.append(...values(0, 600));
  const cursor = journal.cursor("mqtt");
  const live = await cursor.openLive(300);
  assert.equal((await deliverAll(live)).length, 301);
  cursor.giveBack();
  for (let i = 0; i < 12; i++) await writer.append(...values(0, 1_000));
  const { ledger, waiting } = standing(journal, "mqtt");
  const evicted = ledger.dropped.evicted ?? 0;
  assert.ok(evicted >= 2 * 299, `${evicted}`);
  assert.equal(evicted + waiting, 2 * (12_600 - 301));
  const given = await deliverAll(cursor);
  assert.equal(2 * given.length, waiting);
  assert.ok(given[0]! > 600);
  assert.deepEqual(standing(journal, "mqtt").ledger.dropped, { evicted });
  assert.equal(standing(journal, "mqtt").waiting, 0);
});

Deno.test("Ledger remembers a hundred stretches, and lets the oldest beyond that come again", () => {
  const ledger = Ledger.startingAt({ seq: 0, total: 0 }, { seq: 0, total: 0 });
  const sessions = MAX_STRETCHES + 5;
  for (let i = 1; i <= sessions; i++) {
    ledger.receive(4);
    ledger.forgetStretches();
    ledger.deliverAhead({
      from: { seq: 2 * i - 1, total: 4 * i - 2 },
      to: { seq: 2 * i, total: 4 * i },
    }, { readings: 2, rejected: 0, parked: 0 });
    assert.equal(ledger.imbalance(4 * i), 0);
  }
  const { deliveredAhead, requeued } = ledger.state;
  assert.equal(deliveredAhead.length, MAX_STRETCHES);
  assert.equal(requeued, 2 * 5);
  assert.equal(ledger.waiting(4 * sessions), 2 * sessions + 2 * 5);
});

Deno.test("Journal that lets stretches come again whose rows were deleted misses none of these", async () => {
  await using folder = await makeFolder();
  const clock = { us: START_US };
  await using journal = await openJournal(folder.path, {
    maxBytes: 400_000,
    now: () => clock.us,
    sinks: [{ name: "mqtt", target: "broker/iiot", startAt: "oldest" }],
  });
  const writer = new Writer(journal);
  const write = async (packets: number) => {
    await writer.append(...values(0, packets));
    clock.us += packets * 1e6;
  };
  const cursor = journal.cursor("mqtt");
  // The last of three packets goes out ahead of the past, a hundred times.
  for (let i = 0; i < MAX_STRETCHES; i++) {
    await write(3);
    await deliverAll(await cursor.openLive(0.5));
    cursor.giveBack();
  }
  assert.equal(
    standing(journal, "mqtt").ledger.deliveredAhead.length,
    MAX_STRETCHES,
  );
  // Some of them are given up, the others are the past.
  while (standing(journal, "mqtt").ledger.dropped.evicted === undefined) {
    await write(500);
  }
  await journal.flush();
  await deliverAll(await cursor.openLive(0.5));
  await deliverAll(cursor);
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual(Object.keys(ledger.dropped), ["evicted"]);
  assert.deepEqual([waiting, ledger.ahead], [0, 0]);
});

/** Rows in memory, of which any may be deleted, and a cursor over them. */
class Model {
  readonly rows: (Row & { gone: boolean; ended: number; due: number })[] = [];
  ledger = Ledger.startingAt({ seq: 0, total: 0 }, { seq: 0, total: 0 });
  cursor = this.#cursor();
  live: Lane | undefined;
  flights: { lane: Lane; rows: readonly Row[] }[] = [];
  nowUs = START_US;

  get total(): number {
    return this.rows.at(-1)?.total ?? 0;
  }

  #cursor(): Cursor {
    const host: CursorHost = {
      read: (seq, maxReadings) => {
        const found: Row[] = [];
        for (const row of this.rows.slice(seq)) {
          if (row.gone) continue;
          maxReadings -= row.readings.length;
          if (found.length > 0 && maxReadings < 0) break;
          found.push(row);
        }
        return Promise.resolve(found);
      },
      changed: () => {},
      total: () => this.total,
      newest: () => this.rows.length,
      timesVersion: () => 0,
      ageUs: ({ timeUs }) => this.nowUs - timeUs,
      flush: () => Promise.resolve(),
    } as CursorHost;
    return new Cursor({ id: 1, name: "mqtt", ledger: this.ledger, host });
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) {
      this.nowUs += 1e6;
      const readings = Array(1 + this.rows.length % 3).fill({
        path: "a",
        value: 1,
      });
      this.rows.push({
        seq: this.rows.length + 1,
        board: "",
        timeUs: this.nowUs,
        timeQuality: "known",
        boardTs: null,
        readings,
        total: this.total + readings.length,
        gone: false,
        ended: 0,
        due: 1,
      });
      this.ledger.receive(readings.length);
    }
  }

  /** As the journal does when it is full. */
  evict(count: number): void {
    const pinned = (seq: number) =>
      this.cursor.pins.some(({ from, to }) => seq > from && seq <= to);
    const chosen = this.rows.slice(0, -1)
      .filter(({ gone, seq }) => !gone && !pinned(seq)).slice(0, count);
    for (const row of chosen) {
      row.gone = true;
      const { seq, total, readings: { length } } = row;
      if (!this.ledger.isDone(seq)) this.ledger.lose("evicted", length);
      this.ledger.forget({
        from: { seq: seq - 1, total: total - length },
        to: { seq, total },
      });
    }
  }

  async launch(lane: Lane, maxReadings: number): Promise<boolean> {
    const rows = await lane.next(maxReadings);
    if (rows.length > 0) this.flights.push({ lane, rows });
    return rows.length > 0;
  }

  /** The oldest flight comes back with `done` rows; with less than all the session is over. */
  land(done: number): void {
    const flight = this.flights.shift();
    if (flight === undefined) return;
    const { lane, rows } = flight;
    lane.settle(rows, delivered(Math.min(done, rows.length)));
    for (const { seq } of rows.slice(0, done)) this.rows[seq - 1]!.ended++;
    if (done < rows.length) this.end();
  }

  end(): void {
    this.flights = [];
    this.live = undefined;
    this.cursor.giveBack();
  }

  /** As `rewind.ts` does; what the past's lane had under way is not booked any more. */
  rewind(count: number): void {
    const done = this.rows
      .filter(({ seq, gone }) => !gone && this.ledger.isDone(seq))
      .slice(-1 - count);
    const [first] = done;
    if (first === undefined) return;
    let readings = 0;
    for (const row of done) {
      readings += row.readings.length;
      row.due++;
    }
    const total = first.total - first.readings.length;
    this.cursor.rewind({ seq: first.seq - 1, total }, readings);
    this.flights = this.flights.filter(({ lane }) => lane !== this.cursor);
  }

  restart(): void {
    this.end();
    this.ledger = new Ledger(this.ledger.state);
    this.cursor = this.#cursor();
  }

  async goLive(withinS: number): Promise<void> {
    this.end();
    const before = this.ledger.deliveredAhead;
    this.ledger.forgetStretches(3);
    for (const row of this.rows) {
      const isForgotten = !row.gone && !this.ledger.isDone(row.seq) &&
        before.some(({ from, to }) => row.seq > from.seq && row.seq <= to.seq);
      if (isForgotten) row.due++;
    }
    this.live = await this.cursor.openLive(withinS);
  }
}

Deno.test("Cursor gives every row to exactly one lane once, over any sequence of sessions, evictions, rewinds and restarts", async () => {
  const n = fc.nat(12);
  const step = fc.oneof(
    fc.tuple(fc.constant("append" as const), n),
    fc.tuple(fc.constant("goLive" as const), n),
    fc.tuple(fc.constant("launchLive" as const), n),
    fc.tuple(fc.constant("launchPast" as const), n),
    fc.tuple(fc.constant("land" as const), n),
    fc.tuple(fc.constant("end" as const), n),
    fc.tuple(fc.constant("evict" as const), n),
    fc.tuple(fc.constant("restart" as const), n),
    fc.tuple(fc.constant("rewind" as const), n),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80, size: "max" }),
      async (steps) => {
        const model = new Model();
        for (const [kind, n] of steps) {
          if (kind === "launchPast") await model.launch(model.cursor, n);
          else if (kind === "launchLive") {
            if (model.live !== undefined) await model.launch(model.live, n);
          } else await model[kind](n);
          assert.equal(model.ledger.imbalance(model.total), 0, kind);
        }
        while (model.flights.length > 0) model.land(Infinity);
        while (
          await model.launch(model.live ?? model.cursor, 5) ||
          await model.launch(model.cursor, 5)
        ) model.land(Infinity);
        const { state } = model.ledger;
        assert.equal(model.ledger.imbalance(model.total), 0);
        assert.equal(model.ledger.waiting(model.total), 0);
        assert.equal(state.dropped.corrupt, undefined);
        for (const { seq, ended, due, gone } of model.rows) {
          assert.ok(ended === due || (gone && ended < due), `${seq}: ${ended}`);
        }
        assert.equal(model.cursor.seq, model.rows.length);
        assert.deepEqual(state.deliveredAhead, []);
      },
    ),
    { numRuns: 1_000 },
  );
});

Deno.test("Cursor keeps for the past what was the past once, though the clock goes back", async () => {
  await using folder = await makeFolder();
  await (await written(folder.path, 20)).journal.close();
  const clock = { us: START_US + 25e6 };
  await using journal = await openJournal(folder.path, {
    now: () => clock.us,
    monotonicUs: () => 1e6,
    bootId: "another",
  });
  const cursor = journal.cursor("mqtt");
  assert.equal((await cursor.openLive(10)).start.seq, 14);
  cursor.giveBack();
  clock.us -= 10e6;
  assert.equal((await cursor.openLive(10)).start.seq, 14);
});

Deno.test("Cursor takes nothing from before the boot for live once the PC runs longer than that, wherever the clock stands", async () => {
  await using folder = await makeFolder();
  await (await written(folder.path, 20)).journal.close();
  await using journal = await openJournal(folder.path, {
    now: () => START_US - 30 * 86_400e6,
    monotonicUs: () => 11e6,
    bootId: "another",
  });
  const cursor = journal.cursor("mqtt");
  assert.equal((await cursor.openLive(10)).start.seq, 20);
});

Deno.test("Rewind gives again what was delivered ahead of the past, and counts only what is there", async () => {
  await using folder = await makeFolder();
  const { journal, write } = await written(folder.path, 20);
  await using _ = journal;
  const cursor = journal.cursor("mqtt");
  const live = await cursor.openLive(5);
  assert.deepEqual(await deliverAll(live), [15, 16, 17, 18, 19, 20]);
  cursor.settle(await cursor.next(8), delivered(4));
  const rewind = async (toSeq: number) => {
    const { from, to, packets, readings } = await journal
      .rewind("mqtt", { toUs: START_US + toSeq * 1e6 });
    assert.equal(readings, 2 * packets);
    standing(journal, "mqtt");
    return { from, to, packets };
  };

  assert.deepEqual(await rewind(18), { from: 20, to: 17, packets: 3 });
  assert.equal(cursor.seq, 4);
  assert.equal(standing(journal, "mqtt").waiting, 2 * (20 - 4 - 3));
  assert.deepEqual(await rewind(3), { from: 17, to: 2, packets: 2 + 3 });
  await write(1);
  assert.deepEqual(await deliverAll(live), [21]);
  const past = Array.from({ length: 18 }, (_, i) => 3 + i);
  assert.deepEqual(await deliverAll(cursor), past);
  const { ledger, waiting } = standing(journal, "mqtt");
  assert.deepEqual([ledger.requeued, waiting, cursor.seq], [16, 0, 21]);
  assert.equal(ledger.delivered, 2 * 21 + 16);
  assert.deepEqual(ledger.dropped, {});
});

Deno.test("Cursor gives what a rewind puts back while the live lane stays open", async () => {
  await using folder = await makeFolder();
  const { journal, write } = await written(folder.path, 20);
  await using _ = journal;
  const cursor = journal.cursor("mqtt");
  const live = await cursor.openLive(10);
  await deliverAll(live);
  await deliverAll(cursor);
  await journal.rewind("mqtt", { toUs: START_US + 15e6 });
  await write(1);
  assert.deepEqual(await deliverAll(live), [21]);
  assert.deepEqual(await deliverAll(cursor), [15, 16, 17, 18, 19, 20]);
  assert.equal(standing(journal, "mqtt").waiting, 0);
  assert.equal(cursor.seq, 21);
});
