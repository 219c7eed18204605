import assert from "node:assert/strict";
import { LARGEST_OWN_ID } from "../../lib/sink/mqtt_acks.ts";
import { judgeRefusal } from "../../lib/sink/mqtt_answers.ts";
import { type Failure, SinkError } from "../../lib/sink/sink.ts";
import { findings, fullRows, mqttSink, open, row } from "./given.ts";
import { type BrokerScript, startScriptedBroker } from "./scripted_broker.ts";

const TEMPERATURE = "iiot/node1/temperature";

/** MQTT 5 properties of a CONNACK, section 3.2.2.3. */
const RECEIVE_MAXIMUM_3 = [0x21, 0, 3];
const MAXIMUM_QOS_0 = [0x24, 0];
const NO_RETAIN = [0x25, 0];
const MAXIMUM_PACKET_SIZE_45 = [0x27, 0, 0, 0, 45];

async function refusal(script: BrokerScript): Promise<Failure> {
  await using broker = startScriptedBroker(script);
  const url = broker.url.replace("mqtt://", "mqtt://user:secret@");
  try {
    await (await open(mqttSink(url)))[Symbol.asyncDispose]();
  } catch (error) {
    assert.ok(error instanceof SinkError);
    assert.doesNotMatch(JSON.stringify(error.failure), /secret/);
    return error.failure;
  }
  throw new Error("The broker took the connection");
}

const CONNACKS: Record<
  string,
  [code: number, kind: Failure["kind"], hint?: RegExp]
> = {
  "an unspecified error": [0x80, "retry"],
  "a rejected client id": [0x85, "blocked", /"mqtt\.client_id"/],
  "a bad user name or password": [0x86, "blocked", /"mqtt\.password"/],
  "no authorization": [0x87, "blocked", /"mqtt\.username"/],
  "an unavailable server": [0x88, "retry"],
  "a busy server": [0x89, "retry"],
  "a ban": [0x8a, "blocked", /ban/],
  "a quota that is exceeded": [0x97, "retry"],
  "retained messages that it does not support": [
    0x9a,
    "blocked",
    /"mqtt\.retain"/,
  ],
  "another server to be used": [0x9c, "blocked", /"mqtt\.broker_url"/],
  "a connection rate that is exceeded": [0x9f, "retry"],
  "MQTT 3.1.1's rejected identifier": [2, "blocked", /"mqtt\.client_id"/],
  "MQTT 3.1.1's unavailable server": [3, "retry"],
  "MQTT 3.1.1's bad user name or password": [4, "blocked", /"mqtt\.password"/],
  "MQTT 3.1.1's lack of authorization": [5, "blocked", /"mqtt\.username"/],
};

for (const [name, [connack, kind, hint]] of Object.entries(CONNACKS)) {
  Deno.test(`MqttSink takes ${name} in CONNACK as ${kind}`, async () => {
    const failure = await refusal({ connack });
    assert.equal(failure.kind, kind);
    assert.match(
      failure.message,
      /^The MQTT broker at 127\.0\.0\.1:\d+ refuses the connection: "/,
    );
    if (hint !== undefined) {
      assert.match(failure.kind === "blocked" ? failure.hint : "", hint);
    }
  });
}

for (const connack of [1, 0x84, "close"] as const) {
  Deno.test(`MqttSink tries MQTT 3.1.1 after ${connack} to MQTT 5, and MQTT 5 anew when that fails too`, async () => {
    await using broker = startScriptedBroker({ connack });
    const sink = mqttSink(broker.url);
    await assert.rejects(open(sink), SinkError);
    assert.deepEqual(broker.levels, [5, 4]);
    await assert.rejects(open(sink), SinkError);
    assert.deepEqual(broker.levels, [5, 4, 5, 4]);
  });
}

Deno.test("MqttSink says what to do about a broker that speaks neither version", async () => {
  const failure = await refusal({ connack: 1 });
  assert.ok(failure.kind === "blocked");
  assert.match(failure.hint, /MQTT 5 or 3\.1\.1/);
});

// A code below 0x80 is a success, whatever it is (MQTT 5, section 2.4).
for (const code of [0x00, 0x01, 0x10, 0x7f]) {
  Deno.test(`MqttSink counts a message with PUBACK ${code} as delivered`, async () => {
    await using broker = startScriptedBroker({ puback: () => code });
    await using session = await open(mqttSink(broker.url));
    assert.deepEqual(await session.deliver(fullRows(1, 2)), {
      done: 2,
      rejected: [],
      parked: [],
    });
  });
}

for (const code of [0x90, 0x99]) {
  Deno.test(`MqttSink rejects the one message with PUBACK ${code}`, async () => {
    await using broker = startScriptedBroker({
      puback: (topic) => topic === TEMPERATURE ? code : 0,
    });
    await using session = await open(mqttSink(broker.url));
    const { done, rejected, parked, failure } = await session.deliver(
      fullRows(1, 2),
    );
    assert.equal(done, 2);
    assert.deepEqual(
      rejected.map(({ row, reading }) => [row.seq, reading.path]),
      [
        [1, "n1.t"],
        [2, "n1.t"],
      ],
    );
    assert.match(rejected[0]!.reason, new RegExp(`0x${code.toString(16)}`));
    assert.deepEqual(parked, []);
    assert.equal(failure, undefined);
  });
}

Deno.test("MqttSink parks the one message that is not authorized while others are accepted", async () => {
  await using broker = startScriptedBroker({
    puback: (topic) => topic === TEMPERATURE ? 0x87 : 0,
  });
  await using session = await open(mqttSink(broker.url));
  const { done, rejected, parked, failure } = await session.deliver(
    fullRows(1, 2),
  );
  assert.equal(done, 2);
  assert.deepEqual(rejected, []);
  assert.deepEqual(
    parked.map(({ row, reading }) => [row.seq, reading.path]),
    [
      [1, "n1.t"],
      [2, "n1.t"],
    ],
  );
  assert.equal(failure, undefined);
});

Deno.test("MqttSink keeps all when no message is authorized", async () => {
  await using broker = startScriptedBroker({ puback: () => 0x87 });
  await using session = await open(mqttSink(broker.url));
  const [first, second] = await Promise.all([
    session.deliver(fullRows(1, 2)),
    session.deliver(fullRows(3, 2)),
  ]);
  for (const { done, rejected, parked, failure } of [first, second]) {
    assert.deepEqual({ done, rejected, parked }, {
      done: 0,
      rejected: [],
      parked: [],
    });
    assert.ok(failure?.kind === "blocked");
    assert.match(failure.hint, /"mqtt\.topic_prefix"/);
  }
});

// MQTT 5 has no such PUBACK; mosquitto sends it all the same.
for (const [code, becomes] of [[0x95, "rejected"], [0x96, "parked"]] as const) {
  Deno.test(`MqttSink takes PUBACK ${code} for what it says, and the session goes on`, async () => {
    await using broker = startScriptedBroker({
      puback: (_topic, payload) => payload === "27.6" ? code : 0,
    });
    await using session = await open(mqttSink(broker.url));
    const rows = [row(1, { "n1.t": 27.6, "n1.h": 1 }), row(2, { "n1.t": 2 })];
    for (let i = 0; i < 2; i++) {
      const { done, failure, ...refused } = await session.deliver(rows);
      assert.deepEqual([done, failure], [2, undefined]);
      assert.deepEqual(
        refused[becomes].map(({ row, reading }) => [row.seq, reading.path]),
        [[1, "n1.t"]],
      );
    }
  });
}

for (const code of [0x95, 0x96]) {
  // At QoS 2 MQTT.js reads the answers, and gives the link up over one that MQTT 5 does not name.
  Deno.test(`MqttSink loses the session, and no reading, over PUBREC ${code} at QoS 2`, async () => {
    await using broker = startScriptedBroker({ puback: () => code });
    await using session = await open(mqttSink(broker.url, { qos: 2 }));
    const { done, rejected, parked, failure } = await session.deliver(
      fullRows(1, 2),
    );
    assert.deepEqual([done, rejected, parked], [0, [], []]);
    assert.deepEqual(failure, await session.closed);
    assert.match(
      failure?.message ?? "",
      /is lost: Invalid pubrec reason code$/,
    );
  });
}

Deno.test("judgeRefusal knows each reason code of a refused message, and loses none that it does not", () => {
  const codes = [0x80, 0x83, 0x87, 0x90, 0x91, 0x95, 0x96, 0x97, 0x99, 0xff];
  assert.deepEqual(codes.map(judgeRefusal), [
    "retry",
    "retry",
    "park",
    "reject",
    "retry",
    "reject",
    "park",
    "retry",
    "reject",
    "retry",
  ]);
});

for (const code of [0x80, 0x83, 0x97]) {
  Deno.test(`MqttSink tries again after PUBACK ${code}, and keeps all that is behind`, async () => {
    let published = 0;
    // The first row passes, then the second row's first message is refused.
    await using broker = startScriptedBroker({
      puback: () => ++published === 10 ? code : 0,
    });
    await using session = await open(mqttSink(broker.url));
    const outcomes = await Promise.all([
      session.deliver(fullRows(1, 1)),
      session.deliver(fullRows(2, 2)),
      session.deliver(fullRows(4, 1)),
    ]);
    assert.deepEqual(outcomes.map(({ done }) => done), [1, 0, 0]);
    assert.deepEqual(outcomes.map(({ failure }) => failure?.kind), [
      undefined,
      "retry",
      "retry",
    ]);
    assert.equal((await session.deliver(fullRows(2, 3))).done, 3);
  });
}

Deno.test("MqttSink keeps within the receive maximum of the broker", async () => {
  await using broker = startScriptedBroker({
    properties: RECEIVE_MAXIMUM_3,
    puback: () => "silence",
  });
  await using session = await open(mqttSink(broker.url));
  const { done, failure } = await session.deliver(fullRows(1, 2));
  assert.equal(done, 0);
  assert.equal(failure?.kind, "retry");
  assert.equal(broker.unanswered, 3);
});

Deno.test("MqttSink keeps within its own window", async () => {
  await using broker = startScriptedBroker({ puback: () => "silence" });
  await using session = await open(mqttSink(broker.url, { max_inflight: 5 }));
  await session.deliver(fullRows(1, 2));
  assert.equal(broker.unanswered, 5);
});

Deno.test("MqttSink ends a session in which the oldest message is never acknowledged", async () => {
  let published = 0;
  await using broker = startScriptedBroker({
    puback: () => ++published === 3 ? "silence" : 0,
  });
  await using session = await open(mqttSink(broker.url));
  const { done, failure } = await session.deliver(fullRows(1, 20));
  assert.equal(done, 0);
  assert.equal(failure?.kind, "retry");
  assert.match(
    (await session.closed).message,
    /has acknowledged nothing for 1 s$/,
  );
});

Deno.test("MqttSink lowers its QoS to the broker's", async () => {
  await using broker = startScriptedBroker({ properties: MAXIMUM_QOS_0 });
  await using session = await open(mqttSink(broker.url, { qos: 2 }));
  assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
  await session[Symbol.asyncDispose]();
  assert.deepEqual(broker.published.map(({ qos }) => qos), Array(9).fill(0));
});

Deno.test("MqttSink never retains where the broker does not", async () => {
  await using broker = startScriptedBroker({ properties: NO_RETAIN });
  const latest = [{ seq: 0, board: "", path: "n1.t", value: 1, timeUs: 0 }];
  const sink = mqttSink(broker.url, {}, {
    isNewest: () => true,
    latest: () => latest,
  });
  await using session = await open(sink);
  assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
  assert.deepEqual(
    broker.published.map(({ retain }) => retain),
    Array(9).fill(false),
  );
});

Deno.test("MqttSink rejects what is larger than the broker takes, before it is sent", async () => {
  await using broker = startScriptedBroker({
    properties: MAXIMUM_PACKET_SIZE_45,
  });
  await using session = await open(mqttSink(broker.url));
  const { done, rejected } = await session.deliver([
    row(1, { "n1.t": 21.5, "sts.rx": 4_294_967_295 }, {
      timeUs: Number.MAX_SAFE_INTEGER,
    }),
  ]);
  assert.equal(done, 1);
  assert.deepEqual(rejected.map(({ reading }) => reading.path), ["sts.rx"]);
  assert.match(
    rejected[0]!.reason,
    /takes \d+ bytes, and the broker at most 45$/,
  );
  assert.equal(broker.published.length, 1);
  assert.ok(broker.published[0]!.bytes <= 45);
});

const DISCONNECTS: Record<
  string,
  [code: number, kind: Failure["kind"], hint?: RegExp]
> = {
  "another client with its id": [0x8e, "blocked", /"mqtt\.client_id"/],
  "a server that shuts down": [0x8b, "retry"],
  "an administrator": [0x98, "retry"],
};

for (const [name, [disconnect, kind, hint]] of Object.entries(DISCONNECTS)) {
  Deno.test(`MqttSink says why the broker ended the session: ${name}`, async () => {
    await using broker = startScriptedBroker({ disconnect });
    await using session = await open(mqttSink(broker.url));
    const outcome = session.deliver(fullRows(1, 1));
    // MQTT leaves it to the client to hang up after the server's DISCONNECT, if the server does not.
    const failure = await session.closed;
    assert.equal(failure.kind, kind);
    assert.match(failure.message, new RegExp(`0x${disconnect.toString(16)}`));
    if (hint !== undefined) {
      assert.match(failure.kind === "blocked" ? failure.hint : "", hint);
    }
    assert.equal((await outcome).done, 0);
    assert.deepEqual((await outcome).failure, failure);
  });
}

Deno.test("MqttSink says goodbye when it is disposed of, also with messages unanswered", async () => {
  for (const puback of [() => 0, () => "silence" as const]) {
    await using broker = startScriptedBroker({ puback });
    const session = await open(mqttSink(broker.url, { ack_timeout_s: 15 }));
    const outcome = session.deliver(fullRows(1, 1));
    const start = performance.now();
    await session[Symbol.asyncDispose]();
    assert.ok(performance.now() - start < 1_000);
    assert.equal(broker.goodbyes, 1);
    assert.equal((await outcome).done, puback() === 0 ? 1 : 0);
  }
});

Deno.test("MqttSink's check says when publishing is forbidden", async () => {
  await using broker = startScriptedBroker({ puback: () => 0x87 });
  const [connected, publish] = await findings(mqttSink(broker.url));
  assert.equal(connected?.level, "ok");
  assert.equal(publish?.level, "failed");
  assert.match(
    publish?.detail ?? "",
    /^Cannot publish to "iiot\/check" at .*"Not authorized" \(0x87\)$/,
  );
  assert.match(publish?.hint ?? "", /"mqtt\.topic_prefix"/);
  assert.equal(broker.goodbyes, 1);
});

Deno.test("MqttSink's check ends with a broker that does not answer a publish", async () => {
  await using broker = startScriptedBroker({ puback: () => "silence" });
  const found = await findings(mqttSink(broker.url));
  assert.match(found[1]?.detail ?? "", /no answer within 1 s$/);
});

Deno.test("MqttSink's check says what to do about each fault of connecting", async () => {
  await using refusing = startScriptedBroker({ connack: 0x86 });
  const found = await findings(mqttSink([refusing.url, "mqtt://127.0.0.1:1"]));
  assert.deepEqual(found.map(({ level }) => level), ["failed", "failed"]);
  assert.match(found[0]!.hint ?? "", /"mqtt\.password"/);
  assert.match(found[1]!.hint ?? "", /"mqtt\.broker_url"/);
});

Deno.test("MqttSink's check says what neither QoS 0 nor MQTT 3.1.1 can prove, and sees a broker that hangs up", async () => {
  const last = async (script: BrokerScript) => {
    await using broker = startScriptedBroker(script);
    return (await findings(mqttSink(broker.url))).at(-1)!;
  };
  const atQos0 = await last({ properties: MAXIMUM_QOS_0 });
  assert.equal(atQos0.level, "ok");
  assert.match(atQos0.detail, /QoS 0 only.*look for values at the broker$/);
  const old = await last({ connack5: 1 });
  assert.match(old.detail, /3\.1\.1 brokers acknowledge even what they forbid/);
  const hangsUp = await last({ properties: MAXIMUM_QOS_0, at: () => "close" });
  assert.equal(hangsUp.level, "failed");
  assert.match(hangsUp.detail, /the broker closes the connection$/);
});

Deno.test("MqttSink lets no more than a second's messages stand before a live one where the rate is limited", async () => {
  await using broker = startScriptedBroker({});
  for (const [rate, readings] of [[0.5, 1], [50, 13], [2_000, 500]] as const) {
    const sink = mqttSink(broker.url, { max_messages_per_s: rate });
    await using session = await open(sink);
    assert.deepEqual([session.maxReadings, session.maxBatches], [readings, 4]);
  }
});

Deno.test("MqttSink never has more messages of QoS 2 behind an unconfirmed one than there are ids for them", async () => {
  await using broker = startScriptedBroker({});
  const sink = mqttSink(broker.url, { qos: 2, max_inflight: 65_535 });
  await using session = await open(sink);
  const most = session.maxReadings * session.maxBatches;
  assert.ok(most < 65_535 - LARGEST_OWN_ID, `${most} messages`);
});
