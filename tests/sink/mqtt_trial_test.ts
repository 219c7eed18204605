import assert from "node:assert/strict";
import type { MqttConfig } from "../../lib/config/schema.ts";
import type { Row } from "../../lib/model.ts";
import type { MqttSink } from "../../lib/sink/mqtt.ts";
import { MqttTrial } from "../../lib/sink/mqtt_trial.ts";
import type { Failure, Refusal } from "../../lib/sink/sink.ts";
import { requires, startMosquitto, subscribe } from "../servers.ts";
import { fullRows, mqttSink, open, row } from "./given.ts";
import { type BrokerScript, startScriptedBroker } from "./scripted_broker.ts";

const M = { key: "7 n1.t", topic: "t" };
const NEXT = { key: "7 n1.h", topic: "h" };

/** A trial whose clock the test moves; two losses with the same head have been. */
function suspicious() {
  const clock = { ms: 0 };
  const trial = new MqttTrial(() => clock.ms);
  assert.equal(trial.lost("7"), "unexplained");
  assert.equal(trial.careful, false);
  assert.equal(trial.lost("7"), "suspected");
  assert.equal(trial.careful, true);
  return { trial, clock };
}

Deno.test("MqttTrial suspects nobody for losses over different rows, or while nothing was under way", () => {
  const trial = new MqttTrial(() => 0);
  for (const head of ["1", "2", undefined, undefined, "2", "3", "2"]) {
    assert.equal(trial.lost(head), "unexplained");
    assert.equal(trial.idle, true);
  }
});

Deno.test("MqttTrial condemns after three drops of three, once the next message has passed", () => {
  const { trial } = suspicious();
  for (let i = 0; i < 3; i++) {
    assert.equal(trial.judge(M), "send");
    assert.equal(trial.dropped(M, 2_000), "suspected");
  }
  assert.equal(trial.judge(M), "hold");
  assert.equal(trial.judge(NEXT), "send");
  trial.passed(NEXT);
  assert.equal(trial.judge(M), "reject");
  trial.condemned(M);
  assert.equal(trial.judge(M), "send");
});

Deno.test("MqttTrial acquits a message that has passed once, and one that drops late", () => {
  for (
    const acquit of [
      (trial: MqttTrial) => trial.passed(M),
      (trial: MqttTrial) => trial.dropped(M, 2_001),
      (trial: MqttTrial) => trial.silent(),
    ]
  ) {
    const { trial } = suspicious();
    trial.dropped(M, 0);
    trial.dropped(M, 0);
    acquit(trial);
    trial.dropped(M, 0);
    assert.equal(trial.judge(M), "send");
    trial.dropped(M, 0);
    trial.dropped(M, 0);
    assert.equal(trial.judge(M), "hold");
  }
});

Deno.test("MqttTrial blames no message when the next one drops the link as well", () => {
  const { trial } = suspicious();
  for (let i = 0; i < 3; i++) trial.dropped(M, 0);
  assert.equal(trial.dropped(NEXT, 0), "any message");
  assert.equal(trial.idle, true);
  assert.equal(trial.judge(M), "send");
});

Deno.test("MqttTrial shuts a topic for five minutes after two condemned messages, until one passes", () => {
  const { trial, clock } = suspicious();
  for (const key of ["7 n1.t", "8 n1.t"]) {
    const message = { key, topic: "t" };
    for (let i = 0; i < 3; i++) trial.dropped(message, 0);
    trial.passed({ key: `${key[0]} n1.h`, topic: "h" });
    assert.equal(trial.judge(message), "reject");
    trial.condemned(message);
  }
  const third = { key: "9 n1.t", topic: "t" };
  assert.equal(trial.judge(third), "park");
  clock.ms += 300_000;
  assert.equal(trial.judge(third), "send");
  assert.equal(trial.dropped(third, 0), "suspected");
  assert.equal(trial.judge(third), "park");
  clock.ms += 300_000;
  trial.passed(third);
  assert.equal(trial.judge({ key: "10 n1.t", topic: "t" }), "send");
});

Deno.test("MqttTrial is careful no longer than 500 messages, and 50 behind the one that was meant", () => {
  for (const [key, messages] of [["1 n1.t", 500], ["7 n1.h", 50]] as const) {
    const { trial } = suspicious();
    if (messages === 50) trial.passed(M);
    for (let i = 0; i < messages; i++) {
      assert.equal(trial.careful, true);
      trial.passed({ key, topic: "t" });
    }
    assert.equal(trial.careful, false);
  }
});

/** Sends rows, two batches of three at a time, through as many sessions as it takes. */
async function sendAll(sink: MqttSink, rows: readonly Row[]) {
  const rejected: Refusal[] = [];
  const parked: Refusal[] = [];
  const failures: Failure[] = [];
  let left = rows;
  while (left.length > 0) {
    assert.ok(failures.length < 40, `${failures.at(-1)?.message}`);
    await using session = await open(sink);
    for (let failure: Failure | undefined; left.length > 0 && !failure;) {
      const batches = [left.slice(0, 3), left.slice(3, 6)]
        .filter((batch) => batch.length > 0);
      const outcomes = await Promise.all(
        batches.map((batch) => session.deliver(batch)),
      );
      for (const outcome of outcomes) {
        if (failure !== undefined) break;
        left = left.slice(outcome.done);
        rejected.push(...outcome.rejected);
        parked.push(...outcome.parked);
        failure = outcome.failure;
      }
      if (failure !== undefined) failures.push(failure);
    }
  }
  return { rejected, parked, failures };
}

const names = (refusals: readonly Refusal[]) =>
  refusals.map(({ row, reading }) => `${row.seq} ${reading.path}`);

async function withBroker(
  script: BrokerScript,
  config: Partial<MqttConfig>,
  rows: readonly Row[],
) {
  await using broker = startScriptedBroker(script);
  const sent = await sendAll(mqttSink(broker.url, config), rows);
  return { ...sent, published: broker.published };
}

const at5 = (topic: string, payload: string) =>
  topic === "iiot/node1/temperature" && payload === "0.5";

for (const connack5 of [0, 1]) {
  const version = connack5 === 0 ? "MQTT 5" : "MQTT 3.1.1";
  Deno.test(`MqttSink rejects the one message that a broker hangs up at, and sends the rest (${version})`, async () => {
    const { rejected, parked, failures, published } = await withBroker(
      {
        connack5,
        at: ({ topic, payload }) => at5(topic, payload) ? "close" : undefined,
      },
      {},
      fullRows(1, 12),
    );
    assert.deepEqual(names(rejected), ["5 n1.t"]);
    assert.match(rejected[0]!.reason, /hangs up at this message and takes/);
    assert.deepEqual(parked, []);
    assert.ok(failures.every(({ kind }) => kind === "retry"));
    // Two losses, and three of three, each just after a sign of life.
    assert.equal(failures.length, 5);
    const tries = published.filter(({ topic, payload }) => at5(topic, payload));
    assert.deepEqual(
      tries.map(({ afterPing }) => afterPing),
      [false, false, true, true, true],
    );
    const heard = new Set(
      published.map(({ topic, payload }) => `${topic} ${payload}`),
    );
    assert.equal(heard.size, 9 * 12);
  });
}

for (const code of [0x95, 0x96]) {
  // MQTT 5 has no such PUBREC; mosquitto sends it all the same, and MQTT.js gives the link up.
  Deno.test(`MqttSink rejects the one message with PUBREC ${code} at QoS 2, and sends the rest`, async () => {
    const { rejected, parked, failures, published } = await withBroker(
      { puback: (topic, payload) => at5(topic, payload) ? code : 0 },
      { qos: 2 },
      fullRows(1, 12),
    );
    assert.deepEqual(names(rejected), ["5 n1.t"]);
    assert.deepEqual(parked, []);
    assert.match(
      failures[0]!.message,
      /is lost: Invalid pubrec reason code$/,
    );
    const heard = new Set(
      published.map(({ topic, payload }) => `${topic} ${payload}`),
    );
    assert.equal(heard.size, 9 * 12);
  });
}

Deno.test("MqttSink rejects the one message at which a broker ends the session with a reason", async () => {
  const { rejected, failures } = await withBroker(
    { at: ({ topic, payload }) => at5(topic, payload) ? 0x95 : undefined },
    {},
    fullRows(1, 12),
  );
  assert.deepEqual(names(rejected), ["5 n1.t"]);
  assert.match(failures[0]!.message, /"Packet too large" \(0x95\)/);
});

Deno.test("MqttSink sets the messages of a topic aside that a broker always hangs up at, and sends the rest", async () => {
  const pressure = "iiot/node2/pressure";
  const shut = await withBroker(
    { at: ({ topic }) => topic === pressure ? "close" : undefined },
    {},
    fullRows(1, 12),
  );
  assert.deepEqual(names(shut.rejected), ["1 n2.p", "2 n2.p"]);
  assert.deepEqual(
    names(shut.parked),
    Array.from({ length: 10 }, (_, i) => `${3 + i} n2.p`),
  );
  const others = shut.published.filter(({ topic }) => topic !== pressure);
  const heard = new Set(others.map((one) => `${one.topic} ${one.payload}`));
  assert.equal(heard.size, 8 * 12);
});

Deno.test("MqttSink tells a killing value again to nobody once it is proven", async () => {
  const latest = [{ seq: 5, board: "", path: "n1.t", value: 0.5, timeUs: 0 }];
  await using broker = startScriptedBroker({
    at: ({ topic, payload }) => at5(topic, payload) ? "close" : undefined,
  });
  const sink = mqttSink(broker.url, {}, { latest: () => latest });
  const rows = fullRows(6, 6);
  const again: Row[] = [];
  for (let sessions = 0; again.length < rows.length; sessions++) {
    assert.ok(sessions < 20);
    await using session = await open(sink, { deliveredTo: 5 });
    const { done, rejected } = await session.deliver(rows.slice(again.length));
    again.push(...rows.slice(again.length, again.length + done));
    assert.deepEqual(rejected, []);
  }
});

Deno.test("MqttSink is blocked, and rejects nothing, where a broker hangs up at different messages", async () => {
  await using broker = startScriptedBroker({ at: () => "close" });
  const sink = mqttSink(broker.url);
  const kinds: string[] = [];
  for (let i = 0; i < 6; i++) {
    await using session = await open(sink);
    const outcome = await session.deliver(fullRows(1, 2));
    assert.deepEqual([outcome.done, outcome.rejected, outcome.parked], [
      0,
      [],
      [],
    ]);
    kinds.push(outcome.failure!.kind);
    if (outcome.failure?.kind !== "blocked") continue;
    assert.match(outcome.failure.message, /hangs up at different messages/);
    assert.match(outcome.failure.hint, /broker's log.*"mqtt\.retain"/);
  }
  assert.deepEqual(kinds, [...Array(5).fill("retry"), "blocked"]);
});

Deno.test("MqttSink condemns no message over a link that drops by chance", async () => {
  for (const qos of [0, 1] as const) {
    let seed = 7;
    let left = 20;
    const { rejected, parked } = await withBroker(
      {
        at: () => {
          if (left-- > 0) return undefined;
          // A linear congruential generator (Numerical Recipes): the same drops at every run.
          seed = (1_664_525 * seed + 1_013_904_223) % 2 ** 32;
          left = 5 + Math.floor(seed / 2 ** 32 * 60);
          return "close";
        },
      },
      { qos },
      fullRows(1, 60),
    );
    assert.deepEqual([rejected, parked], [[], []]);
  }
});

Deno.test("MqttSink sets the last message aside that it has, and rejects it once another one has passed", async () => {
  await using broker = startScriptedBroker({
    at: ({ payload }) => payload === "666" ? "close" : undefined,
  });
  const sink = mqttSink(broker.url);
  const bad = row(1, { "n1.g": 666 });
  for (let i = 0; i < 5; i++) {
    await using session = await open(sink);
    assert.equal((await session.deliver([bad])).failure?.kind, "retry");
  }
  await using session = await open(sink);
  const aside = await session.deliver([bad]);
  assert.deepEqual([aside.done, names(aside.parked)], [1, ["1 n1.g"]]);
  assert.equal((await session.deliver([row(2, { "n1.g": 2 })])).done, 1);
  assert.deepEqual(names((await session.deliver([bad])).rejected), ["1 n1.g"]);
});

Deno.test({
  name: "MqttSink rejects on mosquitto what is larger than it takes, MQTT 5",
  ...requires("mosquitto"),
  async fn() {
    await using broker = await startMosquitto({
      conf: ["message_size_limit 8"],
    });
    await using heard = await subscribe(broker.url, "#");
    const rows = [
      ...fullRows(1, 3),
      row(4, { "n1.t": 4, "n1.g": 123456.789, "n1.h": 4 }),
      ...fullRows(5, 3),
    ];
    const { rejected, parked } = await sendAll(mqttSink(broker.url), rows);
    assert.deepEqual([names(rejected), parked], [["4 n1.g"], []]);
    const messages = await heard.waitFor(6 * 9 + 2);
    const distinct = new Set(messages.map((one) => one.topic + one.payload));
    assert.equal(distinct.size, 6 * 9 + 2);
  },
});

Deno.test({
  name:
    "MqttSink sets aside at QoS 0 what mosquitto hangs up at, and sends the rest",
  ...requires("mosquitto"),
  async fn() {
    const rules = await Deno.makeTempFile();
    try {
      const allowed = ["node1/#", "node2/temperature", "signal/#", "stats/#"];
      await Deno.writeTextFile(
        rules,
        ["topic read #", ...allowed.map((one) => `topic readwrite iiot/${one}`)]
          .join("\n") + "\n",
      );
      // With no limit for its queues mosquitto 2.0.11 hangs up where it denies; else it says nothing.
      await using broker = await startMosquitto({
        conf: [`acl_file ${rules}`, "max_queued_messages 0"],
      });
      await using heard = await subscribe(broker.url, "iiot/stats/crc_errors");
      const sink = mqttSink(broker.url, { qos: 0 });
      const rows = fullRows(1, 12);
      // At QoS 0 a message is done when it is written: two rows go before the suspicion is there.
      for (const first of rows.splice(0, 2)) {
        await using session = await open(sink);
        assert.equal((await session.deliver([first])).done, 1);
        assert.equal((await session.closed).kind, "retry");
      }
      const { rejected, parked } = await sendAll(sink, rows);
      assert.deepEqual(names(rejected), ["3 n2.p", "4 n2.p"]);
      const later = Array.from({ length: 8 }, (_, i) => `${5 + i} n2.p`);
      assert.deepEqual(names(parked), later);
      const values = (await heard.waitFor(10)).map(({ payload }) => payload);
      assert.deepEqual(values, rows.map(({ seq }) => String(seq)));
    } finally {
      await Deno.remove(rules);
    }
  },
});
