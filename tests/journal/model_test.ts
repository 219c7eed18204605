/**
 * The journal against a small model of it, by commands that fast-check draws and shrinks: on the real
 * SQLite file and on the simulated disk, so that what holds for one is shown for the other.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type {
  AsyncDisk,
  Commit,
  Disk,
  SinkState,
} from "../../lib/journal/disk.ts";
import { Journal } from "../../lib/journal/journal.ts";
import { Store } from "../../lib/journal/store.ts";
import type { Row } from "../../lib/model.ts";
import { MemoryFile, MemoryStore } from "../simulation/memory_store.ts";
import { directDisk, makeFolder, START_US, Writer } from "./world.ts";

const SINKS = ["mqtt", "influxdb"] as const;
type SinkName = typeof SINKS[number];

/** What the journal has to be. */
class Model {
  /** The readings of each row, committed or not; the first is row 1. */
  rows: number[] = [];
  /** Rows up to here were deleted. */
  deleted = 0;
  sinks = new Map<SinkName, ModelSink>(
    SINKS.map((name) => [name, new ModelSink()]),
  );
  /** Whether the configuration has it. */
  active = new Set<SinkName>(SINKS);

  readings(from: number, to: number): number {
    return this.rows.slice(from, to).reduce((sum, one) => sum + one, 0);
  }
}

class ModelSink {
  cursor = 0;
  position = 0;
  delivered = 0;
  rejected = 0;
  parked = 0;
  /** The batches that were given out and are not settled. */
  inHand: Row[][] = [];
}

/** Where a journal's file is. */
interface Medium {
  disk(): Disk;
  /** From here on it is what a killed process leaves behind; the old one goes nowhere. */
  crash(): Promise<void>;
}

/** The journal under test, what it stands on, and what the next commits do. */
class Real {
  journal!: Journal;
  writer!: Writer;
  /** How many of the next commits fail, and whether they are written all the same. */
  failing = 0;
  lying = false;
  /** The sinks as they were last written. */
  written: readonly SinkState[] = [];
  readonly #medium: Medium;
  #run = 0;

  constructor(medium: Medium) {
    this.#medium = medium;
  }

  async open(active: ReadonlySet<SinkName>): Promise<void> {
    const disk = directDisk(this.#medium.disk());
    this.journal = await Journal.open({
      disk: { ...disk, commit: (commit) => this.#commit(disk, commit) },
      path: "journal.db",
      maxBytes: 1e9,
      historyS: 1e9,
      sinks: [...active].map((name) => ({
        name,
        target: "there",
        startAt: "oldest" as const,
      })),
      bootId: "boot",
      now: () => START_US,
      retryMs: 0,
      maxRecentReadings: 4,
    });
    const startUs = START_US + 1e9 * this.#run++;
    this.writer = new Writer(this.journal, "", startUs);
  }

  /** Ends the journal without its last words. */
  async crash(): Promise<void> {
    await this.#medium.crash();
    const written = this.written;
    await this.journal.close();
    this.written = written;
  }

  async #commit(disk: AsyncDisk, commit: Commit) {
    const isFailing = this.failing > 0;
    if (isFailing) this.failing--;
    if (isFailing && !this.lying) throw new Error("disk I/O error");
    const result = await disk.commit(commit);
    this.written = commit.sinks;
    if (isFailing) throw new Error("disk I/O error");
    return result;
  }
}

type Command = fc.AsyncCommand<Model, Real>;

/** Appends rows and waits until they are on the disk, however often that fails. */
class Append implements Command {
  constructor(
    readonly sizes: readonly number[],
    readonly failures: number,
    readonly lying: boolean,
  ) {}

  check = () => true;

  async run(model: Model, real: Real): Promise<void> {
    real.failing = this.failures;
    real.lying = this.lying;
    const packets = this.sizes.map((size, index) =>
      Object.fromEntries(
        ["a", "b", "c"].slice(0, size)
          .map((path) => [path, model.rows.length + index + 1]),
      )
    );
    await real.writer.append(...packets);
    model.rows.push(...this.sizes);
    look(model, real);
  }

  toString(): string {
    return `append(${this.sizes}; ${this.failures} failures${
      this.lying ? ", written all the same" : ""
    })`;
  }
}

/** Gives out the next rows. */
class Next implements Command {
  constructor(readonly name: SinkName, readonly most: number) {}

  check = (model: Model) => model.active.has(this.name);

  async run(model: Model, real: Real): Promise<void> {
    const sink = model.sinks.get(this.name)!;
    const rows = await real.journal.cursor(this.name).next(this.most);
    const expected: number[] = [];
    for (let seq = sink.position + 1; seq <= model.rows.length; seq++) {
      expected.push(seq);
    }
    const got = rows.map(({ seq }) => seq);
    assert.deepEqual(got, expected.slice(0, got.length));
    assert.ok(got.length > 0 || expected.length === 0, "nothing came");
    for (const row of rows) {
      assert.equal(row.readings.length, model.rows[row.seq - 1]);
      assert.equal(row.total, model.readings(0, row.seq));
      for (const { value } of row.readings) assert.equal(value, row.seq);
    }
    const held = rows.reduce((sum, row) => sum + row.readings.length, 0);
    assert.ok(rows.length <= 1 || held <= this.most, "more than was asked for");
    sink.position = got.at(-1) ?? sink.position;
    if (rows.length > 0) sink.inHand.push(rows);
    look(model, real);
  }

  toString = () => `next(${this.name}, ${this.most})`;
}

/** Books what became of the first batch in hand; where some of it stays, all that is in hand is taken back. */
class Settle implements Command {
  constructor(
    readonly name: SinkName,
    readonly share: number,
    readonly end: "delivered" | "rejected" | "parked",
  ) {}

  check = (model: Model) =>
    model.active.has(this.name) &&
    model.sinks.get(this.name)!.inHand.length > 0;

  run(model: Model, real: Real): Promise<void> {
    const sink = model.sinks.get(this.name)!;
    const batch = sink.inHand.shift()!;
    const done = Math.ceil(this.share * batch.length);
    const rows = batch.slice(0, done);
    const refused = rows.filter(({ readings }) => readings.length > 0)
      .map((row) => ({ row, reading: row.readings[0]!, reason: "no" }));
    const cursor = real.journal.cursor(this.name);
    cursor.settle(batch, {
      done,
      rejected: this.end === "rejected" ? refused : [],
      parked: this.end === "parked" ? refused : [],
    });
    const readings = rows.reduce((sum, row) => sum + row.readings.length, 0);
    if (done > 0) sink.cursor = rows.at(-1)!.seq;
    if (done < batch.length) {
      cursor.giveBack();
      sink.position = sink.cursor;
      sink.inHand = [];
    }
    sink.delivered += readings;
    if (this.end !== "delivered") {
      sink.delivered -= refused.length;
      sink[this.end] += refused.length;
    }
    look(model, real);
    return Promise.resolve();
  }

  toString = () => `settle(${this.name}, ${this.share}, ${this.end})`;
}

/** Takes back what is in hand. */
class GiveBack implements Command {
  constructor(readonly name: SinkName) {}

  check = (model: Model) => model.active.has(this.name);

  run(model: Model, real: Real): Promise<void> {
    const sink = model.sinks.get(this.name)!;
    real.journal.cursor(this.name).giveBack();
    sink.position = sink.cursor;
    sink.inHand = [];
    look(model, real);
    return Promise.resolve();
  }

  toString = () => `giveBack(${this.name})`;
}

/** Tries what is parked: the first ones get through, the next are refused for good. */
class Unpark implements Command {
  constructor(
    readonly name: SinkName,
    readonly failures: number,
    readonly lying: boolean,
  ) {}

  check = (model: Model) => model.active.has(this.name);

  async run(model: Model, real: Real): Promise<void> {
    const sink = model.sinks.get(this.name)!;
    real.failing = this.failures;
    real.lying = this.lying;
    const parked = await real.journal.cursor(this.name).refused.parked();
    real.failing = 0;
    assert.equal(parked?.rows.length ?? 0, sink.parked);
    if (parked === null) return;
    const rejected = parked.rows.filter((_, index) => index % 3 === 1)
      .map((row) => ({ row, reading: row.readings[0]!, reason: "no" }));
    const still = parked.rows.filter((_, index) => index % 3 === 2)
      .map((row) => ({ row, reading: row.readings[0]!, reason: "no" }));
    parked.settle({ done: parked.rows.length, rejected, parked: still });
    sink.rejected += rejected.length;
    sink.delivered += parked.rows.length - rejected.length - still.length;
    sink.parked = still.length;
    look(model, real);
  }

  toString = () => `unpark(${this.name}; ${this.failures} failures)`;
}

/** Ends, in order or by a crash, and begins with other sinks. */
class Reopen implements Command {
  constructor(
    readonly crash: boolean,
    readonly active: readonly SinkName[],
  ) {}

  check = () => true;

  async run(model: Model, real: Real): Promise<void> {
    if (this.crash) {
      await real.crash();
      this.#forget(model, real);
    } else await real.journal.close();
    model.active = new Set(this.active);
    for (const sink of model.sinks.values()) {
      sink.position = sink.cursor;
      sink.inHand = [];
    }
    await real.open(model.active);
    look(model, real);
  }

  /** Back to the last commit: rows are always in one, what became of them not yet. */
  #forget(model: Model, real: Real): void {
    for (const { name, ledger } of real.written) {
      const sink = model.sinks.get(name as SinkName)!;
      assert.ok(ledger.cursor.seq <= sink.cursor);
      sink.cursor = ledger.cursor.seq;
      sink.delivered = ledger.delivered;
      sink.rejected = ledger.dropped.rejected ?? 0;
      sink.parked = ledger.parked;
    }
  }

  toString = () => `${this.crash ? "crash" : "close"}, open(${this.active})`;
}

/** The journal's accounts are those of the model. */
function look(model: Model, { journal }: Real): void {
  for (const standing of journal.standings()) {
    const { name, ledger, waiting, imbalance } = standing;
    const sink = model.sinks.get(name as SinkName)!;
    const total = model.readings(0, model.rows.length);
    assert.deepEqual({
      received: ledger.received,
      delivered: ledger.delivered,
      rejected: ledger.dropped.rejected ?? 0,
      parked: ledger.parked,
      waiting,
      imbalance,
      seq: ledger.cursor.seq,
    }, {
      received: total,
      delivered: sink.delivered,
      rejected: sink.rejected,
      parked: sink.parked,
      waiting: model.readings(sink.cursor, model.rows.length) + sink.parked,
      imbalance: 0,
      seq: sink.cursor,
    });
  }
}

const sink = fc.constantFrom(...SINKS);
const failures = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  fc.integer({ min: 1, max: 3 }),
);
const append = fc.tuple(
  fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
  failures,
  fc.boolean(),
).map((drawn) => new Append(...drawn));
const next = fc.tuple(sink, fc.integer({ min: 1, max: 10 }))
  .map((drawn) => new Next(...drawn));
const settle = fc.tuple(
  sink,
  fc.constantFrom(0, 0.5, 1, 1),
  fc.constantFrom("delivered", "rejected", "parked", "parked"),
).map((drawn) => new Settle(...drawn));
const unpark = fc.tuple(sink, failures, fc.boolean())
  .map((drawn) => new Unpark(...drawn));
const giveBack = sink.map((name) => new GiveBack(name));
const reopen = fc.tuple(
  fc.boolean(),
  fc.subarray([...SINKS], { minLength: 1 }),
).map((drawn) => new Reopen(...drawn));
// What gets a sink on is drawn more often than what sets it back.
const commands = fc.commands<Model, Real, false>(
  [append, next, settle, next, settle, unpark, next, settle, giveBack, reopen],
  { maxCommands: 60, size: "max" },
) as fc.Arbitrary<Iterable<Command>>;

async function holds(medium: Medium, drawn: Iterable<Command>): Promise<void> {
  const real = new Real(medium);
  const model = new Model();
  await real.open(model.active);
  try {
    await fc.asyncModelRun(() => ({ model, real }), drawn);
  } finally {
    real.failing = 0;
    await real.journal.close();
  }
}

/** A file of SQLite; a copy of it and of its log is what a killed process leaves. */
function sqlite(folder: string): Medium {
  let path = join(folder, "0.db");
  let copies = 0;
  return {
    disk() {
      const store = new Store();
      const open = store.open.bind(store);
      store.open = (_, logBytes) => open(path, logBytes);
      return store;
    },
    async crash() {
      const copy = join(folder, `${++copies}.db`);
      await Deno.copyFile(path, copy);
      await Deno.copyFile(`${path}-wal`, `${copy}-wal`);
      path = copy;
    },
  };
}

function memory(): Medium {
  let file = new MemoryFile();
  return {
    disk() {
      const here = file;
      return new MemoryStore(() => here);
    },
    crash() {
      file = file.copy();
      return Promise.resolve();
    },
  };
}

Deno.test("Journal does what its model does, on SQLite", async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (drawn) => {
      await using folder = await makeFolder();
      await holds(sqlite(folder.path), drawn);
    }),
    { numRuns: 60 },
  );
});

Deno.test("Journal does what its model does, on the simulated disk", async () => {
  await fc.assert(
    fc.asyncProperty(commands, (drawn) => holds(memory(), drawn)),
    { numRuns: 300 },
  );
});
