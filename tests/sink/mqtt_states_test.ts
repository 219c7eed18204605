import assert from "node:assert/strict";
import { startBroker } from "../../lib/broker.ts";
import { SinkError } from "../../lib/sink/sink.ts";
import { requires, startMosquitto, subscribe } from "../servers.ts";
import { captureLog } from "../source/log_capture.ts";
import { eventually } from "../e2e/gateway_process.ts";
import { findings, fullRows, mqttSink, open, row } from "./given.ts";
import { startScriptedBroker } from "./scripted_broker.ts";
import { FakeFeed } from "./state_feed.ts";

const WILL = {
  topic: "iiot/gateway/state",
  payload: "offline",
  qos: 1,
  retain: true,
};
const NO_RETAIN = [0x25, 0];
const RECEIVE_MAXIMUM_3 = [0x21, 0, 3];

const feed = () => new FakeFeed({ "board/state": "running" });
const isState = ({ topic }: { topic: string }) => topic.endsWith("/state");
/** `TOPIC TEXT` of the state messages. */
const told = (published: readonly { topic: string; payload: string }[]) =>
  published.filter(isState).map(({ topic, payload }) => `${topic} ${payload}`);

Deno.test("MqttSink leaves a last will, tells the states retained, and says offline before it goes", async () => {
  await using broker = startScriptedBroker({});
  const states = feed();
  {
    await using session = await open(mqttSink(broker.url, {}, { states }));
    assert.equal((await session.deliver(fullRows(1, 2))).done, 2);
    await eventually("both are told", () => told(broker.published).length >= 2);
    states.set("board/state", "stopped");
  }
  assert.deepEqual(broker.wills, [WILL]);
  assert.deepEqual(told(broker.published), [
    "iiot/gateway/state online",
    "iiot/board/state running",
    "iiot/board/state stopped",
    "iiot/gateway/state offline",
  ]);
  const [first] = broker.published.filter(isState);
  assert.deepEqual([first?.qos, first?.retain], [1, true]);
  assert.equal(broker.published.at(-1)?.payload, "offline");
  assert.equal(broker.goodbyes, 1);
  assert.equal(states.listeners, 0);
});

Deno.test("MqttSink has no last will and tells nothing with state_topics = false, nor when it checks", async () => {
  await using broker = startScriptedBroker({});
  {
    const off = { state_topics: false };
    const sink = mqttSink(broker.url, off, { states: feed() });
    await using session = await open(sink);
    assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
  }
  await findings(mqttSink(broker.url, {}, { states: feed() }));
  assert.deepEqual(broker.wills, [undefined, undefined]);
  assert.deepEqual(told(broker.published), []);
});

Deno.test("MqttSink retains no state where it shall not, or the broker cannot", async () => {
  for (const retain of [true, false]) {
    await using broker = startScriptedBroker({
      properties: retain ? NO_RETAIN : [],
      connack: (will) => retain && will?.retain ? 0x9a : 0,
    });
    const sink = mqttSink(broker.url, { retain }, { states: feed() });
    {
      await using _session = await open(sink);
    }
    assert.equal(broker.wills.length, retain ? 2 : 1);
    assert.deepEqual(broker.wills.at(-1), { ...WILL, retain: false });
    assert.ok(broker.published.length > 0);
    assert.ok(broker.published.every((message) => !message.retain));
    // What the broker has refused once is not asked for again.
    await using _session = await open(sink);
    assert.equal(broker.wills.length, retain ? 3 : 2);
  }
});

Deno.test("MqttSink leaves its last will at QoS 0 where the broker takes no other, and with mqtt.qos = 0", async () => {
  await using broker = startScriptedBroker({
    properties: [0x24, 0],
    connack: (will) => will?.qos ? 0x9b : 0,
  });
  for (const qos of [1, 0] as const) {
    await using session = await open(
      mqttSink(broker.url, { qos }, { states: feed() }),
    );
    assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
  }
  assert.deepEqual(broker.wills.map((will) => will?.qos), [1, 0, 0]);
  assert.ok(broker.published.every(({ qos }) => qos === 0));
});

Deno.test("MqttSink names the key when the broker may have refused it for its last will", async () => {
  for (const connack of [5, 0x87, 0x86, "close"] as const) {
    await using broker = startScriptedBroker({ connack });
    const hint = async (states: FakeFeed | undefined) => {
      const sink = mqttSink(broker.url, {}, states ? { states } : {});
      const error = await open(sink).catch((error) => error);
      assert.ok(error instanceof SinkError);
      return JSON.stringify(error.failure);
    };
    const key = /mqtt\.state_topics.*iiot\/gateway\/state/;
    if (connack === 0x86) assert.doesNotMatch(await hint(feed()), key);
    else assert.match(await hint(feed()), key);
    assert.doesNotMatch(await hint(undefined), key);
  }
});

Deno.test("MqttSink says once that states are refused, and delivers all", async () => {
  await using log = await captureLog();
  await using broker = startScriptedBroker({
    puback: (topic) => topic.endsWith("/state") ? 0x87 : 0,
  });
  const sink = mqttSink(broker.url, {}, { states: feed() });
  for (let session = 0; session < 2; session++) {
    await using session = await open(sink);
    assert.deepEqual(await session.deliver(fullRows(1, 100)), {
      done: 100,
      rejected: [],
      parked: [],
    });
  }
  assert.equal(broker.goodbyes, 2);
  assert.deepEqual(
    log.lines.map((line) => line.replace(/:\d+/, "")),
    [
      'mqtt warning: The MQTT broker at 127.0.0.1 does not take the state message to "iiot/gateway/state": "Not authorized" (0x87). The readings are not concerned. Allow this user "iiot/gateway/state", "board/state" and "board/detail" at the broker, or set "mqtt.state_topics" to false',
    ],
  );
});

Deno.test("MqttSink delivers while no state is answered, and never has more unanswered than the broker takes", async () => {
  let silent = 0;
  await using broker = startScriptedBroker({
    properties: RECEIVE_MAXIMUM_3,
    puback: (topic) =>
      topic.endsWith("/state") || ++silent > 100 ? "silence" : 0,
  });
  {
    const sink = mqttSink(broker.url, {}, { states: feed() });
    await using session = await open(sink);
    assert.equal((await session.deliver(fullRows(1, 11))).done, 11);
    const { done, failure } = await session.deliver(fullRows(12, 11));
    assert.equal(done, 0);
    assert.match(failure?.message ?? "", /has acknowledged nothing/);
  }
  assert.equal(broker.unanswered, 3);
  assert.deepEqual(told(broker.published), ["iiot/gateway/state online"]);
});

Deno.test("MqttSink leaves without a goodbye when it cannot say offline, so that the last will is sent", async () => {
  await using broker = startScriptedBroker({
    puback: (_, payload) => payload === "offline" ? "silence" : 0,
  });
  {
    const sink = mqttSink(broker.url, {}, { states: feed() });
    await using session = await open(sink);
    assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
  }
  assert.equal(broker.published.at(-1)?.payload, "offline");
  assert.equal(broker.goodbyes, 0);
});

Deno.test("MqttSink leaves the states out where sessions end at them, and condemns no reading and no client id", async () => {
  await using log = await captureLog();
  let now = 0;
  await using broker = startScriptedBroker({
    at: ({ topic }) => topic.endsWith("/state") ? "close" : undefined,
  });
  const states = feed();
  const sink = mqttSink(broker.url, {}, { states, monotonic: () => now });
  for (let session = 0; session < 3; session++) {
    await using lost = await open(sink);
    const { done } = await lost.deliver(fullRows(1, 2));
    assert.equal(done, 0);
    assert.equal((await lost.closed).kind, "retry");
  }
  {
    await using session = await open(sink);
    assert.deepEqual(await session.deliver(fullRows(1, 200)), {
      done: 200,
      rejected: [],
      parked: [],
    });
  }
  assert.equal(told(broker.published).length, 3);
  assert.equal(log.lines.length, 1);
  assert.match(
    log.lines[0]!,
    /hangs up at the state message to "iiot\/gateway\/state", or the link is bad: no more of them for 5 min\. .*set "mqtt\.state_topics" to false$/,
  );
  now += 300_000;
  await using again = await open(sink);
  await again.closed;
  assert.equal(told(broker.published).length, 4);
});

Deno.test("MqttSink counts the states in max_messages_per_s", async () => {
  await using broker = startScriptedBroker({});
  const states = feed();
  const config = { max_messages_per_s: 10 };
  await using session = await open(mqttSink(broker.url, config, { states }));
  // The one message that may go at once was the gateway's own.
  const delivery = session.deliver([row(1, { "n1.t": 1 })]);
  await eventually("it is told", () => told(broker.published).length >= 2);
  assert.equal(broker.published.filter((one) => !isState(one)).length, 0);
  assert.equal((await delivery).done, 1);
});

Deno.test({
  name: "MqttSink tells a broker that lost its memory all states again",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    const sink = mqttSink(broker.url, {}, { states: feed() });
    const bothAreKept = () =>
      eventually("both states are kept", async () => {
        await using late = await subscribe(broker.url, "iiot/+/state", {
          states: true,
        });
        const kept = told(await late.waitFor(2, 500).catch(() => []));
        return kept.toSorted().join() ===
          "iiot/board/state running,iiot/gateway/state online";
      });
    {
      await using session = await open(sink);
      await bothAreKept();
      // It writes its memory down only at an end in order.
      Deno.kill(broker.pid!, "SIGKILL");
      await session.closed;
    }
    await broker.stop();
    await broker.start();
    await using _session = await open(sink);
    await bothAreKept();
  },
});

Deno.test({
  name:
    "MqttSink connects to a broker that takes nothing retained, its last will included",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto({
      conf: ["retain_available false"],
    });
    await using heard = await subscribe(broker.url, "iiot/+/state", {
      states: true,
    });
    await using session = await open(
      mqttSink(broker.url, {}, { states: feed() }),
    );
    assert.match(session.description, /MQTT 5$/);
    await heard.waitFor(2);
  },
});

Deno.test({
  name:
    "MqttSink is heard to be offline when its link is cut, and at an end in order",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using heard = await subscribe(broker.url, "iiot/gateway/state", {
      states: true,
    });
    const sink = mqttSink(broker.url, {}, { states: feed() });
    {
      await using _session = await open(sink);
      await heard.waitFor(1);
      // Another one of its name: the broker ends the first session.
      await using _other = await open(
        mqttSink(broker.url, {}, { states: feed() }),
      );
      await heard.waitFor(3);
    }
    await heard.waitFor(4);
    assert.deepEqual(heard.messages.map(({ payload }) => payload), [
      "online",
      "offline",
      "online",
      "offline",
    ]);
    await using late = await subscribe(broker.url, "iiot/gateway/state", {
      states: true,
    });
    assert.equal((await late.waitFor(1))[0]?.payload, "offline");
  },
});

Deno.test({
  name:
    "MqttSink delivers to a broker whose rules forbid the states, and says so",
  ...requires("mosquitto"),
  fn: async () => {
    await using log = await captureLog();
    const rules = await Deno.makeTempFile();
    await using _removed = {
      [Symbol.asyncDispose]: () => Deno.remove(rules),
    };
    await Deno.writeTextFile(rules, "topic readwrite iiot/node1/#\n");
    await using broker = await startMosquitto({ conf: [`acl_file ${rules}`] });
    const sink = mqttSink(broker.url, {}, { states: feed() });
    await using session = await open(sink);
    for (let seq = 1; seq <= 20; seq++) {
      const { done } = await session.deliver([row(seq, { "n1.t": seq })]);
      assert.equal(done, 1);
    }
    await eventually("it is said", () => log.lines.length > 0);
    assert.match(log.lines[0]!, /"Not authorized" \(0x87\).*state_topics/);
    assert.equal(log.lines.length, 1);
  },
});

Deno.test("MqttSink tells its states over MQTT 3.1.1 and at QoS 0", async () => {
  await using broker = await startBroker({ host: "127.0.0.1", port: 0 });
  const options = { protocolVersion: 4, states: true } as const;
  await using heard = await subscribe(broker.url, "iiot/+/state", options);
  {
    const sink = mqttSink(broker.url, { qos: 0 }, { states: feed() });
    await using session = await open(sink);
    assert.match(session.description, /MQTT 3\.1\.1$/);
    assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
    await heard.waitFor(2);
  }
  assert.deepEqual(told(await heard.waitFor(3)), [
    "iiot/gateway/state online",
    "iiot/board/state running",
    "iiot/gateway/state offline",
  ]);
  await using late = await subscribe(broker.url, "iiot/+/state", options);
  assert.deepEqual(told(await late.waitFor(2)).toSorted(), [
    "iiot/board/state running",
    "iiot/gateway/state offline",
  ]);
});
