import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { fieldMetric } from "../../lib/field_metric.ts";
import { PacketShapes } from "../../lib/source/packet_shape.ts";
import { parseLine, type ParseOptions } from "../../lib/source/telemetry.ts";
import { keptBytes } from "../heap.ts";

const CHUNK = 64 * 1024;
const MARKER = "JSON sent: ";

/** Lines as they come: each is cut out of a chunk. */
function* linesOf(count: number, json: (number: number) => string) {
  for (let i = 0; i < count; i++) {
    const text = `${MARKER}${json(i)}`;
    const bytes = new TextEncoder().encode(text.padEnd(CHUNK));
    yield new TextDecoder().decode(bytes).slice(0, text.length);
  }
}

/** Bytes that are kept once `run` is over, as long as what it gives is. */
function keptBy(run: () => unknown): number {
  const before = keptBytes();
  const result = run();
  const kept = keptBytes() - before;
  assert.ok(result);
  return kept;
}

/** What packets that are kept keep. */
function keptByPackets(count: number, options: ParseOptions): number {
  return keptBy(() =>
    linesOf(count, (i) => `{"state":"it runs for ${i} s"}`).map((text) => {
      const parsed = parseLine({ text, truncated: false }, options);
      assert.equal(parsed.kind, "packet");
      return parsed;
    }).toArray()
  );
}

const TEXTS: ParseOptions = {
  marker: MARKER,
  catalogue: createCatalogue([{ ...fieldMetric("state")!, type: "string" }]),
};

Deno.test("A text that is kept of a packet keeps nothing else of what was read", () => {
  const count = 100;
  const withCare = keptByPackets(count, TEXTS);
  assert.ok(withCare < count * CHUNK / 4, `${withCare} bytes`);
  const alike = keptByPackets(count, { ...TEXTS, shapes: new PacketShapes() });
  assert.ok(alike < count * CHUNK / 4, `${alike} bytes`);
});

Deno.test("What is known of the packets of a board keeps no line", () => {
  const shapes = new PacketShapes();
  const count = 16;
  const kept = keptBy(() => {
    // Each has one space more, and so another shape.
    const lines = linesOf(
      count,
      (i) => `{"n1":{"t":27.6},"sig":{"rssi":-81}${" ".repeat(i)}}`,
    );
    for (const text of lines) {
      parseLine({ text, truncated: false }, { ...TEXTS, shapes });
    }
    return shapes;
  });
  assert.ok(kept < count * CHUNK / 4, `${kept} bytes`);
});
