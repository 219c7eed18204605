import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type { Commit, Disk } from "../../lib/journal/disk.ts";
import { openDatabase, readState } from "../../lib/journal/database.ts";
import { Store } from "../../lib/journal/store.ts";
import { makeFolder } from "../journal/world.ts";
import { MemoryFile, MemoryStore } from "./memory_store.ts";

/** A commit before its rows have their numbers. */
interface DrawnCommit extends Omit<Commit, "rows" | "deleted"> {
  readonly bodies: readonly string[];
  readonly deletes: readonly [number, number] | null;
}

const small = fc.integer({ min: 1, max: 3 });
const epoch = fc.record({
  id: small,
  bootId: fc.constantFrom("", "boot"),
  offsetUs: small,
  quality: fc.constantFrom("unknown", "known", "estimated"),
  knownBy: fc.constantFrom(null, "trust"),
  correctedUs: small,
  firstUs: small,
  lastUs: fc.constantFrom(null, 7),
});
const board = fc.record({
  id: small,
  lines: small,
  packets: small,
  rejects: small,
  other: small,
  truncated: small,
}).map((one) => ({
  ...one,
  name: `board ${one.id}`,
  clock: { reboots: 0, wraps: 1, repeats: 2, jumps: 3 },
  latest: { a: { seq: one.lines, value: one.packets, timeUs: one.other } },
}));
const sinkState = fc.record({
  id: small,
  active: fc.boolean(),
  seenTotal: small,
  count: small,
}).map(({ id, active, seenTotal, count }) => ({
  id,
  active,
  seenTotal,
  name: `sink ${id}`,
  target: "there",
  ledger: {
    cursor: { seq: count, total: count },
    ahead: count,
    deliveredAhead: [],
    parked: count,
    received: count,
    requeued: count,
    delivered: count,
    dropped: { evicted: count },
  },
}));
const parkedReading = fc.record({
  id: fc.integer({ min: 1, max: 6 }),
  sink: small,
  seq: small,
  board: small,
  timeUs: small,
  path: fc.constantFrom("a", "b"),
  value: small,
  reason: fc.constant("no"),
});
const drawnCommit: fc.Arbitrary<DrawnCommit> = fc.record({
  bodies: fc.array(fc.constantFrom("{}", '{"a":1}', '{"a":1,"b":2.5}'), {
    maxLength: 4,
  }),
  deletes: fc.option(fc.tuple(small, small)),
  epochs: fc.array(epoch, { maxLength: 2 }),
  boards: fc.array(board, { maxLength: 2 }),
  sinks: fc.array(sinkState, { maxLength: 2 }),
  rejects: fc.array(
    fc.record({
      timeUs: small,
      board: fc.constant(""),
      origin: fc.constantFrom("source", "mqtt"),
      reason: fc.constant("no"),
      body: fc.constantFrom("a", "b"),
    }),
    { maxLength: 2 },
  ),
  parked: fc.array(parkedReading, { maxLength: 3 }),
  unparked: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 2 }),
  unrejected: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
  durable: fc.boolean(),
  again: fc.boolean(),
});

Deno.test("The simulated disk does what SQLite does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(drawnCommit, { maxLength: 12 }),
      async (drawn) => {
        await using folder = await makeFolder();
        const path = join(folder.path, "journal.db");
        const store = new Store();
        const file = new MemoryFile();
        const simulated = new MemoryStore(() => file);
        store.open(path, 1e6);
        try {
          for (const commit of drawn.map(numbered(file))) {
            store.commit(commit());
            simulated.commit(commit());
            compare(store, simulated);
          }
        } finally {
          store.close();
        }
        // Not by the store: it would notice that these rows and ledgers do not fit each other.
        using db = openDatabase(path, { readOnly: true });
        const { usedBytes: _, ...state } = readState(db);
        const { usedBytes: __, gone: ___, ...expected } = simulated
          .open(path, 1e6);
        assert.deepEqual(structuredClone(state), structuredClone(expected));
      },
    ),
    { numRuns: 100 },
  );
});

/** Gives the rows of a commit their numbers behind those of the file; again: the newest are there. */
function numbered(file: MemoryFile) {
  return ({ bodies, deletes, ...rest }: DrawnCommit) => {
    let made: Commit | undefined;
    return (): Commit =>
      made ??= {
        ...rest,
        rows: bodies.map((body, index) => {
          const newest = file.rows.at(-1);
          const readings = Object.keys(JSON.parse(body)).length;
          return {
            seq: (newest?.seq ?? 0) + index + 1,
            board: 1,
            epoch: 1 + index % 3,
            monoUs: index,
            boardTs: index === 0 ? null : index,
            readings,
            total: (newest?.total ?? 0) + readings,
            body,
          };
        }),
        deleted: deletes === null ? null : [
          (file.rows[0]?.seq ?? 0) + deletes[0] - 1,
          (file.rows[0]?.seq ?? 0) + deletes[0] + deletes[1] - 2,
        ],
      };
  };
}

function compare(store: Disk, simulated: Disk): void {
  for (const seq of [0, 2, 5]) {
    assert.deepEqual(
      structuredClone(store.read(seq, 3)),
      structuredClone(simulated.read(seq, 3)),
    );
  }
  assert.deepEqual(
    store.oldest(3).map(({ seq, readings }) => [seq, readings]),
    simulated.oldest(3).map(({ seq, readings }) => [seq, readings]),
  );
  assert.deepEqual(
    structuredClone(store.rejects(1, 3)),
    structuredClone(simulated.rejects(1, 3)),
  );
  for (const sink of [1, 2, 3]) {
    assert.deepEqual(
      structuredClone(store.parked(sink, 2)),
      structuredClone(simulated.parked(sink, 2)),
    );
    assert.deepEqual(
      store.oldestParked(sink, 2),
      simulated.oldestParked(sink, 2),
    );
  }
}
