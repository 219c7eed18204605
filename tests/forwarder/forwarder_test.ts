import assert from "node:assert/strict";
import { Forwarder } from "../../lib/forwarder/forwarder.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import type { Row } from "../../lib/model.ts";
import {
  type Failure,
  type Outcome,
  type Sink,
  SinkError,
} from "../../lib/sink/sink.ts";
import {
  delivered,
  makeFolder,
  openJournal,
  START_US,
  Writer,
} from "../journal/world.ts";
import { captureLog } from "../source/log_capture.ts";

const RETRY: Failure = { kind: "retry", message: "Connection refused" };

/** A sink whose answers the test gives, one `deliver` at a time. */
class ScriptedSink implements Sink {
  readonly name = "mqtt";
  readonly target = "broker/iiot";
  readonly batches: number[][] = [];
  readonly opened: number[] = [];
  /** The last row given when it was told that there are no more. */
  readonly caughtUp: (number | undefined)[] = [];
  /** Which of the batches were the past. */
  readonly past: number[][] = [];
  liveWithinS?: number;
  maxBatches = 1;
  maxReadings = 100;
  paceMs = 0;
  open_: () => void = () => {};
  onDispose: () => void = () => {};
  answer: (rows: readonly Row[], batch: number) => Outcome | Promise<Outcome> =
    (rows) => delivered(rows.length);
  closed = Promise.withResolvers<Failure>();
  disposed = 0;

  open({ deliveredTo }: { deliveredTo: number }) {
    this.opened.push(deliveredTo);
    return new Promise<never>((resolve) => {
      this.open_();
      this.closed = Promise.withResolvers<Failure>();
      resolve({
        maxReadings: this.maxReadings,
        maxBatches: this.maxBatches,
        paceMs: this.paceMs,
        description: "scripted",
        closed: this.closed.promise,
        deliver: async (
          rows: readonly Row[],
          { past }: { past: boolean },
        ) => {
          const batch = rows.map(({ seq }) => seq);
          this.batches.push(batch);
          if (past) this.past.push(batch);
          return await this.answer(rows, this.batches.length);
        },
        caughtUp: () => void this.caughtUp.push(this.batches.at(-1)?.at(-1)),
        [Symbol.asyncDispose]: () => {
          this.disposed++;
          this.onDispose();
          return Promise.resolve();
        },
      } as never);
    });
  }

  async *check() {}
}

/** Runs a forwarder until everything is delivered. */
async function forwardAll(journal: Journal, sink: Sink): Promise<Forwarder> {
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  await untilDelivered(journal);
  forwarder.stop(AbortSignal.abort());
  await running;
  return forwarder;
}

function createForwarder(
  journal: Journal,
  sink: Sink,
  onCommit: Journal["onCommit"] = (listener) => journal.onCommit(listener),
): Forwarder {
  return new Forwarder({
    sink,
    cursor: journal.cursor("mqtt"),
    backoff: { next: () => 0, reset: () => {} },
    onCommit,
    slowRetryMs: 0,
    parkedRetryMs: 0,
  });
}

/** Lets timers and messages have their turn of the event loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function untilDelivered(journal: Journal): Promise<void> {
  while (journal.cursor("mqtt").waiting > 0) await nextTurn();
  assert.equal(journal.standings()[0]?.imbalance, 0);
}

async function rows(journal: Journal, count: number): Promise<void> {
  await new Writer(journal).append(
    ...Array.from({ length: count }, (_, i) => ({ a: i })),
  );
}

Deno.test("Forwarder tells a session that it has every committed row, and not before", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 250);
  const sink = new ScriptedSink();
  sink.maxBatches = 4;
  await forwardAll(journal, sink);
  assert.deepEqual([...new Set(sink.caughtUp)], [250]);
});

Deno.test("Forwarder delivers in order, each row once while nothing fails", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 250);
  const sink = new ScriptedSink();
  await forwardAll(journal, sink);
  assert.deepEqual(
    sink.batches.flat(),
    Array.from({ length: 250 }, (_, i) => i + 1),
  );
  assert.deepEqual(sink.batches.map((batch) => batch.length), [100, 100, 50]);
  assert.equal(sink.disposed, sink.opened.length);
});

Deno.test("Forwarder has as many batches under way as the session allows, and books them in order", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 100);
  const sink = new ScriptedSink();
  sink.maxBatches = 3;
  sink.maxReadings = 10;
  const gates: PromiseWithResolvers<Outcome>[] = [];
  let most = 0;
  const threeUnderWay = Promise.withResolvers<void>();
  sink.answer = (_, batch) => {
    if (batch > 3) return delivered(10);
    most = gates.push(Promise.withResolvers<Outcome>());
    if (most === 3) threeUnderWay.resolve();
    return gates.at(-1)?.promise ?? delivered(0);
  };
  const done = forwardAll(journal, sink);
  await threeUnderWay.promise;
  gates[2]?.resolve(delivered(10));
  gates[1]?.resolve(delivered(10));
  await nextTurn();
  assert.equal(journal.cursor("mqtt").seq, 0);
  assert.equal(sink.batches.length, 3);
  gates[0]?.resolve(delivered(10));
  await done;
  assert.equal(journal.cursor("mqtt").seq, 100);
});

Deno.test("Forwarder gathers rows that come one by one for a session's pace, but full batches and the end do not wait", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 240);
  const sink = new ScriptedSink();
  sink.paceMs = 1e6;
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  while (sink.batches.length < 3) await nextTurn();
  for (let i = 0; i < 3; i++) {
    await rows(journal, 1);
    await nextTurn();
  }
  // What was there at the start went at once.
  assert.deepEqual(sink.batches.map(({ length }) => length), [100, 100, 40]);
  forwarder.stop(new AbortController().signal);
  await running;
  assert.deepEqual(sink.batches.slice(3), [[241, 242, 243]]);
  assert.equal(journal.cursor("mqtt").seq, 243);
});

Deno.test("Forwarder says that an outage is over while rows that came since keep a session's pace", async () => {
  await using log = await captureLog();
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 40);
  const sink = new ScriptedSink();
  sink.paceMs = 1e6;
  sink.answer = async (batch, count) => {
    if (count === 1) return { ...delivered(0), failure: RETRY };
    // A board that speaks all the time: something always waits.
    await rows(journal, 1);
    return delivered(batch.length);
  };
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  while (journal.cursor("mqtt").seq < 40) await nextTurn();
  await nextTurn();
  assert.equal(journal.cursor("mqtt").waiting, 1);
  assert.match(
    log.lines.at(-1)!,
    /Delivers again after .*: 40 readings kept, all delivered$/,
  );
  forwarder.stop(AbortSignal.abort());
  await running;
});

Deno.test("Forwarder says that an outage is over while something is always under way", async () => {
  await using log = await captureLog();
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 40);
  const sink = new ScriptedSink();
  sink.maxBatches = 2;
  let confirm = () => {};
  sink.answer = async (batch, count) => {
    if (count === 1) return { ...delivered(0), failure: RETRY };
    // A broker far away: a packet is confirmed when the next one is on its way.
    confirm();
    const confirmed = new Promise<void>((resolve) => confirm = resolve);
    if (count < 9) await rows(journal, 1);
    await confirmed;
    return delivered(batch.length);
  };
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  while (sink.batches.length < 9) await nextTurn();
  await nextTurn();
  assert.equal(journal.cursor("mqtt").waiting, 1);
  assert.match(
    log.lines.at(-1)!,
    /Delivers again after .*: 40 readings kept, all delivered$/,
  );
  forwarder.stop(AbortSignal.abort());
  await running;
});

Deno.test("Forwarder gives out a backlog without a pause where the journal gives it in small parts", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path, {
    maxRecentReadings: 1,
  });
  await rows(journal, 2500);
  const sink = new ScriptedSink();
  sink.paceMs = 1e6;
  sink.maxReadings = 5000;
  await forwardAll(journal, sink);
  assert.deepEqual(sink.batches.map(({ length }) => length), [1000, 1000, 500]);
});

Deno.test("Forwarder gives again what a failed session had not delivered", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 30);
  const sink = new ScriptedSink();
  sink.maxReadings = 10;
  sink.maxBatches = 2;
  sink.answer = (batch, count) =>
    count === 2
      ? { done: 4, rejected: [], parked: [], failure: RETRY }
      : delivered(batch.length);
  await forwardAll(journal, sink);
  assert.deepEqual(sink.opened, [0, 14]);
  assert.deepEqual(sink.batches[0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const again = sink.batches.findIndex(([first]) => first === 15);
  assert.ok(again > 1);
  assert.equal(journal.standings()[0]?.ledger.delivered, 30);
});

Deno.test("Forwarder opens again and again while the server is away, and survives a fault of the sink's own", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 3);
  const sink = new ScriptedSink();
  let attempts = 0;
  sink.open_ = () => {
    attempts++;
    if (attempts < 5) throw new SinkError(RETRY);
    if (attempts === 5) throw new TypeError("a fault of ours");
  };
  sink.answer = (batch, count) => {
    if (count === 1) throw new TypeError("another one");
    return delivered(batch.length);
  };
  await forwardAll(journal, sink);
  assert.equal(attempts, 7);
});

Deno.test("Forwarder notices that the link is gone while nothing is to be sent", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 1);
  const sink = new ScriptedSink();
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  await untilDelivered(journal);
  const again = Promise.withResolvers<void>();
  sink.open_ = () => again.resolve();
  sink.closed.resolve(RETRY);
  await again.promise;
  assert.equal(sink.opened.length, 2);
  forwarder.stop(AbortSignal.abort());
  await running;
  assert.equal(sink.disposed, 2);
});

Deno.test("Forwarder keeps everything while it is blocked", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 5);
  const sink = new ScriptedSink();
  let refusals = 0;
  sink.answer = (batch) =>
    refusals++ < 3
      ? {
        done: 0,
        rejected: [],
        parked: [],
        failure: { kind: "blocked", message: "401", hint: "Set the token" },
      }
      : delivered(batch.length);
  await forwardAll(journal, sink);
  assert.equal(journal.standings()[0]?.ledger.delivered, 5);
  assert.deepEqual(journal.standings()[0]?.ledger.dropped, {});
});

Deno.test("Forwarder tries parked readings again until they are taken", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 2);
  const sink = new ScriptedSink();
  let refusals = 0;
  sink.answer = (batch) => {
    if (batch[0]?.seq !== 1 || refusals++ >= 2) {
      return delivered(batch.length);
    }
    const parked = batch.flatMap((row) =>
      row.readings.map((reading) => ({ row, reading, reason: "ACL" }))
    );
    return { done: batch.length, rejected: [], parked };
  };
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  const writer = new Writer(journal);
  while (journal.cursor("mqtt").waiting > 0) {
    await writer.append({});
    await nextTurn();
  }
  // The first batch may hold a row more, without readings.
  const tries = sink.batches.filter(([first]) => first === 1)
    .map((batch) => batch.slice(0, 2));
  assert.deepEqual(tries, [[1, 2], [1, 2], [1, 2]]);
  assert.equal(journal.standings()[0]?.ledger.delivered, 2);
  assert.equal(journal.standings()[0]?.imbalance, 0);
  forwarder.stop(AbortSignal.abort());
  await running;
});

Deno.test("Forwarder delivers what is left when it is asked to stop, and leaves at the deadline", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 300);
  const patient = new ScriptedSink();
  const stopped = createForwarder(journal, patient);
  const first = stopped.run();
  patient.answer = (batch, count) => {
    if (count === 1) stopped.stop(new AbortController().signal);
    return delivered(batch.length);
  };
  await first;
  assert.equal(journal.cursor("mqtt").waiting, 0);

  await new Writer(journal).append({ a: 1 });
  const stuck = new ScriptedSink();
  const deadline = new AbortController();
  const hurried = createForwarder(journal, stuck);
  stuck.answer = () => {
    hurried.stop(deadline.signal);
    deadline.abort();
    return new Promise(() => {});
  };
  await hurried.run();
  assert.equal(stuck.disposed, 1);
  assert.equal(journal.cursor("mqtt").waiting, 1);
});

Deno.test("Forwarder counts what is acknowledged while a session ends", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 5);
  const sink = new ScriptedSink();
  const late = Promise.withResolvers<Outcome>();
  const deadline = new AbortController();
  const forwarder = createForwarder(journal, sink);
  sink.answer = () => {
    forwarder.stop(deadline.signal);
    deadline.abort();
    return late.promise;
  };
  sink.onDispose = () => late.resolve(delivered(5));
  await forwarder.run();
  assert.equal(journal.cursor("mqtt").waiting, 0);
});

Deno.test("Forwarder sends nothing behind a batch that failed while the next was being read", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 2);
  const sink = new ScriptedSink();
  sink.maxReadings = 1;
  sink.maxBatches = 2;
  const first = Promise.withResolvers<Outcome>();
  sink.answer = (batch, count) =>
    count === 1 ? first.promise : delivered(batch.length);
  const cursor = journal.cursor("mqtt");
  const next = cursor.next.bind(cursor);
  cursor.next = async (most) => {
    const found = await next(most);
    if (sink.batches.length === 1) {
      first.resolve({ done: 0, rejected: [], parked: [], failure: RETRY });
      await nextTurn();
    }
    return found;
  };
  await forwardAll(journal, sink);
  assert.deepEqual(sink.batches.slice(0, 2), [[1], [1]]);
  assert.deepEqual(sink.batches.flat(), [1, 1, 2]);
  assert.deepEqual([...new Set(sink.caughtUp)], [2]);
});

Deno.test("Forwarder tries parked readings again while the board is silent", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 1);
  const sink = new ScriptedSink();
  sink.answer = (batch, count) => ({
    done: batch.length,
    rejected: [],
    parked: count > 2
      ? []
      : batch.flatMap((row) =>
        row.readings.map((reading) => ({ row, reading, reason: "ACL" }))
      ),
  });
  const forwarder = createForwarder(journal, sink, () => () => {});
  const running = forwarder.run();
  await untilDelivered(journal);
  forwarder.stop(AbortSignal.abort());
  await running;
  assert.deepEqual(sink.batches, [[1], [1], [1]]);
});

Deno.test("Forwarder leaves at the deadline while the disk keeps it from what is parked", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 1);
  const sink = new ScriptedSink();
  const cursor = journal.cursor("mqtt");
  const asked = Promise.withResolvers<void>();
  cursor.refused.parked = () => {
    asked.resolve();
    return new Promise(() => {});
  };
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  await asked.promise;
  forwarder.stop(AbortSignal.abort());
  await running;
  assert.equal(sink.disposed, 1);
});

Deno.test("Forwarder leaves at the deadline while parked readings are tried", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 1);
  const sink = new ScriptedSink();
  const deadline = new AbortController();
  const forwarder = createForwarder(journal, sink);
  sink.answer = (batch, count) => {
    if (count > 1) {
      forwarder.stop(deadline.signal);
      deadline.abort();
      return new Promise(() => {});
    }
    const parked = batch.flatMap((row) =>
      row.readings.map((reading) => ({ row, reading, reason: "ACL" }))
    );
    return { done: 1, rejected: [], parked };
  };
  const running = forwarder.run();
  while (sink.batches.length < 1) await nextTurn();
  await new Writer(journal).append({ a: 1 });
  await running;
  assert.equal(sink.disposed, 1);
});

Deno.test("Forwarder does not wait for years because a server asks for it", async () => {
  const years = 1e12;
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 1);
  const sink = new ScriptedSink();
  let opens = 0;
  sink.open_ = () => {
    opens++;
    throw new SinkError({ kind: "retry", message: "429", afterMs: years });
  };
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.equal(opens, 1);
  forwarder.stop(AbortSignal.abort());
  await running;
});

Deno.test("Forwarder gives a sink again what a rewind puts back, whatever was under way", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await rows(journal, 40);
  const sink = new ScriptedSink();
  sink.maxReadings = 10;
  sink.maxBatches = 2;
  const late = Promise.withResolvers<Outcome>();
  const stuck = Promise.withResolvers<void>();
  sink.answer = (batch, count) => {
    if (count === 4) stuck.resolve();
    return count === 3 ? late.promise : delivered(batch.length);
  };
  const forwarder = createForwarder(journal, sink);
  const running = forwarder.run();
  await stuck.promise;
  while (journal.cursor("mqtt").seq < 20) await nextTurn();
  await journal.rewind("mqtt", { toUs: 0 });
  late.resolve(delivered(10));
  await untilDelivered(journal);
  forwarder.stop(AbortSignal.abort());
  await running;
  // 21 to 40 were under way: they come twice, and count once.
  const first = sink.batches.findIndex(([seq], index) =>
    seq === 1 && index > 0
  );
  assert.equal(first, 4);
  assert.deepEqual(
    sink.batches.slice(first).flat(),
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
  const [mqtt] = journal.standings();
  assert.deepEqual(
    [mqtt?.ledger.requeued, mqtt?.ledger.delivered],
    [20, 20 + 40],
  );
  assert.equal(forwarder.link.kind, "connected");
});

Deno.test("Forwarder tries parked readings at once when it is asked to", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const sink = new ScriptedSink();
  const forwarder = new Forwarder({
    sink,
    cursor: journal.cursor("mqtt"),
    backoff: { next: () => 0, reset: () => {} },
    onCommit: (listener) => journal.onCommit(listener),
  });
  const running = forwarder.run();
  await rows(journal, 1);
  await untilDelivered(journal);
  const at = { seq: 0, board: "", timeUs: 1, path: "a", value: 7 };
  journal.cursor("mqtt").refused.requeue({ ...at, reason: "by hand" });
  await journal.flush();
  forwarder.tryParkedNow();
  await untilDelivered(journal);
  assert.deepEqual(sink.batches, [[1], [0]]);
  forwarder.stop(AbortSignal.abort());
  await running;
});

Deno.test("Forwarder sends what is live first where the sink wants it, and the past while nothing else is to be sent", async () => {
  await using folder = await makeFolder();
  // The newest of the hundred packets is a second old.
  const now = () => START_US + 101e6;
  await using journal = await openJournal(folder.path, { now });
  const writer = new Writer(journal);
  const packets = Array.from({ length: 100 }, (_, i) => ({ a: i }));
  await writer.append(...packets);
  const sink = new ScriptedSink();
  sink.liveWithinS = 10;
  sink.maxReadings = 45;
  sink.answer = async (rows, batch) => {
    if (batch === 2) await writer.append({ a: 100 }, { a: 101 });
    return delivered(rows.length);
  };
  await forwardAll(journal, sink);
  assert.deepEqual(sink.opened, [90]);
  const ends = (batch: number[]) => [batch[0], batch.at(-1)];
  assert.deepEqual(sink.batches.map(ends), [
    [91, 100],
    [1, 45],
    [101, 102],
    [46, 90],
  ]);
  assert.deepEqual(sink.past.map(ends), [[1, 45], [46, 90]]);
  assert.equal(journal.cursor("mqtt").seq, 102);
});

Deno.test("Forwarder gives the past again after a failure, and never what was delivered live", async () => {
  await using folder = await makeFolder();
  const now = () => START_US + 101e6;
  await using journal = await openJournal(folder.path, { now });
  await rows(journal, 100);
  const sink = new ScriptedSink();
  sink.liveWithinS = 10;
  sink.maxReadings = 45;
  sink.answer = (batch, count) =>
    count === 2
      ? { done: 4, rejected: [], parked: [], failure: RETRY }
      : delivered(batch.length);
  await forwardAll(journal, sink);
  assert.deepEqual(sink.opened, [90, 100]);
  const given = sink.batches.flat().toSorted((a, b) => a - b);
  const again = Array.from({ length: 41 }, (_, i) => 5 + i);
  const all = Array.from({ length: 100 }, (_, i) => 1 + i);
  assert.deepEqual(given, [...all, ...again].toSorted((a, b) => a - b));
  assert.equal(journal.standings()[0]?.ledger.delivered, 100);
});
