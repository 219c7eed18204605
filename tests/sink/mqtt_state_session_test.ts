import assert from "node:assert/strict";
import type { MqttClient } from "mqtt";
import { MqttAcks } from "../../lib/sink/mqtt_acks.ts";
import { MqttStateSession } from "../../lib/sink/mqtt_state_session.ts";
import { VirtualTime } from "../simulation/virtual_time.ts";
import { FakeFeed } from "./state_feed.ts";

interface Given {
  readonly maximumQos?: 0 | 1;
  readonly receiveMaximum?: number;
  readonly maximumPacketSize?: number;
}

/** A session on a broker that answers when and what the test says, in a time that the test moves. */
function given(feed: FakeFeed, given: Given = {}) {
  const time = new VirtualTime();
  const installed = time.install(() => 0.5);
  const sent: { text: string; qos: number; atMs: number }[] = [];
  const answers: ((code?: number) => void)[] = [];
  const refused: string[] = [];
  const state = { mayTell: true };
  const client = {
    keepalive: 15,
    publish(
      topic: string,
      text: string,
      { qos }: { qos: number },
      done: (error?: Error) => void,
    ) {
      sent.push({ text: `${topic} ${text}`, qos, atMs: time.nowMs });
      const answer = (code = 0) =>
        done(code === 0 ? undefined : Object.assign(new Error(), { code }));
      if (qos === 0) answer();
      else answers.push(answer);
    },
  } as unknown as MqttClient;
  const session = new MqttStateSession({
    client,
    acks: new MqttAcks(),
    version: 5,
    broker: {
      name: "broker:1883",
      host: "broker",
      port: 1883,
      tls: false,
      username: undefined,
      password: undefined,
    },
    limits: {
      retain: true,
      qos: given.maximumQos ?? 1,
      receiveMaximum: given.receiveMaximum ?? 20,
      maximumPacketSize: given.maximumPacketSize ?? Infinity,
    },
  }, {
    prefix: "iiot",
    ackTimeoutMs: 15_000,
    feed,
    monotonic: () => time.nowMs,
    retain: true,
    mayTell: () => state.mayTell,
    onSent() {},
    onRefused: (topic, why) => refused.push(`${topic}: ${why}`),
  });
  return {
    session,
    sent,
    refused,
    state,
    /** Answers all that is out, and what that brings about. */
    async answer(code?: number) {
      while (answers.length > 0) {
        for (const answer of answers.splice(0)) answer(code);
        await Promise.resolve();
      }
    },
    /** Answers the oldest message alone. */
    async answerOne() {
      answers.shift()!();
      await Promise.resolve();
    },
    async pass(ms: number) {
      let over = false;
      time.after(ms, "test", () => over = true);
      await time.run(() => over);
    },
    texts: () => sent.map(({ text }) => text),
    [Symbol.dispose]() {
      session.stop();
      installed[Symbol.dispose]();
    },
  };
}

Deno.test("MqttStateSession tells everything at once, one message at a time", async () => {
  const feed = new FakeFeed({ "board/state": "running", "board/detail": "It" });
  using broker = given(feed);
  broker.session.start();
  assert.deepEqual(broker.texts(), ["iiot/gateway/state online"]);
  await broker.answerOne();
  await broker.answerOne();
  assert.deepEqual(broker.texts(), [
    "iiot/gateway/state online",
    "iiot/board/state running",
    "iiot/board/detail It",
  ]);
  await broker.answer();
  await broker.pass(3_600_000);
  assert.equal(broker.sent.length, 3);
});

Deno.test("MqttStateSession sends of a topic that flaps the newest text alone, once a second", async () => {
  const feed = new FakeFeed({ "board/state": "0" });
  using broker = given(feed);
  broker.session.start();
  await broker.answer();
  const answering = setInterval(() => broker.answer(), 10);
  for (let change = 1; change <= 1_000; change++) {
    feed.set("board/state", String(change));
    await broker.pass(10);
  }
  await broker.pass(10_000);
  clearInterval(answering);
  const told = broker.sent.filter(({ text }) => text.includes("/board/"));
  assert.equal(told.at(-1)?.text, "iiot/board/state 1000");
  assert.ok(told.length >= 10 && told.length <= 12, `${told.length} messages`);
  told.slice(1).forEach(({ atMs }, index) =>
    assert.ok(atMs - told[index]!.atMs >= 1_000)
  );
});

Deno.test("MqttStateSession says nothing of a state that was left and taken up again within the second", async () => {
  const feed = new FakeFeed({ "board/state": "running" });
  using broker = given(feed);
  broker.session.start();
  await broker.answer();
  feed.set("board/state", "failed");
  feed.set("board/state", "running");
  await broker.pass(5_000);
  assert.equal(broker.sent.length, 2);
});

Deno.test("MqttStateSession tries a topic that is refused again after a minute, and no other waits for it", async () => {
  const feed = new FakeFeed({ "board/state": "running" });
  using broker = given(feed);
  broker.session.start();
  await broker.answer(0x87);
  assert.equal(broker.sent.length, 2);
  assert.deepEqual(broker.refused, [
    'iiot/gateway/state: "Not authorized" (0x87)',
    'iiot/board/state: "Not authorized" (0x87)',
  ]);
  await broker.pass(59_000);
  assert.equal(broker.sent.length, 2);
  await broker.pass(2_000);
  await broker.answer();
  await broker.pass(600_000);
  assert.equal(broker.sent.length, 4);
});

Deno.test("MqttStateSession tells nothing more where no answer comes, and says so", async () => {
  const feed = new FakeFeed({ "board/state": "running" });
  using broker = given(feed);
  broker.session.start();
  await broker.pass(600_000);
  assert.deepEqual(broker.texts(), ["iiot/gateway/state online"]);
  assert.deepEqual(broker.refused, [
    "iiot/gateway/state: no answer within 30 s",
  ]);
  assert.equal(feed.listeners, 0);
  assert.equal(await broker.session.farewell(0), false);
});

Deno.test("MqttStateSession waits while a message is on trial, and tells then what is so by then", async () => {
  const feed = new FakeFeed({ "board/state": "starting" });
  using broker = given(feed);
  broker.state.mayTell = false;
  broker.session.start();
  await broker.pass(10_000);
  feed.set("board/state", "running");
  assert.deepEqual(broker.sent, []);
  broker.state.mayTell = true;
  await broker.pass(1_000);
  await broker.answer();
  assert.deepEqual(broker.texts(), [
    "iiot/gateway/state online",
    "iiot/board/state running",
  ]);
});

Deno.test("MqttStateSession says goodbye last, behind what is new, whatever was just said or refused", async () => {
  const feed = new FakeFeed({ "board/state": "running", "board/detail": "It" });
  using broker = given(feed, { receiveMaximum: 2 });
  broker.session.start();
  await broker.answerOne();
  await broker.answerOne();
  await broker.answer(0x87);
  feed.set("board/state", "stopped");
  const farewell = broker.session.farewell(0);
  assert.deepEqual(broker.texts().slice(3), [
    "iiot/board/state stopped",
    "iiot/gateway/state offline",
  ]);
  await broker.answer();
  assert.equal(await farewell, true);
});

Deno.test("MqttStateSession never has more unanswered at its end than the broker takes", async () => {
  const texts = Array.from({ length: 8 }, (_, index) => `board${index}/state`);
  const feed = new FakeFeed();
  using broker = given(feed, { receiveMaximum: 5 });
  broker.session.start();
  await broker.answer();
  // Each is changed while the one before it is unanswered.
  for (const topic of texts) feed.set(topic, "stopped");
  const farewell = broker.session.farewell(2);
  assert.equal(broker.sent.length - 1, 3);
  await broker.answer();
  assert.equal(await farewell, true);
  assert.equal(broker.sent.length, 1 + 8 + 1);
  assert.equal(broker.texts().at(-1), "iiot/gateway/state offline");
});

Deno.test("MqttStateSession sends at QoS 0 where the broker takes no other, or has one place only", async () => {
  const limits: Given[] = [{ maximumQos: 0 }, { receiveMaximum: 1 }];
  for (const limit of limits) {
    const feed = new FakeFeed({ "board/state": "running" });
    using broker = given(feed, limit);
    broker.session.start();
    await broker.pass(1);
    assert.deepEqual(broker.sent.map(({ qos }) => qos), [0, 0]);
    assert.equal(await broker.session.farewell(0), true);
  }
});

Deno.test("MqttStateSession sends nothing that is larger than the broker takes", async () => {
  const feed = new FakeFeed({
    "board/state": "running",
    "board/detail": "x".repeat(100),
  });
  using broker = given(feed, { maximumPacketSize: 60 });
  broker.session.start();
  await broker.answer();
  await broker.pass(10);
  assert.equal(broker.sent.length, 2);
  assert.match(broker.refused[0]!, /^iiot\/board\/detail: it takes 127 bytes$/);
});

Deno.test("MqttStateSession is suspected of the end of its session for two seconds, and while no answer came", async () => {
  using broker = given(new FakeFeed());
  assert.equal(broker.session.suspect, undefined);
  broker.session.start();
  await broker.pass(2_000);
  assert.equal(broker.session.suspect, "iiot/gateway/state");
  await broker.pass(1);
  assert.equal(broker.session.suspect, undefined);
  using other = given(new FakeFeed());
  other.session.start();
  await other.answer();
  assert.equal(other.session.suspect, undefined);
  using third = given(new FakeFeed(), { maximumQos: 0 });
  third.session.start();
  await third.pass(1_999);
  assert.equal(third.session.suspect, "iiot/gateway/state");
});
