/** Sinks that are removed from the configuration, added, renamed, pointed elsewhere and brought back. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Journal } from "../../lib/journal/journal.ts";
import type { SinkRegistration } from "../../lib/journal/accounts.ts";
import {
  delivered,
  directDisk,
  makeFolder,
  openJournal,
  START_US,
  Writer,
} from "./world.ts";

/** One life of the gateway: its sinks, what is appended, and how many rows each sink gets done. */
interface Life {
  readonly sinks: readonly (SinkRegistration & { readonly done: number })[];
  readonly packets: number;
}

const target = fc.constantFrom("a", "b", "c");
const lives: fc.Arbitrary<Life[]> = fc.array(
  fc.record({
    sinks: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom("mqtt", "influxdb", "renamed"),
        target,
        startAt: fc.constantFrom("now" as const, "oldest" as const),
        done: fc.nat(8),
      }),
      { selector: ({ name }) => name, maxLength: 3 },
    ),
    packets: fc.nat(6),
  }),
  { minLength: 1, maxLength: 8 },
);

/** What the model knows of a sink at a target. */
interface Known {
  next: number;
  first: number;
  done: number;
}

Deno.test("A sink goes on where it was, wherever the configuration has been meanwhile", async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (all) => {
      await using folder = await makeFolder();
      const known = new Map<string, Known>();
      let before = new Map<string, Known>();
      let packets = 0;
      for (const [index, life] of all.entries()) {
        const after = new Map<string, Known>();
        await using journal = await openJournal(folder.path, {
          sinks: life.sinks,
        });
        const writer = new Writer(journal, "", START_US + index * 60e6);
        for (const { name, target, startAt } of life.sinks) {
          const key = `${name} at ${target}`;
          let one = known.get(key);
          if (one === undefined) {
            // Who corrects an address keeps what waited at the wrong one.
            const next = startAt === "oldest"
              ? 1
              : before.get(name)?.next ?? packets + 1;
            one = { next, first: next, done: 0 };
            known.set(key, one);
          }
          after.set(name, one);
        }
        for (let i = 0; i < life.packets; i++) {
          await writer.append({ "n1.t": 1, "n1.h": 2 });
        }
        packets += life.packets;
        for (const { name, target, done } of life.sinks) {
          const one = known.get(`${name} at ${target}`)!;
          const cursor = journal.cursor(name);
          const rows = await cursor.next(1e6);
          assert.deepEqual(
            rows.map(({ seq }) => seq),
            Array.from(
              { length: packets + 1 - one.next },
              (_, i) => one.next + i,
            ),
          );
          const count = Math.min(done, rows.length);
          cursor.settle(rows, delivered(count));
          one.next += count;
          one.done += count;
        }
        for (
          const { name, target, ledger, waiting, imbalance } of journal
            .standings()
        ) {
          const one = known.get(`${name} at ${target}`)!;
          assert.equal(imbalance, 0);
          assert.equal(ledger.delivered, 2 * one.done);
          assert.equal(ledger.received, 2 * (packets + 1 - one.first));
          assert.equal(waiting, 2 * (packets + 1 - one.next));
          assert.deepEqual(ledger.dropped, {});
        }
        before = after;
      }
    }),
    { numRuns: 40 },
  );
});

const MQTT = { name: "mqtt", target: "broker", startAt: "now" } as const;
const INFLUXDB = { name: "influxdb", target: "db", startAt: "oldest" } as const;

async function deliver(
  journal: Journal,
  sink: string,
  rows: number,
): Promise<number[]> {
  const cursor = journal.cursor(sink);
  const batch = await cursor.next(1e6);
  cursor.settle(batch, delivered(Math.min(rows, batch.length)));
  cursor.giveBack();
  return batch.map(({ seq }) => seq);
}

Deno.test("A removed sink with a backlog holds no deletion back, and books what went when it comes back", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path, {
      sinks: [MQTT, INFLUXDB],
    });
    await new Writer(journal).append(
      ...Array.from({ length: 20 }, (_, i) => ({ "n1.t": i })),
    );
    await deliver(journal, "mqtt", 5);
    await deliver(journal, "influxdb", 20);
  }
  const disk = directDisk();
  const deleted = Promise.withResolvers<void>();
  {
    await using journal = await openJournal(folder.path, {
      sinks: [INFLUXDB],
      historyS: 60,
      now: () => START_US + 3_600e6,
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
    assert.deepEqual((await disk.oldest(9)).map(({ seq }) => seq), [20]);
    await new Writer(journal, "", START_US + 3_600e6).append({ "n1.t": 20 });
    assert.equal(journal.standings().length, 1);
    assert.equal(journal.standings()[0]!.imbalance, 0);
  }
  await using journal = await openJournal(folder.path, {
    sinks: [INFLUXDB, MQTT],
  });
  const [mqtt, influxdb] = journal.standings();
  assert.equal(influxdb!.imbalance, 0);
  assert.equal(mqtt!.imbalance, 0);
  // Packet 20 may be gone too: it is no longer the newest.
  const { evicted = 0 } = mqtt!.ledger.dropped;
  assert.ok(evicted === 14 || evicted === 15);
  assert.equal(mqtt!.waiting, 16 - evicted);
  const rest = evicted === 14 ? [20, 21] : [21];
  assert.deepEqual(await deliver(journal, "mqtt", 9), rest);
  const { ledger, waiting, imbalance } = journal.standings()[0]!;
  assert.equal(ledger.received, 21);
  assert.equal(ledger.delivered, 5 + rest.length);
  assert.deepEqual([waiting, imbalance], [0, 0]);
});

Deno.test("A removed sink is remembered for as long as the journal is, however many came after it", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path, { sinks: [MQTT] });
    await new Writer(journal).append({ a: 1 }, { a: 2 }, { a: 3 });
    await deliver(journal, "mqtt", 1);
  }
  for (let i = 0; i < 30; i++) {
    await using _ = await openJournal(folder.path, {
      sinks: [{ ...MQTT, target: `other ${i}` }],
    });
  }
  await using journal = await openJournal(folder.path, { sinks: [MQTT] });
  assert.deepEqual(await deliver(journal, "mqtt", 0), [2, 3]);
  assert.equal(journal.standings()[0]!.imbalance, 0);
});

Deno.test("What is parked for a removed sink waits there until it comes back", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path, { sinks: [MQTT] });
    await new Writer(journal).append({ a: 1 });
    const cursor = journal.cursor("mqtt");
    const rows = await cursor.next(1);
    const [row] = rows;
    const parked = [{ row: row!, reading: row!.readings[0]!, reason: "ACL" }];
    cursor.settle(rows, { done: 1, rejected: [], parked });
  }
  {
    await using journal = await openJournal(folder.path, { sinks: [INFLUXDB] });
    await deliver(journal, "influxdb", 1);
  }
  await using journal = await openJournal(folder.path, { sinks: [MQTT] });
  assert.equal(journal.standings()[0]!.waiting, 1);
  const parked = await journal.cursor("mqtt").refused.parked();
  assert.deepEqual(parked?.rows.map(({ seq }) => seq), [1]);
  parked.settle(delivered(1));
  const { ledger, waiting, imbalance } = journal.standings()[0]!;
  assert.deepEqual([ledger.delivered, waiting, imbalance], [1, 0, 0]);
});
