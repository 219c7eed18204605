import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { MessageReader } from "../../lib/cli/watch/watched_message.ts";
import type { SeenMessage } from "../../lib/sink/mqtt_subscription.ts";

const reader = new MessageReader("iiot", createCatalogue());

function read(
  topic: string,
  payload: string | Uint8Array,
  more: Partial<SeenMessage> = {},
) {
  return reader.read({
    topic,
    payload: typeof payload === "string"
      ? new TextEncoder().encode(payload)
      : payload,
    isRetained: false,
    isStored: false,
    marks: {},
    ...more,
  });
}

Deno.test("MessageReader knows numbers and booleans, and the unit of a metric on any board", () => {
  const cases: [
    topic: string,
    payload: string,
    value: unknown,
    unit: string | null,
  ][] = [
    ["iiot/node1/temperature", "27.60", 27.6, "celsius"],
    ["iiot/hall-3/node1/temperature", "-1e3", -1000, "celsius"],
    ["iiot/stats/crc_errors", "0", 0, null],
    ["iiot/a/b", "true", true, null],
    ["iiot/a/b", "0x10", "0x10", null],
    ["iiot/a/b", "1e999", "1e999", null],
    ["iiot/a/b", " 1", " 1", null],
    ["iiot/gateway/state", "online", "online", null],
  ];
  for (const [topic, payload, value, unit] of cases) {
    const message = read(topic, payload);
    assert.equal(message.value, value, payload);
    assert.equal(message.unit, unit, topic);
    assert.equal(message.text, payload);
  }
});

Deno.test("MessageReader shows nothing that a terminal would obey", () => {
  const evil = "\x1b[2J\x07\r\n\u202e\u2028x";
  const message = read(`iiot/${evil}`, evil);
  for (const text of [message.topic, message.text]) {
    assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    assert.match(text, /\\u\{1b\}\[2J\\u\{7\}\\u\{d\}\\u\{a\}\\u\{202e\}/);
  }
});

Deno.test("MessageReader shows the beginning of bytes that are no text, and of what is long", () => {
  const { text, value } = read("iiot/a", new Uint8Array([0xff, 0xfe, 1]));
  assert.equal(text, "3 bytes: fffe01");
  assert.equal(value, text);
  assert.equal(read("iiot/a", "").text, "(empty)");
  const long = read("iiot/a", `x${"é".repeat(2000)}`).text;
  assert.match(long, /^xé+ …$/);
  assert.ok(long.length < 600);
});

Deno.test("MessageReader takes value and time out of what was sent late", () => {
  const time = "2026-11-23T10:00:00.000000Z";
  const past = read(
    "iiot/history/node1/temperature",
    `{"time":"${time}","value":27.6}`,
  );
  assert.deepEqual(
    [past.value, past.text, past.unit, past.isHistorical, past.happened],
    [27.6, "27.6", "celsius", true, time],
  );
  const untimed = read("iiot/history/node1/temperature", '{"value":27.6}');
  assert.equal(untimed.value, 27.6);
  assert.equal(untimed.happened, undefined);
  const marked = read("iiot/node1/temperature", "27.6", {
    marks: { historical: "true", time },
  });
  assert.deepEqual([marked.isHistorical, marked.happened], [true, time]);
  const strange = read("iiot/node1/temperature", "27.6", {
    marks: { historical: "true", time: "\x1b[2J" },
  });
  assert.equal(strange.happened, undefined);
  assert.equal(read("iiot/history/a", "no JSON").text, "no JSON");
});
