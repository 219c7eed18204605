import assert from "node:assert/strict";
import fc from "fast-check";
import type { MqttClient } from "mqtt";
import { type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { LARGEST_OWN_ID } from "../../lib/sink/mqtt_acks.ts";
import {
  MqttPublisher,
  UpperMessageIds,
} from "../../lib/sink/mqtt_publisher.ts";
import type { MqttMessage } from "../../lib/sink/mqtt_message.ts";

/** A publisher, and what MQTT.js's own parser reads in what it has written. */
function given(version: 4 | 5) {
  const pieces: Uint8Array[] = [];
  const stream = { write: (piece: Uint8Array) => pieces.push(piece) };
  return {
    publisher: new MqttPublisher({ stream } as unknown as MqttClient, version),
    pieces,
    /** Read only now: a byte that is written twice would show. */
    read(): Packet[] {
      const packets: Packet[] = [];
      const reader = parser({ protocolVersion: version });
      reader.on("packet", (packet) => packets.push(packet));
      reader.on("error", (error) => assert.fail(error));
      for (const piece of pieces) reader.parse(Buffer.from(piece));
      return packets;
    },
  };
}

function message(given: {
  topic?: string;
  payload?: string;
  retain?: boolean;
  marks?: Record<string, string> | undefined;
}): MqttMessage {
  const { topic = "iiot/node1/temperature", payload = "27.6" } = given;
  const retain = given.retain ?? false;
  const utf8 = new TextEncoder().encode(topic);
  const ready = { name: topic, utf8, retain };
  return { topic: ready, payload, retain, marks: given.marks };
}

const texts = fc.string({ unit: "grapheme", maxLength: 300 });
const messages = fc.record({
  topic: texts.filter((text) => text !== "" && !/[+#\0]/.test(text)),
  payload: fc.oneof(texts, fc.double().map(String)),
  retain: fc.boolean(),
  marks: fc.option(
    fc.dictionary(texts.filter((name) => name !== "__proto__"), texts, {
      maxKeys: 3,
    }),
    { nil: undefined },
  ),
});

for (const version of [4, 5] as const) {
  Deno.test(`MqttPublisher writes with MQTT version ${version} what MQTT.js's parser reads, whatever is published`, () => {
    fc.assert(fc.property(
      fc.array(fc.tuple(messages, fc.boolean()), { maxLength: 40 }),
      (published) => {
        const { publisher, read } = given(version);
        for (const [index, [one, flush]] of published.entries()) {
          publisher.publish(message(one), index + 1);
          if (flush) publisher.flush();
        }
        publisher.flush();
        const wanted = published.map(([one], index) => ({
          messageId: index + 1,
          topic: one.topic,
          payload: one.payload,
          qos: 1,
          dup: false,
          retain: one.retain,
          marks: version === 5 ? { ...one.marks } : {},
        }));
        const found = (read() as IPublishPacket[]).map((packet) => ({
          messageId: packet.messageId,
          topic: packet.topic,
          payload: packet.payload.toString(),
          qos: packet.qos,
          dup: packet.dup,
          retain: packet.retain,
          marks: { ...packet.properties?.userProperties },
        }));
        assert.deepEqual(found, wanted);
      },
    ));
  });
}

Deno.test("MqttPublisher writes in one piece what was published since the last one", () => {
  const { publisher, pieces, read } = given(5);
  for (let id = 1; id <= 9; id++) publisher.publish(message({}), id);
  assert.equal(pieces.length, 0);
  publisher.flush();
  publisher.flush();
  assert.equal(pieces.length, 1);
  assert.equal(read().length, 9);
});

Deno.test("MqttPublisher writes a message of any length, and many behind it", () => {
  const { publisher, pieces, read } = given(5);
  const long = "x".repeat(300_000);
  publisher.publish(message({ payload: "1" }), 1);
  publisher.publish(message({ payload: long }), 2);
  for (let id = 3; id <= 5_000; id++) publisher.publish(message({}), id);
  publisher.flush();
  const packets = read() as IPublishPacket[];
  assert.equal(packets.length, 5_000);
  assert.equal(packets[1]!.payload.toString(), long);
  assert.ok(pieces.length < 10);
});

Deno.test("UpperMessageIds never gives an id of the publisher's, and each of its own in turn", () => {
  const ids = new UpperMessageIds();
  const given = Array.from({ length: 32_768 }, () => ids.allocate());
  assert.deepEqual([Math.min(...given), Math.max(...given)], [
    LARGEST_OWN_ID + 1,
    65_535,
  ]);
  assert.equal(new Set(given).size, 32_768);
  assert.equal(ids.allocate(), given[0]);
  assert.equal(ids.getLastAllocated(), given[0]);
});
