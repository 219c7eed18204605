import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatMetricTable,
  proposeMetric,
  proposeMetrics,
} from "../lib/metric_proposal.ts";
import type { Value } from "../lib/model.ts";
import { formatPath } from "../lib/field_path.ts";
import { INFLUXDB, load } from "./config/load.ts";

const GUESSES: [path: string, value: Value, guess: string][] = [
  ["t", 21.5, "device/temperature celsius"],
  ["temp", 21.5, "device/temperature celsius"],
  ["rh", 48, "device/humidity percent"],
  ["p", 1013.2, "device/pressure hpa"],
  ["p", 101_320, "device/pressure pa"],
  ["p", 3.2, "device/pressure"],
  ["vbat", 3.71, "device/battery_voltage volt"],
  ["vbat", 3710, "device/battery_voltage millivolt"],
  ["env.hum", 40, "env/humidity percent"],
  ["motor.phase[1].current", 2.5, "motor_phase_1/current ampere"],
  ["temps[0]", 20, "device/temperature_0 celsius"],
  ["motorTempC", 60.5, "motor/temperature celsius"],
  ["motor_temp", 60.5, "motor/temperature celsius"],
  ["temp_f", 70, "device/temperature fahrenheit"],
  ["t1", 20, "device/temperature_1 celsius"],
  ["speed_rpm", 1200, "device/speed_rpm rpm"],
  ["radio.rssi", -71, "radio/rssi dbm"],
  ["radio.snr", 9, "radio/snr db"],
  ["uptime", 12345, "device/uptime, not retained"],
  ["stats.rx", 12, "stats/rx, not retained"],
  ["crc_err", 0, "device/crc_err, not retained"],
  ["fault", false, "device/fault boolean"],
  ["mode", "run", "device/mode string"],
  ["pump.on", true, "pump/on boolean"],
  ['["motor.speed"]', 5, "device/motor.speed"],
  ["weird key+#/$", 5, "device/weird_key_"],
  ["flow", 5.5, "device/flow"],
  ["kmh", 52, "device/speed kilometre_per_hour"],
  ["mps", 3.5, "device/speed metre_per_second"],
  ["speed_kmh", 52, "device/speed_kmh kilometre_per_hour"],
  ["windSpeedMps", 3.5, "device/windSpeedMps metre_per_second"],
  ["gps.speed_km_h", 52, "gps/speed_km_h kilometre_per_hour"],
  ["wind_m_s", 3.5, "device/wind_m_s metre_per_second"],
];

for (const [path, value, guess] of GUESSES) {
  Deno.test(`proposeMetric takes "${path}": ${value} for ${guess}`, () => {
    const { node, name, unit, type, retain } = proposeMetric(path, value);
    const kind = type === "number" ? "" : ` ${type}`;
    assert.equal(
      `${node}/${name}${unit === null ? "" : ` ${unit}`}${kind}${
        retain ? "" : ", not retained"
      }`,
      guess,
    );
  });
}

Deno.test("formatMetricTable says what is guessed", () => {
  assert.equal(
    formatMetricTable(proposeMetric("env.t", 21.5)),
    `[[metric]]
path = "env.t"  # the board sent 21.5
node = "env"
name = "temperature"
unit = "celsius"  # guessed from the name: correct it`,
  );
  assert.equal(
    formatMetricTable(proposeMetric("mode", "run")),
    `[[metric]]
path = "mode"  # the board sent "run"
node = "device"
name = "mode"
type = "string"`,
  );
  assert.equal(
    formatMetricTable(proposeMetric("rx", 7)),
    `[[metric]]
path = "rx"  # the board sent 7
node = "device"
name = "rx"
retain = false  # taken for a counter`,
  );
});

Deno.test("proposeMetrics gives no topic twice, nor one that is taken", () => {
  const topics = proposeMetrics([
    { path: "t", value: 1 },
    { path: "temp", value: 1 },
    { path: "T", value: 1 },
    { path: "node1.t", value: 1 },
    { path: "board.state", value: "run" },
    { path: "x.mode", value: 1 },
    { path: "y.mode", value: "run" },
  ], [
    { node: "device", name: "temperature_2", measurement: "temperature_2" },
  ])
    .map(({ node, name }) => `${node}/${name}`);
  assert.deepEqual(topics, [
    "device/temperature",
    "device/temperature_3",
    "device/temperature_4",
    "node1/temperature_2",
    "board/state_2",
    "x/mode",
    "y/mode_2",
  ]);
});

Deno.test("Whatever a board's fields are called, the proposed tables load", async () => {
  const part = fc.oneof(
    fc.nat(20),
    fc.constantFrom("t", "temp", "n1", "${HOME}", "$", "a.b", "__proto__x"),
    fc.string({ unit: "binary", maxLength: 12 }),
  );
  const value: fc.Arbitrary<Value> = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.string({ unit: "binary", maxLength: 12 }),
  );
  const field = fc.record({
    path: fc.tuple(fc.string({ unit: "binary", maxLength: 5 }), fc.array(part))
      .map(([first, rest]) => formatPath([`x${first}`, ...rest]))
      .filter((path) => path.length <= 200),
    value,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(field, { selector: ({ path }) => path, maxLength: 6 }),
      async (fields) => {
        const proposals = proposeMetrics(fields);
        const { metrics } = await load([
          'gateway.command = ["cat"]',
          INFLUXDB,
          ...proposals.map(formatMetricTable),
        ].join("\n"));
        assert.deepEqual(
          metrics.map(({ path, node, name, unit, retain, type = "number" }) => [
            ...[path, node, name, unit, retain, type],
          ]),
          proposals.map(({ path, node, name, unit, retain, type }) => [
            ...[path, node, name, unit, retain, type],
          ]),
        );
      },
    ),
    { numRuns: 200 },
  );
});
