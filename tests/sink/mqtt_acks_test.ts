import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { generate, type Packet } from "mqtt-packet";
import { LARGEST_OWN_ID, MqttAcks } from "../../lib/sink/mqtt_acks.ts";

const ids = fc.oneof(
  fc.integer({ min: 1, max: 65_535 }),
  fc.constantFrom(1, LARGEST_OWN_ID, LARGEST_OWN_ID + 1),
);
const reasons = fc.option(fc.string({ maxLength: 300 }), { nil: undefined });
const packets: fc.Arbitrary<Packet> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      cmd: fc.constant("puback" as const),
      messageId: ids,
      reasonCode: fc.constantFrom(0, 0x10, 0x7f, 0x80, 0x87, 0x97),
      properties: reasons.map((reasonString) =>
        reasonString === undefined ? {} : { reasonString }
      ),
    }),
  },
  fc.constant<Packet>({ cmd: "pingresp" }),
  ids.map((messageId): Packet => ({ cmd: "pubrec", messageId })),
  fc.constantFrom(1, 200, 20_000).map((length): Packet => ({
    cmd: "publish",
    topic: "a",
    // All that a PUBACK begins with.
    payload: Buffer.alloc(length, 0x40),
    qos: 0,
    dup: false,
    retain: false,
  })),
);

for (const protocolVersion of [4, 5] as const) {
  Deno.test(`MqttAcks takes the PUBACKs to the sink's ids and leaves the rest as it was, however it is cut, MQTT version ${protocolVersion}`, () => {
    fc.assert(fc.property(
      fc.array(packets, { maxLength: 30 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.nat(4_000))),
      (sent, cuts) => {
        const told: [number, number | undefined][] = [];
        const wanted: typeof told = [];
        const others: Buffer[] = [];
        const bytes: Buffer[] = [];
        for (const packet of sent) {
          const written = generate(packet, { protocolVersion });
          bytes.push(written);
          if (packet.cmd === "puback" && packet.messageId! <= LARGEST_OWN_ID) {
            // MQTT 3.1.1 has no words for a refusal.
            const { reasonCode = 0 } = protocolVersion === 5 ? packet : {};
            const taken = reasonCode < 0x80;
            wanted.push([packet.messageId!, taken ? undefined : reasonCode]);
          } else others.push(written);
        }
        const acks = new MqttAcks();
        acks.onAck = (id, refusal) => told.push([id, refusal]);
        const left: Buffer[] = [];
        let rest = Buffer.concat(bytes);
        for (const length of [...cuts.filter((cut) => cut > 0), rest.length]) {
          if (rest.length === 0) break;
          left.push(acks.read(rest.subarray(0, length)));
          rest = rest.subarray(length);
        }
        assert.deepEqual(told, wanted);
        assert.deepEqual(Buffer.concat(left), Buffer.concat(others));
      },
    ));
  });
}

Deno.test("MqttAcks leaves to MQTT.js what is no whole PUBACK: without an id, of an endless length, of one without end", () => {
  for (
    const bytes of [
      [0x40, 0x00, 0xd0, 0x00],
      [0x40, 0x01, 0x05],
      [0x40, 0xff, 0xff, 0x7f, 0x00, 0x01],
      [0x40, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]
  ) {
    const acks = new MqttAcks();
    acks.onAck = () => assert.fail();
    assert.deepEqual([...acks.read(Buffer.from(bytes))], bytes);
  }
});
