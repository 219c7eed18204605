/**
 * How fast lines and packets are taken out of bytes, on one core: `deno bench tests/source/`.
 *
 * Each run is 100,000 lines: 100 ms are a million lines a second.
 *
 * @module
 */

import { createCatalogue } from "../../lib/catalogue.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import { LineStream } from "../../lib/source/line_stream.ts";
import { TelemetryStream } from "../../lib/source/telemetry_stream.ts";
import { SimulatedBoard } from "../../lib/simulator/board.ts";
import { simulate } from "../../lib/simulator/simulate.ts";

const LINES = 100_000;
const CHUNK = 65_536;

const bytes = simulated();

function simulated(): Uint8Array {
  const lines = new SimulatedBoard({ seed: 1, stepMs: 10_000 }).lines();
  return new TextEncoder().encode(
    lines.take(LINES).map((line) => `${line}\n`).toArray().join(""),
  );
}

function chunks(): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at += CHUNK));
    },
  });
}

Deno.bench("LineStream, 100,000 lines", async () => {
  await chunks().pipeThrough(new LineStream()).pipeTo(new WritableStream());
});

Deno.bench("LineStream and TelemetryStream, 100,000 lines", async () => {
  const clock = new EventClock({
    now: () => ({ epoch: 1, monoUs: performance.now() * 1000 }),
  });
  await chunks()
    .pipeThrough(new LineStream())
    .pipeThrough(
      new TelemetryStream({
        marker: "JSON sent via VCP: ",
        catalogue: createCatalogue(),
        clock,
        counters: { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 },
        onReject() {},
        onText() {},
      }),
    )
    .pipeTo(new WritableStream());
});

Deno.bench("simulate as fast as it is read, 50,000 packets", async () => {
  await simulate({
    intervalMs: 0,
    count: 50_000,
    seed: 1,
    write: () => Promise.resolve(),
    wait: () => Promise.resolve(),
    signal: new AbortController().signal,
  });
});
