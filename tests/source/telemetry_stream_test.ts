import assert from "node:assert/strict";
import fc from "fast-check";
import { createCatalogue } from "../../lib/catalogue.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import { LineStream } from "../../lib/source/line_stream.ts";
import {
  type SourcedPacket,
  TelemetryStream,
} from "../../lib/source/telemetry_stream.ts";
import cases from "../testdata/source/lines.json" with { type: "json" };
import { cut } from "./cut.ts";

/** All that becomes of some bytes. */
async function read(
  chunks: Iterable<Uint8Array>,
  marker = "JSON sent via VCP: ",
) {
  const counters = { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 };
  const packets: SourcedPacket[] = [];
  const rejects: string[] = [];
  const texts: string[] = [];
  const dropped: string[] = [];
  const stream = ReadableStream.from(chunks)
    .pipeThrough(new LineStream({ maxBytes: 200 }))
    .pipeThrough(
      new TelemetryStream({
        marker,
        catalogue: createCatalogue(),
        clock: new EventClock({
          now: () => ({ epoch: 1, monoUs: 0 }),
        }),
        counters,
        onReject: (line, reason) => rejects.push(`${line} | ${reason}`),
        onDropped: (some, line) =>
          dropped.push(...some.map(({ path }) => `${path} | ${line}`)),
        onText: (text, level) => texts.push(`${level} ${text}`),
      }),
    );
  for await (const some of stream) {
    assert.notEqual(some.length, 0);
    packets.push(...some);
    assert.equal(
      counters.lines,
      counters.packets + counters.rejects + counters.other,
    );
  }
  assert.deepEqual(
    [counters.packets, counters.rejects, counters.other],
    [packets.length, rejects.length, texts.length],
  );
  assert.equal(counters.lines, packets.length + rejects.length + texts.length);
  return { counters, packets, rejects, texts, dropped };
}

Deno.test("TelemetryStream gives each packet its time and line, the rest to whom it belongs", async () => {
  const good = '[INFO ] JSON sent via VCP: {"ts":7,"n1":{"t":27.6,"h":NaN}}\\n';
  const bad = 'JSON sent via VCP: {"n1":';
  const long = "x".repeat(300);
  const text = `boot\n${good}\n${bad}\n[WARN ] low\n${good}\n[DEBUG] ${long}\n`;
  const { packets, rejects, texts, dropped, counters } = await read([
    new TextEncoder().encode(text),
  ]);
  assert.deepEqual(counters, {
    lines: 6,
    packets: 2,
    rejects: 1,
    other: 3,
    truncated: 1,
  });
  assert.deepEqual(packets.map(({ at, line }) => [at.monoUs, line]), [
    [0, good],
    [8, good],
  ]);
  assert.deepEqual(packets[0]?.packet, {
    boardTs: 7,
    readings: [{ path: "n1.t", value: 27.6 }],
    dropped: [{ path: "n1.h", value: "NaN", reason: "not_a_number" }],
  });
  assert.deepEqual(rejects, [
    `${bad} | The line ends where a value should stand`,
  ]);
  assert.deepEqual(texts.slice(0, 2), ["info boot", "warning low"]);
  assert.deepEqual(dropped, [`n1.h | ${good}`, `n1.h | ${good}`]);
});

Deno.test("TelemetryStream gives any bytes in any chunks as those of the whole", async () => {
  const encoder = new TextEncoder();
  const part = fc.oneof(
    fc.constantFrom(...cases.map(({ line }) => encoder.encode(line))),
    fc.constantFrom(
      "\n",
      "\r\n",
      "\r",
      "JSON sent via VCP: ",
      "{",
      "}",
      '"',
      "\u001b[0m",
      "€",
    )
      .map((text) => encoder.encode(text)),
    fc.uint8Array({ maxLength: 12 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 30 }).map((parts) =>
        Uint8Array.from(parts.flatMap((p) => [...p]))
      ),
      fc.array(fc.nat(200), { minLength: 1, maxLength: 5 }),
      async (bytes, sizes) => {
        assert.deepEqual(await read(cut(bytes, sizes)), await read([bytes]));
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("TelemetryStream holds no broken line back that cannot become a packet like the last", async () => {
  const rejects: string[] = [];
  const stream = new TelemetryStream({
    marker: "JSON sent via VCP: ",
    catalogue: createCatalogue(),
    clock: new EventClock({ now: () => ({ epoch: 1, monoUs: 0 }) }),
    counters: { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 },
    onReject: (line) => void rejects.push(line),
    onText() {},
  });
  const reading = stream.readable.pipeTo(new WritableStream());
  const writer = stream.writable.getWriter();
  const broken = ['{"n1":', '{"ts":1,"n2":', '{"ts":1,"n1":{"t":2'];
  const going = '{"ts":2,"n1":{"t":';
  for (const json of ['{"ts":1,"n1":{"t":2}}', ...broken, going]) {
    const text = `JSON sent via VCP: ${json}`;
    await writer.write([{ text, truncated: false }]);
  }
  assert.equal(rejects.length, broken.length);
  await writer.close();
  await reading;
  assert.equal(rejects.length, broken.length + 1);
});

Deno.test("TelemetryStream without a marker takes the message of a panic for no packet", async () => {
  const at = "panicked at src/main.rs:138:50:";
  const cases: [text: string, packets: number, ...texts: string[]][] = [
    [
      `${at}\nErr value: {"n1":{"t":1}}\n{"n1":{"t":2}}\n`,
      1,
      'error The firmware panicked at src/main.rs:138:50: Err value: {"n1":{"t":1}}',
      'debug Err value: {"n1":{"t":1}}',
    ],
    [
      `${at} Err value: {"n1":{"t":1}}\n`,
      0,
      'error The firmware panicked at src/main.rs:138:50: Err value: {"n1":{"t":1}}',
    ],
    // The board was started anew before it could say more.
    [
      `${at}\n{"n1":{"t":2}}\n`,
      1,
      "error The firmware panicked at src/main.rs:138:50: without a message",
    ],
  ];
  for (const [text, count, ...expected] of cases) {
    const bytes = new TextEncoder().encode(text);
    const { packets, rejects, texts } = await read([bytes], "");
    assert.deepEqual([packets.length, rejects, texts], [count, [], expected]);
  }
});
