import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import type { Value } from "../../lib/model.ts";
import {
  type LivePacket,
  LiveValues,
  type LiveValuesOptions,
} from "../../lib/cli/live_values.ts";

const NOON = new Date(2026, 10, 23, 12, 0, 0).getTime() * 1000;

function packet(values: Record<string, Value>, board = "", timeUs = NOON) {
  const readings = Object.entries(values).map(([path, value]) => ({
    path,
    value,
  }));
  return { board, timeUs, readings };
}

function createLive(
  options: Partial<LiveValuesOptions> = {},
  catalogue = createCatalogue(),
) {
  const lines: string[] = [];
  const clock = { ms: 0 };
  let written = Promise.resolve();
  const live = new LiveValues(catalogue, {
    mark: "",
    write: (line) => {
      lines.push(line);
      return written = Promise.resolve();
    },
    columns: () => 200,
    color: false,
    now: () => clock.ms,
    ...options,
  });
  const show = async (packet: LivePacket) => {
    live.show(packet);
    await written;
  };
  return { live, show, lines, clock };
}

Deno.test("LiveValues shows time, mark, and the values of each node with their units", () => {
  const { live, lines } = createLive({ mark: "SIMULATED" });
  live.show(packet({
    "n1.t": 27.6,
    "n1.h": 54.1,
    "n1.g": 84190,
    "n2.t": -0.5,
    "n2.p": 1013.2,
    "sig.rssi": -39,
    "sig.snr": 9,
    "sts.rx": 42,
    "unknown": 1,
  }));
  assert.deepEqual(lines, [
    "12:00:00 SIMULATED node1 27.6 °C 54.1 % 84190 Ω │ node2 −0.5 °C 1013.2 hPa │ signal −39 dBm 9 dB │ stats packets_received 42",
  ]);
});

Deno.test("LiveValues shows units it has no sign for as they are, and the board's name", () => {
  const metric = {
    path: "co2",
    node: "room",
    name: "co2",
    measurement: "co2",
    unit: "ppm",
    retain: true,
    range: null,
  };
  const { live, lines } = createLive({}, createCatalogue([metric]));
  live.show(packet({ co2: 415 }, "hall"));
  assert.deepEqual(lines, ["12:00:00 hall: room 415 ppm"]);
});

Deno.test("LiveValues writes at most one line a second per board and says what it passed over", async () => {
  const { show, lines, clock } = createLive();
  for (clock.ms = 0; clock.ms <= 1000; clock.ms += 250) {
    await show(packet({ "n1.t": clock.ms }, "a"));
    if (clock.ms === 500) await show(packet({ "n1.t": 1 }, "b"));
  }
  assert.deepEqual(lines, [
    "12:00:00 a: node1 0 °C",
    "12:00:00 b: node1 1 °C",
    "12:00:00 a: node1 1000 °C (and 3 more)",
  ]);
});

Deno.test("LiveValues shows every packet of a board that sends one a second, however it jitters", async () => {
  const { show, lines, clock } = createLive();
  for (let second = 0; second < 60; second++) {
    clock.ms = second * 1000 + (second % 3 - 1) * 30;
    await show(packet({ "n1.t": second }));
  }
  assert.equal(lines.length, 60);
});

Deno.test("LiveValues cuts a line at the terminal's width", () => {
  const cases: [columns: number, line: string][] = [
    [26, "12:00:00 node1 27.6 °C 5 %"],
    [25, "12:00:00 node1 27.6 °C 5…"],
    [10, "12:00:00 …"],
  ];
  for (const [columns, line] of cases) {
    const { live, lines } = createLive({ columns: () => columns });
    live.show(packet({ "n1.t": 27.6, "n1.h": 5 }));
    assert.deepEqual(lines, [line]);
  }
});

Deno.test("LiveValues colours the time and the mark only on request", () => {
  const { live, lines } = createLive({ color: true, mark: "SIMULATED" });
  live.show(packet({ "n1.t": 1 }));
  assert.deepEqual(lines, [
    "\x1b[2m12:00:00\x1b[0m\x1b[33m SIMULATED\x1b[0m node1 1 °C",
  ]);
});

Deno.test("LiveValues passes over and counts what comes while a line is being written", async () => {
  const lines: string[] = [];
  let stalled = Promise.withResolvers<void>();
  const { live, clock } = createLive({
    write: (line) => {
      lines.push(line);
      return stalled.promise;
    },
  });
  const showFor = (seconds: number) => {
    for (const end = clock.ms + seconds * 1000; clock.ms < end;) {
      live.show(packet({ "n1.t": clock.ms }));
      clock.ms += 1000;
    }
  };
  showFor(4);
  assert.deepEqual(lines, ["12:00:00 node1 0 °C"]);

  stalled.resolve();
  await stalled.promise;
  stalled = Promise.withResolvers();
  showFor(2);
  assert.deepEqual(lines.slice(1), ["12:00:00 node1 4000 °C (and 3 more)"]);

  stalled.reject(new Deno.errors.BrokenPipe());
  await stalled.promise.catch(() => {});
  showFor(1);
  assert.deepEqual(lines.slice(2), ["12:00:00 node1 6000 °C (and 1 more)"]);
});
