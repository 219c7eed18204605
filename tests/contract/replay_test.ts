/**
 * `mqtt.replay` with a real broker: a backlog goes out while new packets come and the link is cut, and
 * a durable subscriber and one that connects again and again look on.
 *
 * `REPLAY_PACKETS=100000 deno test -A tests/contract/replay_test.ts` does it with a large backlog.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MqttConfig } from "../../lib/config/schema.ts";
import { Forwarder } from "../../lib/forwarder/forwarder.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import { makeFolder, openJournal, Writer } from "../journal/world.ts";
import {
  type HeardMessage,
  type Mosquitto,
  requires,
  startMosquitto,
  subscribe,
} from "../servers.ts";
import { mqttSink } from "../sink/given.ts";
import { startTcpProxy } from "../tcp_proxy.ts";

type Replay = MqttConfig["replay"];

const BACKLOG = Number(Deno.env.get("REPLAY_PACKETS") ?? 3_000);
const READINGS = 3;
/** Retained, retained, not retained; each value is the number of its packet. */
const TOPICS = [
  "node1/gas_resistance",
  "node2/pressure",
  "stats/packets_received",
];
const packet = (n: number) => ({ "n1.g": n, "n2.p": n, "sts.rx": n });
const nowUs = () => Date.now() * 1_000;
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** A broker with a durable subscriber, and a journal whose oldest packets are of an hour ago. */
async function makeWorld() {
  const stack = new AsyncDisposableStack();
  // With few messages under way a session can be ended in the midst of a backlog.
  const broker = stack.use(
    await startMosquitto({ conf: ["max_inflight_messages 20"] }),
  );
  const heard = stack.use(
    await subscribe(broker.url, "iiot/#", {
      clientId: "durable",
      retainAsPublished: true,
    }),
  );
  const folder = stack.use(await makeFolder());
  const journal = stack.use(
    await openJournal(folder.path, {
      now: nowUs,
      maxBytes: 256 * 1024 * 1024,
      sinks: [{ name: "mqtt", target: "t", startAt: "oldest" }],
    }),
  );
  const old = new Writer(journal, "", nowUs() - 3_600e6 - BACKLOG * 1e6);
  const live = new Writer(journal, "", nowUs());
  let written = 0;
  const write = async (writer: Writer, count: number) => {
    await writer.append(...range(written + 1, written += count).map(packet));
  };
  for (let left = BACKLOG; left > 0; left -= 5_000) {
    await write(old, Math.min(left, 5_000));
  }
  return {
    broker,
    journal,
    heard,
    /** Writes a packet of now. */
    write: () => write(live, 1),
    get written() {
      return written;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Runs a forwarder to `url` until `done`. */
async function forward(
  journal: Journal,
  url: string,
  replay: Replay,
  done: () => Promise<void>,
): Promise<void> {
  const sink = mqttSink(url, { replay, ack_timeout_s: 15 }, {
    isNewest: (row, path) => journal.isNewest(row, path),
    latest: () => journal.latest(),
    now: nowUs,
  });
  const forwarder = new Forwarder({
    sink,
    cursor: journal.cursor("mqtt"),
    backoff: { next: () => 1, reset: () => {} },
    onCommit: (listener) => journal.onCommit(listener),
    slowRetryMs: 1,
    longestPauseMs: 1,
  });
  const running = forwarder.run();
  try {
    await done();
  } finally {
    forwarder.stop(AbortSignal.abort());
    await running;
  }
}

const turn = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));
const stats = (journal: Journal) => {
  const { ledger, waiting, imbalance } = journal.standings()[0]!;
  assert.equal(imbalance, 0);
  return { ledger, waiting };
};

/** Subscribes again and again until `over`; each topic's retained values in the order they were seen. */
async function watchRetained(
  { url }: Mosquitto,
  over: () => boolean,
): Promise<Map<string, number[]>> {
  const seen = new Map<string, number[]>();
  for (let last = false; !last;) {
    last = over();
    await using subscription = await subscribe(url, "iiot/#");
    await turn(20);
    for (const { topic, payload, retain } of subscription.messages) {
      if (!retain) continue;
      const values = seen.get(topic) ?? [];
      seen.set(topic, [...values, Number(payload)]);
    }
  }
  return seen;
}

/** Values by topic, the first time that each was heard; of history topics their JSON's. */
function firstHeard(messages: readonly HeardMessage[]): Map<string, number[]> {
  const heard = new Map<string, Set<number>>();
  for (const { topic, payload } of messages) {
    let values = heard.get(topic);
    if (values === undefined) heard.set(topic, values = new Set());
    values.add(
      topic.startsWith("iiot/history/")
        ? JSON.parse(payload).value
        : Number(payload),
    );
  }
  return new Map([...heard].map(([topic, values]) => [topic, [...values]]));
}

const isSorted = (values: readonly number[]) =>
  values.every((value, i) => i === 0 || value > values[i - 1]!);

for (const replay of ["all", "live_first", "latest"] as const) {
  Deno.test({
    name:
      `MqttSink replays a backlog with replay = "${replay}" through a link that is cut, and no retained value goes back`,
    ...requires("mosquitto"),
    fn: async () => {
      await using world = await makeWorld();
      const { broker, journal, heard, write } = world;
      await using proxy = await startTcpProxy(broker.port);
      let over = false;
      const watching = watchRetained(broker, () => over);
      const url = `mqtt://127.0.0.1:${proxy.port}`;
      const start = performance.now();
      await forward(journal, url, replay, async () => {
        for (const left of [0.8, 0.6, 0.4]) {
          while (stats(journal).waiting > left * READINGS * BACKLOG) {
            await turn();
          }
          await proxy.cut();
          await write();
          await proxy.mend();
          // Until the link is there again: what the proxy has half opened it does not cut.
          const { delivered } = stats(journal).ledger;
          while (stats(journal).ledger.delivered === delivered) await turn();
        }
        for (let i = 0; i < 10 || stats(journal).waiting > 0; i++) {
          await write();
          await turn(20);
        }
      });
      const tookMs = Math.round(performance.now() - start);
      over = true;
      const retained = await watching;
      const { ledger, waiting } = stats(journal);
      const { written } = world;
      assert.equal(waiting, 0);
      assert.equal(ledger.received, READINGS * written);
      const superseded = ledger.dropped.superseded ?? 0;
      assert.deepEqual(
        ledger.dropped,
        replay === "latest" ? { superseded } : {},
      );
      assert.equal(ledger.delivered, READINGS * written - superseded);

      for (const values of retained.values()) {
        assert.ok(values.every((v, i) => i === 0 || v >= values[i - 1]!));
        assert.equal(values.at(-1), written);
      }
      assert.deepEqual(
        [...retained.keys()].sort(),
        TOPICS.slice(0, 2).map((topic) => `iiot/${topic}`),
      );

      await heard.waitFor(ledger.delivered, 120_000);
      await turn(50);
      for (const topic of TOPICS) {
        const kept = heard.messages
          .filter((one) => one.retain && one.topic === `iiot/${topic}`)
          .map(({ payload }) => Number(payload));
        assert.ok(kept.every((v, i) => i === 0 || v >= kept[i - 1]!), topic);
        assert.equal(
          kept.at(-1),
          topic.startsWith("stats") ? undefined : written,
        );
      }
      const topics = firstHeard(heard.messages);
      let live = 0;
      let past = 0;
      for (const topic of TOPICS) {
        const now = topics.get(`iiot/${topic}`) ?? [];
        const then = topics.get(`iiot/history/${topic}`) ?? [];
        live += now.length;
        past += then.length;
        assert.ok(isSorted(now), `${topic}: ${now.slice(0, 20)}`);
        assert.ok(isSorted(then));
        assert.deepEqual(
          now.slice(BACKLOG - written),
          range(BACKLOG + 1, written),
        );
        if (replay === "all") assert.deepEqual(now, range(1, written));
        if (replay === "live_first") {
          assert.deepEqual(then.slice(0, BACKLOG), range(1, BACKLOG));
        }
      }
      if (replay === "latest") {
        assert.equal(live, ledger.delivered);
        assert.ok(live < READINGS * (written - BACKLOG + 20), `${live}`);
      }
      if (Deno.env.get("REPLAY_PACKETS") === undefined) return;
      // deno-lint-ignore no-console -- by hand, with a large backlog, these figures are what it is for
      console.info(
        `${replay}: ${written} packets in ${tookMs} ms; heard ${heard.messages.length}, ` +
          `on live topics ${live} values, in history ${past}; ${
            JSON.stringify(ledger.dropped)
          }`,
      );
    },
  });
}

Deno.test({
  name: "MqttSink loses nothing when mqtt.replay is another one at each start",
  ...requires("mosquitto"),
  fn: async () => {
    await using world = await makeWorld();
    const { broker, journal, heard, write } = world;
    const modes: Replay[] = ["live_first", "all", "live_first", "latest"];
    for (const replay of modes) {
      await write();
      const before = stats(journal).ledger.delivered;
      const enough = replay === "latest" ? Infinity : before + BACKLOG / 2;
      await forward(journal, broker.url, replay, async () => {
        for (
          let s = stats(journal);
          s.waiting > 0 && s.ledger.delivered < enough;
          s = stats(journal)
        ) await turn();
      });
    }
    const { ledger, waiting } = stats(journal);
    assert.equal(waiting, 0);
    const superseded = ledger.dropped.superseded ?? 0;
    assert.ok(superseded > 0);
    assert.deepEqual(ledger.dropped, { superseded });
    assert.equal(ledger.delivered + superseded, READINGS * world.written);
    await heard.waitFor(ledger.delivered);
    await turn(50);
    const topics = firstHeard(heard.messages);
    const distinct = TOPICS.map((topic) =>
      new Set([
        ...topics.get(`iiot/${topic}`) ?? [],
        ...topics.get(`iiot/history/${topic}`) ?? [],
      ]).size
    );
    assert.ok(
      distinct[0]! + distinct[1]! + distinct[2]! >= ledger.delivered,
      `${distinct}, ${ledger.delivered}`,
    );
  },
});

for (const replay of ["all", "live_first", "latest"] as const) {
  Deno.test({
    name:
      `MqttSink tells a broker that has lost its memory the newest value of each topic, with replay = "${replay}"`,
    ...requires("mosquitto"),
    fn: async () => {
      await using broker = await startMosquitto({
        conf: ["persistence false"],
      });
      await using folder = await makeFolder();
      await using journal = await openJournal(folder.path, { now: nowUs });
      const old = new Writer(journal, "", nowUs() - 3_600e6);
      const live = new Writer(journal, "", nowUs());
      const retained = async () => {
        await using heard = await subscribe(broker.url, "#");
        await heard.waitFor(2);
        await turn(20);
        return heard.messages.map(({ payload }) => Number(payload)).sort();
      };
      await old.append({ "n1.g": 1, "n2.p": 1 });
      await forward(journal, broker.url, replay, async () => {
        while (stats(journal).waiting > 0) await turn();
        assert.deepEqual(await retained(), [1, 1]);
        await broker.stop();
        // The pressure is not heard of again.
        await old.append({ "n1.g": 2 }, { "n1.g": 3 });
        await broker.start();
        while (stats(journal).waiting > 0) await turn();
        assert.deepEqual(await retained(), [1, 3]);
        await live.append({ "n1.g": 4 });
        while (stats(journal).waiting > 0) await turn();
        assert.deepEqual(await retained(), [1, 4]);
      });
    },
  });
}
