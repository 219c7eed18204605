import assert from "node:assert/strict";
import { SimulatedBoard } from "../../lib/simulator/board.ts";

const TELEMETRY =
  /^\[INFO\] JSON sent via VCP: (\{.*\})\\n \(wk5_gateway_firmware wk5-gateway-firmware\/src\/main\.rs:573\)$/;

function packets(seed: number, count: number, stepMs = 10_000) {
  return new SimulatedBoard({ seed, stepMs }).lines()
    .map((line) => TELEMETRY.exec(line)?.[1])
    .filter((json) => json !== undefined)
    .take(count)
    .map((json) => ({ json, packet: JSON.parse(json) }))
    .toArray();
}

Deno.test("SimulatedBoard prints as probe-rs does, with other log lines in between", () => {
  const lines = new SimulatedBoard({ seed: 1, stepMs: 10_000 }).lines().take(
    2000,
  ).toArray();
  const other = lines.filter((line) => !TELEMETRY.test(line));
  assert.ok(lines.length - other.length > 900);
  assert.ok(
    other.some((line) =>
      line.startsWith("[WARN] LoRa packet dropped: CRC error")
    ),
  );
  assert.ok(
    other.some((line) =>
      line.startsWith("[DEBUG] LoRa packet received: RSSI -")
    ),
  );
  for (const line of other) {
    assert.match(
      line,
      /^\[(?:DEBUG|INFO|WARN)\] .+ \(wk5_gateway_firmware .+:\d+\)$/,
    );
  }
});

Deno.test("SimulatedBoard sends nine metrics in every packet, as the firmware writes them", () => {
  for (const { json } of packets(7, 500)) {
    assert.match(
      json,
      /^\{"ts":\d+,"id":"N2","n1":\{"t":\d\d\.\d,"h":\d\d\.\d,"g":\d+\},"n2":\{"t":\d\d\.\d,"p":\d{4}\.\d\},"sig":\{"rssi":-\d+,"snr":\d+\},"sts":\{"rx":\d+,"err":\d+\}\}$/,
    );
  }
});

Deno.test("SimulatedBoard's values move slowly within what the real board shows", () => {
  const all = packets(3, 20_000).map(({ packet }) => packet);
  const ranges: [
    string,
    (packet: typeof all[0]) => number,
    number,
    number,
    number,
  ][] = [
    ["n1.t", (packet) => packet.n1.t, 26, 28, 0.3],
    ["n1.h", (packet) => packet.n1.h, 52, 56, 0.5],
    ["n1.g", (packet) => packet.n1.g, 80_000, 105_000, 401],
    ["n2.t", (packet) => packet.n2.t, 26, 28, 0.3],
    ["n2.p", (packet) => packet.n2.p, 1012, 1014, 0.2],
    ["rssi", (packet) => packet.sig.rssi, -39, -30, 3],
    ["snr", (packet) => packet.sig.snr, 9, 13, 2],
  ];
  for (const [name, read, min, max, step] of ranges) {
    const values = all.map(read);
    assert.ok(values.every((value) => value >= min && value <= max), name);
    assert.ok(
      Math.max(...values) - Math.min(...values) > (max - min) / 2,
      `${name} moves`,
    );
    const steps = values.slice(1).map((value, i) =>
      Math.abs(value - (values[i] ?? NaN))
    );
    assert.ok(steps.every((one) => one <= step + 1e-9), `${name} moves slowly`);
  }
});

Deno.test("SimulatedBoard counts time, packets and now and then a CRC error", () => {
  const all = packets(5, 5000, 250).map(({ packet }) => packet);
  all.forEach(({ ts, sts }, i) =>
    assert.deepEqual([ts, sts.rx], [(i + 1) * 250, i + 1])
  );
  assert.ok(all.at(-1).sts.err > 10 && all.at(-1).sts.err < 200);
});

Deno.test("SimulatedBoard's clock wraps as the board's does", () => {
  const all = packets(5, 3, 2 ** 31).map(({ packet }) => packet.ts);
  assert.deepEqual(all, [2 ** 31, 0, 2 ** 31]);
});

Deno.test("SimulatedBoard says the same for a seed and something else for another", () => {
  assert.deepEqual(packets(9, 50), packets(9, 50));
  assert.notDeepEqual(packets(9, 50), packets(10, 50));
});
