/**
 * What holds for every sink (`lib/sink/sink.ts`), tried on each with the servers it is made for.
 *
 * @module
 */

import assert from "node:assert/strict";
import { startBroker } from "../../lib/broker.ts";
import type { Row } from "../../lib/model.ts";
import {
  type Outcome,
  type Sink,
  SinkError,
  type SinkSession,
} from "../../lib/sink/sink.ts";
import {
  DEAD_PORT,
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
  type Subscription,
} from "../servers.ts";
import { fullRows, influxdbSink, mqttSink, open } from "../sink/given.ts";
import { startTcpProxy, type TcpProxy } from "../tcp_proxy.ts";

/** A sink with its server, behind a proxy that can fail. */
interface Rig extends AsyncDisposable {
  readonly sink: Sink;
  readonly proxy: TcpProxy;
  /** Stops the server itself where it keeps what it has acknowledged, else cuts the way to it. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Values of `n1.g` in the order of arrival, once 1 to `last` are all among them. */
  received(last: number): Promise<number[]>;
}

interface Subject {
  readonly name: string;
  readonly programs: readonly string[];
  readonly sinkAt: (port: number) => Sink;
  readonly rig: () => Promise<Rig>;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const mqttAt = (port: number) => mqttSink(`mqtt://127.0.0.1:${port}`);
const influxdbAt = (port: number) => influxdbSink(`http://127.0.0.1:${port}`);

/** CONNACK of a broker that speaks MQTT 3.1.1 only, as an answer to MQTT 5. */
function refuseMqtt5(first: Uint8Array): Uint8Array | undefined {
  const CONNECT = 0x10;
  return first[0] === CONNECT && first[8] === 5
    ? Uint8Array.of(0x20, 2, 0, 1)
    : undefined;
}

/** The values heard, once 1 to `last` are all among them; after a restart some come twice. */
async function hear(heard: Subscription, last: number): Promise<number[]> {
  const missing = new Set(range(1, last));
  for (let from = 0; missing.size > 0;) {
    await heard.waitFor(from + 1);
    for (const { payload } of heard.messages.slice(from)) {
      missing.delete(Number(payload));
    }
    from = heard.messages.length;
  }
  return heard.messages.map(({ payload }) => Number(payload));
}

async function mosquittoRig(version: 4 | 5): Promise<Rig> {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(await startMosquitto());
  const proxy = stack.use(
    await startTcpProxy(
      broker.port,
      version === 5 ? {} : { answerInstead: refuseMqtt5 },
    ),
  );
  // Its client id makes the broker keep for it what comes while it is away.
  const heard = stack.use(
    await subscribe(broker.url, "iiot/node1/gas_resistance", {
      clientId: "reader",
    }),
  );
  return {
    sink: mqttAt(proxy.port),
    proxy,
    stop: () => broker.stop(),
    start: () => broker.start(),
    received: (last) => hear(heard, last),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function embeddedRig(): Promise<Rig> {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(await startBroker({ host: "127.0.0.1", port: 0 }));
  const proxy = stack.use(await startTcpProxy(broker.port));
  const heard = stack.use(
    await subscribe(broker.url, "iiot/node1/gas_resistance", {
      protocolVersion: 4,
    }),
  );
  return {
    sink: mqttAt(proxy.port),
    proxy,
    stop: () => proxy.cut(),
    start: () => proxy.mend(),
    received: (last) => hear(heard, last),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function victoriaMetricsRig(): Promise<Rig> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await startVictoriaMetrics());
  const proxy = stack.use(await startTcpProxy(database.port));
  return {
    sink: influxdbAt(proxy.port),
    proxy,
    stop: () => database.stop(),
    start: () => database.start(),
    received: async (last) => {
      const points = (await database.export()).filter(({ name }) =>
        name.startsWith("gas")
      );
      assert.ok(
        points.length >= last,
        `Only ${points.length} of ${last} points are there`,
      );
      return points.sort((a, b) => a.timeMs - b.timeMs).map(({ value }) =>
        value
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "MqttSink on mosquitto with MQTT 5",
    programs: ["mosquitto"],
    sinkAt: mqttAt,
    rig: () => mosquittoRig(5),
  },
  {
    name: "MqttSink on mosquitto with MQTT 3.1.1",
    programs: ["mosquitto"],
    sinkAt: mqttAt,
    rig: () => mosquittoRig(4),
  },
  {
    name: "MqttSink on the embedded broker",
    programs: [],
    sinkAt: mqttAt,
    rig: embeddedRig,
  },
  {
    name: "InfluxdbSink on VictoriaMetrics",
    programs: ["victoria-metrics"],
    sinkAt: influxdbAt,
    rig: victoriaMetricsRig,
  },
];

/** Delivers `rows` as fast as the session allows, until all are done or one batch fails. */
async function deliverAll(
  session: SinkSession,
  rows: readonly Row[],
  onOutcome: (outcome: Outcome) => void = () => {},
): Promise<{ done: number; failures: Outcome[] }> {
  const rowsPerBatch = Math.max(1, Math.floor(session.maxReadings / 9));
  const underWay: Promise<Outcome>[] = [];
  const failures: Outcome[] = [];
  let next = 0;
  let done = 0;
  while (underWay.length > 0 || (next < rows.length && failures.length === 0)) {
    while (
      underWay.length < session.maxBatches && next < rows.length &&
      failures.length === 0
    ) {
      const batch = rows.slice(next, next + rowsPerBatch);
      next += batch.length;
      underWay.push(session.deliver(batch));
    }
    const outcome = await underWay.shift()!;
    if (failures.length === 0) done += outcome.done;
    if (outcome.failure !== undefined) failures.push(outcome);
    onOutcome(outcome);
  }
  return { done, failures };
}

for (const { name, programs, sinkAt, rig: makeRig } of SUBJECTS) {
  const test = (what: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${name} ${what}`, ...requires(...programs), fn });

  test("delivers what it reports, in order", async () => {
    await using rig = await makeRig();
    await using session = await open(rig.sink);
    const { done, failures } = await deliverAll(session, fullRows(1, 1_200));
    assert.deepEqual(failures, []);
    assert.equal(done, 1_200);
    assert.deepEqual(await rig.received(1_200), range(1, 1_200));
  });

  test("gives outcomes in the order of the batches, and none but the whole", async () => {
    await using rig = await makeRig();
    await using session = await open(rig.sink);
    const order: number[] = [];
    const rows = fullRows(1, session.maxBatches);
    const outcomes = await Promise.all(rows.map(async (row, index) => {
      const outcome = await session.deliver([row]);
      order.push(index);
      return outcome;
    }));
    assert.deepEqual(order, rows.map((_, index) => index));
    for (const outcome of outcomes) {
      assert.deepEqual(outcome, { done: 1, rejected: [], parked: [] });
    }
  });

  test("counts nothing as done that a stopped server has not acknowledged", async () => {
    await using rig = await makeRig();
    await using session = await open(rig.sink);
    let stopped: Promise<void> | undefined;
    const { done, failures } = await deliverAll(
      session,
      fullRows(1, 1_000_000),
      () => {
        stopped ??= rig.stop();
      },
    );
    await stopped;
    assert.equal(failures[0]?.failure?.kind, "retry");
    for (const { done, rejected, parked } of failures.slice(1)) {
      assert.deepEqual({ done, rejected, parked }, {
        done: 0,
        rejected: [],
        parked: [],
      });
    }
    assert.ok(done > 0);
    await rig.start();
    const received = new Set(await rig.received(done));
    assert.deepEqual(range(1, done).filter((seq) => !received.has(seq)), []);
  });

  test("delivers the rest in a new session, once the server is back", async () => {
    await using rig = await makeRig();
    let done = 0;
    {
      await using session = await open(rig.sink);
      done = (await deliverAll(session, fullRows(1, 50))).done;
      await rig.stop();
      const { failures } = await deliverAll(session, fullRows(51, 50));
      assert.equal(failures[0]?.failure?.kind, "retry");
      assert.equal(failures[0]?.done, 0);
    }
    await assert.rejects(open(rig.sink), SinkError);
    await rig.start();
    await using session = await open(rig.sink);
    assert.equal((await deliverAll(session, fullRows(done + 1, 50))).done, 50);
    assert.deepEqual(
      [...new Set(await rig.received(100))].sort((a, b) => a - b),
      range(1, 100),
    );
  });

  test("refuses one reading without a metric and delivers those beside it", async () => {
    await using rig = await makeRig();
    await using session = await open(rig.sink);
    const [good] = fullRows(1, 1);
    const odd = {
      ...good!,
      readings: [{ path: "x.y", value: 1 }, ...good!.readings],
    };
    assert.deepEqual(await session.deliver([odd]), {
      done: 1,
      rejected: [{
        row: odd,
        reading: odd.readings[0],
        reason: 'No metric for path "x.y"',
      }],
      parked: [],
    });
    assert.deepEqual(await rig.received(1), [1]);
  });

  test("comes back by its deadline when the server falls silent", async () => {
    await using rig = await makeRig();
    await using session = await open(rig.sink);
    rig.proxy.swallow("toClient");
    const start = performance.now();
    const outcome = await session.deliver(fullRows(1, 3));
    assert.ok(performance.now() - start < 4_000);
    assert.equal(outcome.done, 0);
    assert.equal(outcome.failure?.kind, "retry");
    assert.match(outcome.failure?.message ?? "", /1 s/);
  });

  test("leaves nothing behind when it is disposed of with rows under way", async () => {
    await using rig = await makeRig();
    const session = await open(rig.sink);
    rig.proxy.swallow("toClient");
    const outcome = session.deliver(fullRows(1, 3));
    const start = performance.now();
    await session[Symbol.asyncDispose]();
    assert.ok(performance.now() - start < 1_000);
    assert.equal((await outcome).done, 0);
    assert.equal((await outcome).failure?.kind, "retry");
  });

  test("throws a SinkError that passes when nothing listens", async () => {
    const port = DEAD_PORT;
    const sink = sinkAt(port);
    const start = performance.now();
    await assert.rejects(open(sink), (error: unknown) => {
      assert.ok(error instanceof SinkError);
      assert.equal(error.failure.kind, "retry");
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
      return true;
    });
    assert.ok(performance.now() - start < 3_000);
  });

  test("throws by its deadline when a server takes the connection and never answers", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const start = performance.now();
    await assert.rejects(open(sinkAt(listener.addr.port)), (error: unknown) => {
      assert.ok(error instanceof SinkError);
      assert.equal(error.failure.kind, "retry");
      assert.match(error.message, /within 1 s/);
      return true;
    });
    assert.ok(performance.now() - start < 3_000);
  });

  test("stops connecting when the gateway stops", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const stop = new AbortController();
    const opening = sinkAt(listener.addr.port).open({
      signal: stop.signal,
      deliveredTo: 0,
      isDone: () => false,
    });
    stop.abort();
    await assert.rejects(opening, SinkError);
  });
}
