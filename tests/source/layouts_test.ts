/**
 * What probe-rs prints, from bytes to packets and log lines, every layout of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createCatalogue } from "../../lib/catalogue.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import type { FirmwarePanic } from "../../lib/source/firmware_log.ts";
import { LineStream } from "../../lib/source/line_stream.ts";
import {
  type SourcedPacket,
  TelemetryStream,
} from "../../lib/source/telemetry_stream.ts";
import outputs from "../testdata/source/outputs.json" with { type: "json" };
import { cut } from "./cut.ts";

const MARKER = "JSON sent via VCP: ";
const MAX_BYTES = 512;

/** All that becomes of what a child prints. */
async function read(chunks: Iterable<Uint8Array>, marker = MARKER) {
  const counters = { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 };
  const packets: SourcedPacket[] = [];
  const rejects: string[] = [];
  const texts: string[] = [];
  const panics: FirmwarePanic[] = [];
  const stream = ReadableStream.from(chunks)
    .pipeThrough(new LineStream({ maxBytes: MAX_BYTES, marker }))
    .pipeThrough(
      new TelemetryStream({
        marker,
        catalogue: createCatalogue(),
        clock: new EventClock({ now: () => ({ epoch: 1, monoUs: 0 }) }),
        counters,
        onReject: (_line, reason) => void rejects.push(reason),
        onText: (text, level) => void texts.push(`${level} ${text}`),
        onPanic: (panic) => void panics.push(panic),
      }),
    );
  for await (const some of stream) packets.push(...some);
  assert.deepEqual(counters, {
    ...counters,
    lines: packets.length + rejects.length + texts.length,
    packets: packets.length,
    rejects: rejects.length,
    other: texts.length,
  });
  return { counters, packets, rejects, texts, panics };
}

const readings = (packets: readonly SourcedPacket[]) =>
  packets.map(({ packet }) =>
    packet.readings.map(({ path, value }) => `${path}=${value}`).join(" ")
  );

const encode = (text: string) => new TextEncoder().encode(text);

interface Output {
  readonly name: string;
  readonly printed: readonly string[];
  readonly packets?: readonly string[];
  readonly rejects?: readonly string[];
  readonly texts?: readonly string[];
  readonly panics?: readonly FirmwarePanic[];
}

for (const one of outputs as Output[]) {
  Deno.test(`TelemetryStream reads ${one.name}`, async () => {
    const bytes = encode(one.printed.join("\n") + "\n");
    for (const sizes of [[bytes.length], [1], [7, 31]]) {
      const { packets, rejects, texts, panics } = await read(cut(bytes, sizes));
      assert.deepEqual(
        { packets: readings(packets), rejects, texts, panics },
        {
          packets: one.packets ?? [],
          rejects: one.rejects ?? [],
          texts: one.texts ?? [],
          panics: one.panics ?? [],
        },
      );
    }
  });
}

const PACKET = `${MARKER}{"ts":12000,"id":"N2","n1":{"t":27.6,"h":54.1},` +
  `"sig":{"rssi":-39,"snr":13},"sts":{"rx":1,"err":0}}\\n`;
const VALUES = [
  "n1.t=27.6 n1.h=54.1 sig.rssi=-39 sig.snr=13 sts.rx=1 sts.err=0",
];

const channel = fc.constantFrom(
  "",
  "[Terminal] ",
  "[defmt   ] [defmt   ] ",
);
/** `PACKET` in any layout, its newline included. */
const laidOut = fc.tuple(
  channel,
  fc.constantFrom("", "0.000000 ", "00:00:12.345 ", "12:34:56.789: "),
  fc.constantFrom("", "[INFO ] ", "[INFO] ", "INFO  "),
  fc.constantFrom(
    "",
    " (app src/main.rs:573)",
    " (<crate> └─ <invalid location: defmt frame-index: 3>:0)",
    "\n└─ app::main @ src/main.rs:573",
    "\ufffd",
  ),
  fc.constantFrom("\n", "\r\n"),
).map(([name, time, level, location, end]) =>
  `${name}${time}${level}${PACKET}${location}${end}`
);

Deno.test("TelemetryStream gives a packet in any layout the same, however it is cut into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(
      laidOut,
      fc.array(fc.nat(90), { minLength: 1, maxLength: 6 }),
      async (line, sizes) => {
        const { packets, rejects } = await read(cut(encode(line), sizes));
        assert.deepEqual([readings(packets), rejects], [VALUES, []]);
      },
    ),
    { numRuns: 500 },
  );
});

const UNCERTAIN =
  "A channel's name stands within the packet, and what it hides is not certain";

/** Whether `PACKET` stands beside a number of its JSON, or one of its digits, at `at`. */
function touchesNumber(at: number): boolean {
  const isJson = at > MARKER.length && at < PACKET.lastIndexOf("}") + 1;
  const around = PACKET.slice(at - 1, at + 1);
  return isJson && /[-\d.]/.test(around);
}

Deno.test("TelemetryStream joins a line that polls broke anywhere but beside a number", async () => {
  for (const between of ["\n", "\r\n"]) {
    for (let at = 1; at < PACKET.length; at++) {
      const broken = PACKET.slice(0, at) + between + PACKET.slice(at);
      const { packets, counters } = await read([
        encode(`${PACKET}\n${broken}\n`),
      ]);
      assert.deepEqual(
        readings(packets),
        touchesNumber(at) ? VALUES : [...VALUES, ...VALUES],
        broken,
      );
      assert.equal(counters.lines, 3);
    }
  }
});

Deno.test("TelemetryStream takes a channel's name out of a packet's midst, unless it stands beside a number", async () => {
  const before = `[Terminal] ${PACKET}\n12:00:00.000: `;
  for (let at = 1; at < PACKET.length; at++) {
    const line = `${PACKET.slice(0, at)}[Terminal] ${PACKET.slice(at)}`;
    const { packets, rejects } = await read([encode(`${before}${line}\n`)]);
    assert.deepEqual(
      [readings(packets), rejects],
      touchesNumber(at) ? [VALUES, [UNCERTAIN]] : [[...VALUES, ...VALUES], []],
      line,
    );
  }
});

Deno.test("TelemetryStream takes a marker in brackets for no channel's name", async () => {
  const json = PACKET.slice(MARKER.length);
  const markers: [marker: string, before: string][] = [
    ["[wx] ", "[wx] "],
    ["[wx]", "[wx]"],
    ["[wx]", "[wx] "],
    ["wx] ", "[wx] "],
    ["[wx] data: ", "[wx] data: "],
    ["at [wx] ", "at [wx] "],
  ];
  for (const [marker, before] of markers) {
    const packet = `${before}${json}`;
    const channel = `[Terminal] ${packet}`;
    const at = before.length + 2;
    const within = `${packet.slice(0, at)}[Terminal] ${packet.slice(at)}`;
    const lines = ["[sys] hello", packet, channel, packet, within, packet];
    const { packets, rejects } = await read(
      [encode(`${lines.join("\n")}\n`)],
      marker,
    );
    assert.deepEqual(
      [readings(packets), rejects],
      [Array(5).fill(VALUES[0]), []],
      marker,
    );
    const two = await read([encode(`${packet}\n${packet}${packet}\n`)], marker);
    assert.deepEqual(
      [readings(two.packets), two.rejects],
      [VALUES, ["Two packets in one line"]],
      marker,
    );
  }
});

Deno.test("TelemetryStream gives no value that the board did not print, whatever is lost where a line was broken", async () => {
  const other = PACKET.replace("27.6", "11.5").replace("54.1", "22.2");
  await fc.assert(
    fc.asyncProperty(
      fc.nat(PACKET.length),
      fc.nat(PACKET.length),
      async (head, tail) => {
        const text = `${PACKET}\n${PACKET.slice(0, head)}\n${
          other.slice(tail)
        }\n`;
        const known = new Set([
          ...VALUES,
          ...readings(
            (await read([encode(`${other}\n`)])).packets,
          ),
        ].flatMap((values) => values.split(" ")));
        for (const values of readings((await read([encode(text)])).packets)) {
          for (const one of values.split(" ")) assert.ok(known.has(one), text);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("TelemetryStream finds the packet of a channel behind bytes without end, and counts them once", async () => {
  for (const length of [100, 490, 505, 510, 512, 513, 600, 5000]) {
    const hex = "0x2a".repeat(2000).slice(0, length);
    const bytes = encode(`${hex}[Terminal] ${PACKET}\n${hex}${hex}\nboot\n`);
    for (const sizes of [[bytes.length], [1], [13, 64]]) {
      const { packets, rejects, counters } = await read(cut(bytes, sizes));
      assert.deepEqual([readings(packets), rejects], [VALUES, []]);
      assert.ok(counters.lines <= 4, `${counters.lines}`);
    }
  }
});

Deno.test("TelemetryStream says once that a channel prints bytes", async () => {
  const hex = "0x2a".repeat(5000);
  const { texts, counters, rejects } = await read(
    cut(encode(`${hex}\n${hex}\n`), [64]),
  );
  assert.deepEqual(texts.map((text) => text.split(" ")[0]), [
    "warning",
    "debug",
  ]);
  assert.ok(texts.every((text) => text.length < 150));
  assert.deepEqual([counters.truncated, counters.lines, rejects], [2, 2, []]);
});
