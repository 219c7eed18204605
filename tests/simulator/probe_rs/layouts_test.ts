import assert from "node:assert/strict";
import { createCatalogue } from "../../../lib/catalogue.ts";
import {
  type LayoutName,
  LAYOUTS,
} from "../../../lib/simulator/probe_rs/scenario.ts";
import { EventClock } from "../../../lib/source/event_clock.ts";
import type { FirmwarePanic } from "../../../lib/source/firmware_log.ts";
import { LineStream } from "../../../lib/source/line_stream.ts";
import { TelemetryStream } from "../../../lib/source/telemetry_stream.ts";
import { Desk, events, minorOf, VERSIONS } from "./desk.ts";

const RUN = "run --chip STM32F446RETx fw.elf";
const MARKER = "JSON sent via VCP: ";

/** What the gateway makes of what was printed. */
async function read(stdout: string) {
  const counters = { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 };
  const panics: FirmwarePanic[] = [];
  const texts: string[] = [];
  const seconds: number[] = [];
  const stream = new Blob([stdout]).stream()
    .pipeThrough(new LineStream({ maxBytes: 8192, marker: MARKER }))
    .pipeThrough(
      new TelemetryStream({
        marker: MARKER,
        catalogue: createCatalogue(),
        clock: new EventClock({ now: () => ({ epoch: 1, monoUs: 0 }) }),
        counters,
        onReject: () => {},
        onText: (text, level) => void texts.push(`${level} ${text}`),
        onPanic: (panic) => void panics.push(panic),
      }),
    );
  for await (const some of stream) {
    seconds.push(...some.map(({ packet }) => (packet.boardTs ?? NaN) / 1000));
  }
  return { counters, panics, texts, seconds };
}

const FIRST_LINES: Readonly<Record<LayoutName, RegExp>> = {
  "defmt":
    /^\[INFO \] Gateway firmware started.* \(wk5_gateway_firmware .*:212\)\n/,
  "defmt-time": /^0\.000000 \[INFO \] Gateway firmware .* \(wk5_.*:212\)\n/,
  "defmt-two-line":
    /^0\.000000 INFO {2}Gateway firmware .* MHz\n└─ wk5_gateway_firmware::main @ .*:212\n/,
  "println": /^Gateway firmware started, listening on 868 MHz\n/,
  "rtt":
    /^Gateway firmware started.* MHz\n\d\d:\d\d:\d\d\.\d{3}: LoRa packet received/,
  "channels": /^\[Terminal\] Gateway firmware started.* MHz\n/,
};

for (const layout of LAYOUTS) {
  Deno.test(`The gateway reads every packet and the panic that the stand-in prints as "${layout}"`, async () => {
    for (const version of VERSIONS) {
      const event = events([60.5, "panic"]);
      const desk = new Desk({ version, layout, event });
      const flags = minorOf(version) < 28
        ? ""
        : " --no-catch-reset --no-catch-hardfault";
      const { stdout } = await desk.call(RUN + flags, { until_s: 70 });
      assert.match(stdout, FIRST_LINES[layout]);
      const { counters, panics, texts, seconds } = await read(stdout);
      const packets = Array.from({ length: 59 }, (_, i) => i + 1);
      assert.deepEqual(seconds, packets, version);
      assert.equal(counters.rejects, 0);
      assert.deepEqual(panics, [{
        message: "called `Result::unwrap()` on an `Err` value: Timeout",
        location: "wk5-gateway-firmware/src/radio.rs:138:50",
      }], version);
      assert.ok(
        texts.some((text) => text.endsWith(" dBm, SNR 11 dB")),
        texts.join("\n"),
      );
    }
  });
}

Deno.test("--no-location, --no-timestamps and --log-format full change the lines of defmt", async () => {
  const print = async (layout: LayoutName, flags: string) => {
    const desk = new Desk({ layout });
    return (await desk.call(`${RUN} ${flags}`, { until_s: 3 })).stdout;
  };
  assert.match(await print("defmt", "--no-location"), /^\[INFO \] G.* MHz\n\[/);
  assert.match(await print("defmt-time", "--no-timestamps"), /^\[INFO \] Gate/);
  assert.match(
    await print("defmt", "--log-format full"),
    /^0\.000000 INFO {2}Gateway .*\n└─ /,
  );
  assert.match(
    await print("rtt", "--no-timestamps"),
    /^Gateway firmware .*\nLoRa packet/,
  );
});
