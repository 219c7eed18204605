/**
 * A journal for tests: a folder of its own, the disk in the same thread or in its worker, and what is
 * looked at everywhere.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { AsyncDisk, Disk } from "../../lib/journal/disk.ts";
import { Journal, type JournalOptions } from "../../lib/journal/journal.ts";
import type { SinkStanding, TimedPacket } from "../../lib/journal/journal.ts";
import type { Lane } from "../../lib/journal/lane.ts";
import { Store } from "../../lib/journal/store.ts";
import { WorkerDisk } from "../../lib/journal/worker_disk.ts";
import type { Row, Value } from "../../lib/model.ts";
import type { Outcome } from "../../lib/sink/sink.ts";

/** Microseconds at which these tests take place. */
export const START_US = 1_700_000_000_000_000;

/** SQLite in this thread; each method may be replaced to make it fail. */
export function directDisk(store: Disk = new Store()): AsyncDisk {
  const call = <M extends keyof Disk>(method: M) =>
  (
    ...args: unknown[]
  ): Promise<never> => {
    const run = store[method] as (...args: unknown[]) => never;
    return new Promise((resolve) => resolve(run.apply(store, args)));
  };
  return {
    open: call("open"),
    openForReading: call("openForReading"),
    reserve: call("reserve"),
    commit: call("commit"),
    read: call("read"),
    oldest: call("oldest"),
    parked: call("parked"),
    oldestParked: call("oldestParked"),
    rejects: call("rejects"),
    close: call("close"),
  };
}

/** A disk that commits nothing between `stand` and `go`. */
export function gatedDisk(): {
  disk: AsyncDisk;
  stand(): void;
  go(): void;
} {
  const disk = directDisk();
  let gate: PromiseWithResolvers<void> | undefined;
  return {
    disk: {
      ...disk,
      commit: async (commit) => {
        await gate?.promise;
        return await disk.commit(commit);
      },
    },
    stand: () => gate = Promise.withResolvers<void>(),
    go: () => gate?.resolve(),
  };
}

/** A folder that is gone when the test ends. */
export async function makeFolder(): Promise<
  AsyncDisposable & { path: string }
> {
  const path = await Deno.makeTempDir({ prefix: "journal-" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Opens a journal in `folder` with the sinks "mqtt" and "influxdb" unless told otherwise. */
export function openJournal(
  folder: string,
  options: Partial<JournalOptions> & { worker?: boolean } = {},
): Promise<Journal> {
  const { worker = false, ...rest } = options;
  const { now = () => START_US } = rest;
  return Journal.open({
    disk: worker ? new WorkerDisk() : directDisk(),
    path: join(folder, "journal.db"),
    maxBytes: 64 * 1024 * 1024,
    historyS: 30 * 86_400,
    sinks: [
      { name: "mqtt", target: "broker/iiot", startAt: "oldest" },
      { name: "influxdb", target: "server/bucket", startAt: "oldest" },
    ],
    bootId: "boot",
    now,
    // Whatever was written before is of this run of the system, and long ago where `now` says so.
    monotonicUs: () => rest.now ? now() - START_US : 1e12,
    ...rest,
  });
}

/** Appends to one board, one packet a second from {@linkcode START_US} on. */
export class Writer {
  readonly #journal: Journal;
  readonly #board;
  readonly #epoch: number;
  readonly counts = {
    lines: 0,
    packets: 0,
    rejects: 0,
    other: 0,
    truncated: 0,
  };
  #monoUs: number;

  constructor(journal: Journal, board = "", offsetUs = START_US) {
    this.#journal = journal;
    this.#board = journal.board(board, this.counts);
    // One monotonic clock for all: what happened earlier has less of it.
    this.#monoUs = offsetUs - START_US;
    this.#epoch = journal.epochs.open({
      offsetUs: START_US,
      monoUs: this.#monoUs,
    });
  }

  /** Appends packets of these readings, and comes when they are committed. */
  async append(...packets: Record<string, Value>[]): Promise<void> {
    this.enqueue(...packets);
    await this.#journal.flush();
  }

  /** Appends without waiting. */
  enqueue(...packets: Record<string, Value>[]): void {
    void this.#board.append(packets.map((values) => this.packet(values)), 1e9);
  }

  packet(
    values: Record<string, Value>,
    dropped: TimedPacket["packet"]["dropped"] = [],
  ): TimedPacket {
    this.counts.lines++;
    this.counts.packets++;
    return {
      packet: {
        boardTs: null,
        readings: Object.entries(values).map(([path, value]) => ({
          path,
          value,
        })),
        dropped,
      },
      at: { epoch: this.#epoch, monoUs: this.#monoUs += 1_000_000 },
    };
  }

  get board() {
    return this.#board;
  }
}

/** An outcome in which the first `done` rows are delivered. */
export function delivered(done: number): Outcome {
  return { done, rejected: [], parked: [] };
}

/** Delivers all that `lane` gives out, with together at most `maxReadings` at a time; gives it in order. */
export async function drain(lane: Lane, maxReadings = 1000): Promise<Row[]> {
  const drained: Row[] = [];
  for (let rows; (rows = await lane.next(maxReadings)).length > 0;) {
    lane.settle(rows, delivered(rows.length));
    drained.push(...rows);
  }
  return drained;
}

/** The numbers of `rows`. */
export function seqsOf(rows: readonly Row[]): number[] {
  return rows.map(({ seq }) => seq);
}

/** The values of all readings of `rows`. */
export function valuesOf(rows: readonly Row[]): Value[] {
  return rows.flatMap(({ readings }) => readings.map(({ value }) => value));
}

/** Checks every sink's accounts. */
export function balanced(journal: Journal): void {
  for (const { name, imbalance, waiting } of journal.standings()) {
    assert.equal(imbalance, 0, name);
    assert.ok(waiting >= 0, name);
  }
}

/** A sink's accounts, which balance. */
export function standing(journal: Journal, name: string): SinkStanding {
  const found = journal.standings().find((one) => one.name === name);
  assert.ok(found);
  assert.equal(found.imbalance, 0, name);
  return found;
}
