import assert from "node:assert/strict";
import {
  Committer,
  type CommitterOptions,
} from "../../lib/journal/committer.ts";
import {
  type Commit,
  type CommitResult,
  EMPTY_COMMIT,
} from "../../lib/journal/disk.ts";
import { captureLog } from "../source/log_capture.ts";

const RESULT: CommitResult = { usedBytes: 0 };
const row = (seq: number) => ({
  ...{ seq, board: 1, epoch: 1, monoUs: seq, boardTs: null },
  ...{ readings: 1, total: seq, body: '{"a":1}' },
});
const seqsIn = ({ rows }: Commit) => rows.map(({ seq }) => seq);
/** Lets everything happen that needs no more than the event loop. */
const turn = () => new Promise((resolve) => setTimeout(resolve));

/** A committer whose disk does what the test says, call by call. */
class World {
  /** What the disk was asked to write, and is to answer. */
  readonly calls: {
    readonly commit: Commit;
    readonly take: () => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  /** What the committer knows to be written. */
  readonly committed: number[] = [];
  /** What it wanted to have each time. */
  readonly taken: Parameters<CommitterOptions["take"]>[0][] = [];
  readonly committer: Committer;
  /** Comes with the next call. */
  #next = Promise.withResolvers<void>();
  #rows: number[] = [];

  constructor() {
    this.committer = new Committer({
      disk: { commit: (commit) => this.#commit(commit) },
      path: "journal.db",
      retryMs: 0,
      take: (which) => {
        this.taken.push(which);
        if (this.#rows.length === 0 && !which.all) return null;
        const rows = this.#rows.splice(0).map(row);
        return { ...EMPTY_COMMIT, rows, durable: which.durable };
      },
      committed: (commit) => this.committed.push(...seqsIn(commit)),
    });
  }

  /** One that is open. */
  static async open(): Promise<World> {
    const world = new World();
    const opening = world.committer.open();
    await world.take();
    await opening;
    world.calls.length = world.taken.length = 0;
    return world;
  }

  append(seq: number): void {
    this.#rows.push(seq);
    this.committer.schedule();
  }

  /** Waits until the disk has been asked `count` times; gives the last call. */
  async call(count: number) {
    while (this.calls.length < count) await this.#next.promise;
    assert.equal(this.calls.length, count);
    return this.calls[count - 1]!;
  }

  /** The disk takes the next commit. */
  async take(): Promise<Commit> {
    const { commit, take } = await this.call(this.calls.length + 1);
    take();
    return commit;
  }

  #commit(commit: Commit): Promise<CommitResult> {
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    const take = () => resolve(RESULT);
    this.calls.push({ commit, take, fail: reject });
    this.#next.resolve();
    this.#next = Promise.withResolvers();
    return promise;
  }
}

/** Whether a promise has come; looked at after a turn. */
async function hasCome(promise: Promise<void>): Promise<boolean> {
  let come = false;
  void promise.then(() => come = true);
  await turn();
  return come;
}

Deno.test("Committer is open once its first commit is written, and asks for that and the last one to be durable", async () => {
  const world = new World();
  const opening = world.committer.open();
  const { commit, take } = await world.call(1);
  assert.equal(commit.durable, true);
  assert.equal(await hasCome(opening), false);
  take();
  await opening;
  for (const work of ["flush", "close"] as const) {
    const done = world.committer[work]();
    await world.take();
    await done;
  }
  assert.deepEqual(
    world.calls.map(({ commit }) => commit.durable),
    [true, false, true],
  );
});

Deno.test("Committer's first commit fails at once, and is not tried again", async () => {
  const world = new World();
  const error = new Error("read-only");
  const opening = assert.rejects(world.committer.open(), error);
  (await world.call(1)).fail(error);
  await opening;
  await turn();
  assert.equal(world.calls.length, 1);
  assert.deepEqual(world.committed, []);
});

Deno.test("Committer writes together what gathers in one turn, one commit at a time, and then what gathered meanwhile", async () => {
  const world = await World.open();
  world.append(1);
  world.append(2);
  const first = await world.call(1);
  assert.deepEqual(seqsIn(first.commit), [1, 2]);
  world.append(3);
  await turn();
  world.append(4);
  await turn();
  assert.equal(world.calls.length, 1);
  assert.deepEqual(world.committed, []);
  first.take();
  const second = await world.call(2);
  assert.deepEqual(world.committed, [1, 2]);
  assert.deepEqual(seqsIn(second.commit), [3, 4]);
  second.take();
  await turn();
  assert.equal(world.calls.length, 2);
  assert.deepEqual(world.committed, [1, 2, 3, 4]);
});

Deno.test("Committer's flush comes with the commit that holds what was known then, and not before", async () => {
  const world = await World.open();
  world.append(1);
  const first = await world.call(1);
  world.append(2);
  const flushed = world.committer.flush();
  first.take();
  const second = await world.call(2);
  assert.deepEqual(seqsIn(second.commit), [2]);
  assert.equal(await hasCome(flushed), false);
  world.append(3);
  second.take();
  await flushed;
  assert.deepEqual(world.committed, [1, 2]);
  (await world.call(3)).take();
  await turn();
});

Deno.test("Committer tries a failed commit again until it is written, as one that may be written already, and says so once", async () => {
  await using log = await captureLog();
  const world = await World.open();
  world.append(1);
  const flushed = world.committer.flush();
  for (const count of [1, 2, 3]) {
    const { commit, fail } = await world.call(count);
    assert.deepEqual(seqsIn(commit), [1]);
    assert.equal(commit.again, count === 1 ? undefined : true);
    // What comes meanwhile waits for a commit of its own.
    world.append(1 + count);
    assert.equal(await hasCome(flushed), false);
    fail(new Error("full"));
  }
  (await world.call(4)).take();
  await flushed;
  assert.deepEqual(world.committed, [1]);
  const { commit, take } = await world.call(5);
  assert.deepEqual(seqsIn(commit), [2, 3, 4]);
  assert.equal(commit.again, undefined);
  take();
  await turn();
  assert.equal(log.lines.length, 2, log.lines.join("\n"));
  assert.match(log.lines[0]!, /error: Cannot write .*journal\.db.*full/);
  assert.match(log.lines[1]!, /can be written again/);
});

Deno.test("Committer writes a change without a row within a second, or with the row that comes before", async () => {
  const world = await World.open();
  world.committer.touch();
  world.committer.touch();
  await turn();
  assert.equal(world.calls.length, 0);
  const { commit, take } = await world.call(1);
  assert.deepEqual(seqsIn(commit), []);
  take();
  await turn();
  world.committer.touch();
  world.append(1);
  // The timer is gone with it: the test would be said to leave one behind.
  (await world.call(2)).take();
  await turn();
});

Deno.test("Committer's commit that is given up at the end is the last one: nothing that comes later is written", async () => {
  const world = await World.open();
  const error = new Error("no such device");
  world.append(1);
  const before = assert.rejects(world.committer.flush(), error);
  (await world.call(1)).fail(error);
  // It is tried again as long as nobody closes.
  const again = await world.call(2);
  const closed = assert.rejects(world.committer.close(), error);
  const meanwhile = assert.rejects(world.committer.flush(), error);
  again.fail(error);
  await Promise.all([before, closed, meanwhile]);
  const asked = world.taken.length;

  world.append(2);
  await assert.rejects(world.committer.flush(), error);
  await assert.rejects(world.committer.close(), error);
  // A timer that it left behind would fail the test.
  world.committer.touch();
  await turn();
  assert.equal(world.taken.length, asked);
  assert.equal(world.calls.length, 2);
  assert.deepEqual(world.committed, []);
});
