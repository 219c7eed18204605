import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { openDatabase, rowChecksum } from "../../lib/journal/database.ts";
import type { Epoch } from "../../lib/journal/disk.ts";
import { Epochs } from "../../lib/journal/epochs.ts";
import { readReport } from "../../lib/journal/report.ts";
import { MIGRATIONS } from "../../lib/journal/schema.ts";
import type { EventTime } from "../../lib/model.ts";
import {
  directDisk,
  gatedDisk,
  makeFolder,
  openJournal,
  START_US,
} from "./world.ts";

const DAY_US = 86_400e6;

/** Epochs over a disk of their own, which has what was committed and nothing else. */
class World {
  monoUs = 1_000_000;
  wallUs = START_US;
  boot = 1;
  readonly disk = new Map<number, Epoch>();
  #pending: Epoch[] = [];
  /** The board's last stamp in this run of the system. */
  #stampUs = 0;
  /** Rows on the disk, and those that a database was given, by the time it got. */
  readonly rows: EventTime[] = [];
  readonly given = new Map<EventTime, number>();
  epochs = this.#open();
  current: number | undefined;

  #open(): Epochs {
    this.#pending = [];
    return new Epochs({
      known: [...this.disk.values()],
      newest: this.rows.at(-1) ?? null,
      bootId: `boot ${this.boot}`,
      monotonicUs: () => this.monoUs,
      changed: (epoch) => void this.#pending.push(epoch),
      settled: () => {},
    });
  }

  commit(): void {
    for (const epoch of this.#pending) this.disk.set(epoch.id, epoch);
    this.epochs.committed(this.#pending.splice(0));
  }

  pass(us: number): void {
    this.monoUs += us;
    this.wallUs += us;
  }

  step(us: number): void {
    this.wallUs += us;
    this.current = undefined;
  }

  append(quality: "known" | "unknown" | "estimated"): void {
    if (quality === "known") this.know();
    if (
      this.current !== undefined &&
      this.epochs.isOver(this.current, this.monoUs)
    ) this.current = undefined;
    this.current ??= this.epochs.open({
      offsetUs: this.wallUs - this.monoUs,
      monoUs: this.monoUs,
      quality,
    });
    // The board's stamps grow, and are never before their epoch.
    this.#stampUs = Math.max(
      Math.ceil(this.monoUs / 8) * 8,
      this.#stampUs + 8,
    );
    this.commit();
    this.rows.push({ epoch: this.current, monoUs: this.#stampUs });
  }

  know(): void {
    this.epochs.know(this.wallUs - this.monoUs, "test");
    if (
      this.current !== undefined &&
      this.epochs.quality(this.current) !== "known"
    ) this.current = undefined;
  }

  /** The process ends without a word and is started again, perhaps with the whole system. */
  restart(reboot: boolean): void {
    if (reboot) {
      this.boot++;
      this.monoUs = 1_000_000;
      this.#stampUs = 0;
    }
    this.current = undefined;
    this.epochs = this.#open();
    this.commit();
  }

  /** Gives the database what is settled, and looks whether a time ever changes. */
  deliver(): void {
    for (const row of this.rows) {
      const { timeUs, timeQuality } = this.epochs.time(row);
      if (timeQuality === "unknown") break;
      assert.equal(timeUs, this.given.get(row) ?? timeUs, "a time changed");
      this.given.set(row, timeUs);
    }
  }
}

// Whole seconds, so that times meet where nothing keeps them apart.
const event = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("known", "unknown", "estimated") },
  {
    weight: 4,
    arbitrary: fc.record({ passS: fc.integer({ min: 0, max: 20 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      stepS: fc.oneof(
        fc.integer({ min: -40, max: 40 }),
        fc.constantFrom(-3_600, 3_600, -73 * 365 * 86_400, 73 * 365 * 86_400),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ reboot: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constantFrom("know", "estimate", "deliver") },
);

Deno.test("Epochs give no time twice and change none that was given, over steps, restarts and corrections", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80, size: "max" }), (events) => {
      const world = new World();
      for (const event of events) {
        if (typeof event === "object") {
          if ("passS" in event) world.pass(event.passS * 1e6);
          else if ("stepS" in event) world.step(event.stepS * 1e6);
          else {
            // A saved time: the clock starts where it was a moment ago.
            if (event.reboot) world.step(-5_000_000);
            world.restart(event.reboot);
          }
        } else if (event === "know") world.know();
        else if (event === "estimate") world.epochs.estimate(world.monoUs);
        else if (event === "deliver") {
          world.commit();
          world.deliver();
        } else world.append(event);
      }
      world.epochs.estimate(Infinity);
      world.commit();
      world.deliver();
      assert.equal(world.given.size, world.rows.length);
      assert.equal(new Set(world.given.values()).size, world.rows.length);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("Epochs that overlap more than eight times begin behind the one that ends first", () => {
  const world = new World();
  const times = new Set<number>();
  for (let run = 0; run < 20; run++) {
    world.append("estimated");
    for (let i = 0; i < 10; i++) world.append("estimated");
    for (const row of world.rows.slice(-11)) {
      const { timeUs } = world.epochs.time(row);
      assert.ok(!times.has(timeUs), `run ${run}`);
      times.add(timeUs);
    }
    // Each run begins at the same saved time.
    world.wallUs = START_US;
    world.restart(true);
  }
  const last = world.epochs.time(world.rows.at(-1)!).timeUs;
  assert.ok(last - START_US < 10e6, String(last - START_US));
});

Deno.test("Epochs are right at once though the clock goes back before many others, and end before each", () => {
  const world = new World();
  const times = new Set<number>();
  const append = () => {
    world.append("known");
    const { timeUs } = world.epochs.time(world.rows.at(-1)!);
    assert.ok(!times.has(timeUs), String(timeUs));
    times.add(timeUs);
    assert.ok(Math.abs(timeUs - world.wallUs) < 1000, "the time is right");
  };
  for (let run = 0; run < 20; run++) {
    append();
    world.pass(180e6);
    append();
    world.restart(true);
  }
  world.step(-3600e6);
  for (let s = 0; s < 3700; s++) {
    append();
    world.pass(1e6);
  }
});

interface HeldOptions {
  readonly bootId?: string;
}

/** A journal whose InfluxDB wants times, and packets of an epoch; microseconds are counted from the boot. */
async function heldJournal(
  folder: string,
  { bootId = "boot" }: HeldOptions = {},
  disk = directDisk(),
) {
  const journal = await openJournal(folder, {
    disk,
    bootId,
    monotonicUs: () => 100e6,
    sinks: [
      { name: "mqtt", target: "a", startAt: "oldest" },
      { name: "influxdb", target: "b", startAt: "oldest", needsTime: true },
    ],
  });
  const board = journal.board("", {
    lines: 0,
    packets: 0,
    rejects: 0,
    other: 0,
    truncated: 0,
  });
  let monoUs = 10e6;
  const append = async (epoch: number, value: number) => {
    const packet = {
      boardTs: null,
      readings: [{ path: "a", value }],
      dropped: [],
    };
    monoUs += 1e6;
    await board.append([{ packet, at: { epoch, monoUs } }], 100);
  };
  const next = async (name: string) =>
    (await journal.cursor(name).next(100)).map(
      ({ seq, timeUs, timeQuality }) => [seq, timeUs - START_US, timeQuality],
    );
  return { journal, append, next };
}

const UNKNOWN = {
  offsetUs: START_US,
  monoUs: 10e6,
  quality: "unknown",
} as const;

Deno.test("Journal holds rows whose time is unknown from the sink that needs it, and from no other", async () => {
  await using folder = await makeFolder();
  const { journal, append, next } = await heldJournal(folder.path);
  await using _ = journal;
  await append(journal.epochs.open(UNKNOWN), 1);
  await journal.flush();
  assert.deepEqual(await next("mqtt"), [[1, 11e6, "unknown"]]);
  assert.deepEqual(await next("influxdb"), []);
  const committed = Promise.withResolvers<void>();
  journal.onCommit(committed.resolve);
  journal.epochs.know(START_US + 3_600e6, "test");
  await committed.promise;
  assert.deepEqual(await next("influxdb"), [[1, 3_611e6, "known"]]);
  assert.deepEqual([...journal.latest()].map(({ timeUs }) => timeUs), [
    START_US + 3_611e6,
  ]);
});

Deno.test("Journal gives a corrected time to a sink only after the disk has the correction", async () => {
  await using folder = await makeFolder();
  {
    const { journal, append } = await heldJournal(folder.path);
    await using _ = journal;
    await append(journal.epochs.open(UNKNOWN), 1);
  }
  const { disk, stand, go } = gatedDisk();
  const { journal, next } = await heldJournal(folder.path, {}, disk);
  await using _ = journal;
  stand();
  journal.epochs.know(START_US + 60e6, "test");
  await Promise.resolve();
  assert.deepEqual(await next("influxdb"), []);
  go();
  await journal.flush();
  assert.deepEqual(await next("influxdb"), [[1, 71e6, "known"]]);
});

Deno.test("Journal tries a parked reading again with the time that its row has by then", async () => {
  await using folder = await makeFolder();
  const { journal, append } = await heldJournal(folder.path);
  await using _ = journal;
  await append(journal.epochs.open(UNKNOWN), 1);
  await journal.flush();
  const cursor = journal.cursor("mqtt");
  const rows = await cursor.next(100);
  const [row] = rows;
  assert.ok(row?.readings[0]);
  const parked = [{ row, reading: row.readings[0], reason: "forbidden" }];
  cursor.settle(rows, { done: 1, rejected: [], parked });
  journal.epochs.know(START_US + 60e6, "test");
  await journal.flush();
  const again = await cursor.refused.parked();
  assert.deepEqual(
    again?.rows.map(({ timeUs, timeQuality }) => [
      timeUs - START_US,
      timeQuality,
    ]),
    [[71e6, "known"]],
  );
});

Deno.test("Journal lets a sink have what stands before the first row without a time", async () => {
  await using folder = await makeFolder();
  const { journal, append, next } = await heldJournal(folder.path);
  await using _ = journal;
  const known = journal.epochs.open({ offsetUs: START_US, monoUs: 10e6 });
  await append(known, 1);
  const glitch = journal.epochs.open({
    offsetUs: START_US + 73 * 365 * DAY_US,
    monoUs: 11e6,
    quality: "unknown",
  });
  await append(glitch, 2);
  await append(
    journal.epochs.open({ ...UNKNOWN, monoUs: 12e6 }),
    3,
  );
  await journal.flush();
  assert.deepEqual((await next("influxdb")).map(([seq]) => seq), [1]);
  assert.deepEqual(await next("influxdb"), []);
  journal.epochs.know(START_US, "test");
  await journal.flush();
  // The glitch to 2096 has left nothing behind, but for the remainder that keeps times apart.
  const rows = await next("influxdb");
  assert.deepEqual(
    rows.map(([seq, us]) => [seq, Math.floor(Number(us) / 1e6)]),
    [
      [2, 12],
      [3, 13],
    ],
  );
});

Deno.test("Journal corrects what an earlier process of the same boot left, and estimates that of another", async () => {
  for (const bootId of ["boot", "another boot", ""]) {
    await using folder = await makeFolder();
    {
      const { journal, append } = await heldJournal(folder.path, {
        bootId: bootId === "" ? "" : "boot",
      });
      await using _ = journal;
      await append(journal.epochs.open(UNKNOWN), 1);
    }
    const { journal, next } = await heldJournal(folder.path, { bootId });
    await using _ = journal;
    journal.epochs.know(START_US + 60e6, "test");
    await journal.flush();
    assert.deepEqual(
      await next("influxdb"),
      bootId === "boot" ? [[1, 71e6, "known"]] : [[1, 11e6, "estimated"]],
      bootId,
    );
  }
});

Deno.test("Journal settles what has waited long enough, and never changes it again", async () => {
  await using folder = await makeFolder();
  {
    const { journal, append, next } = await heldJournal(folder.path);
    await using _ = journal;
    await append(journal.epochs.open(UNKNOWN), 1);
    await append(journal.epochs.open({ ...UNKNOWN, monoUs: 50e6 }), 2);
    assert.equal(journal.epochs.estimate(9e6), 0);
    assert.equal(journal.epochs.estimate(10e6), 1);
    await journal.flush();
    assert.deepEqual(await next("influxdb"), [[1, 11e6, "estimated"]]);
    journal.epochs.know(START_US + 60e6, "test");
    await journal.flush();
    journal.cursor("influxdb").giveBack();
    assert.deepEqual(await next("influxdb"), [[1, 11e6, "estimated"], [
      2,
      72e6,
      "known",
    ]]);
  }
  const { journal, next } = await heldJournal(folder.path);
  await using _ = journal;
  journal.epochs.know(START_US, "test");
  assert.deepEqual(await next("influxdb"), [[1, 11e6, "estimated"], [
    2,
    72e6,
    "known",
  ]]);
});

Deno.test("Epochs call no row old because of a clock that is wrong", () => {
  const world = new World();
  world.append("known");
  const [earlier] = world.rows;
  assert.ok(earlier);
  world.restart(true);
  const isOlder = () => world.epochs.isOlder(earlier, DAY_US);
  assert.ok(!isOlder(), "before anything is known");
  world.pass(10e6);
  world.append("estimated");
  world.step(73 * 365 * DAY_US);
  world.append("unknown");
  assert.ok(!isOlder(), "a jump that nobody has confirmed");
  world.step(-73 * 365 * DAY_US);
  world.append("known");
  world.step(73 * 365 * DAY_US);
  world.append("known");
  assert.ok(!isOlder(), "a jump that is trusted");
  world.step(-73 * 365 * DAY_US);
  world.pass(1.1 * DAY_US);
  assert.ok(isOlder(), "a day has passed");
  // What is of this run is as old as the monotonic clock says, whatever the other one does.
  assert.ok(world.epochs.isOlder(world.rows.at(-1)!, DAY_US));
  world.step(-30 * DAY_US);
  assert.ok(world.epochs.isOlder(world.rows.at(-1)!, DAY_US));
});

Deno.test("Journal takes the epochs of an older file as they are", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  {
    using db = openDatabase(path);
    const crc = rowChecksum({
      ...{ seq: 1, board: 1, epoch: 1, monoUs: 5_000_003, boardTs: null },
      ...{ readings: 1, total: 1, body: '{"a":1}' },
    });
    db.exec(MIGRATIONS[0]!);
    db.exec(`
      INSERT INTO epochs (id, boot_id, offset_us, quality) VALUES (1, 'boot', ${START_US}, 'system');
      INSERT INTO boards VALUES (1, '', 1, 1, 0, 0, 0, '{}');
      INSERT INTO packets VALUES (1, 1, 1, 5000003, NULL, 1, 1, '{"a":1}', ${crc});
      PRAGMA user_version=1;
    `);
  }
  // It can be looked at before a gateway has brought it up to date.
  assert.equal(readReport(path).clock?.quality, "known");
  assert.equal(readReport(path).boards[0]?.clock.reboots, 0);
  const { journal, next } = await heldJournal(folder.path);
  await using _ = journal;
  journal.epochs.know(START_US + 60e6, "test");
  assert.deepEqual(await next("influxdb"), [[1, 5_000_003, "known"]]);
});
