import assert from "node:assert/strict";
import { figure, measuredPoint, RUN } from "./given.ts";
import { describeRun, formatNumber, formatPoint } from "./table.ts";

Deno.test("formatNumber shows three digits, and all of what is larger", () => {
  const numbers: [number, string][] = [
    [0, "0"],
    [3, "3"],
    [8431.4, "8,431"],
    [123.45, "123"],
    [12.34, "12.3"],
    [0.1183, "0.118"],
    [0.0013849, "0.00138"],
    [-2.5, "-2.50"],
  ];
  for (const [value, text] of numbers) assert.equal(formatNumber(value), text);
});

Deno.test("formatPoint shows the median, its spread, and the ratio to the anchor", () => {
  const of = { side: "gateway", name: "messages/s" };
  const point = measuredPoint("throughput", [
    figure("gateway", "messages/s", [40_000, 50_000, 41_000]),
    figure("gateway", "CPU per packet", [0.12, 0.11, 0.1], "ms"),
    figure("mosquitto_pub", "messages/s", [100_000, 100_000, 100_000]),
  ], [
    {
      of,
      to: { side: "mosquitto_pub", name: "messages/s" },
      values: [0.4, 0.5, 0.41],
    },
    { of, to: { side: "nobody", name: "messages/s" }, values: [] },
  ]);
  assert.equal(
    formatPoint({ ...point, notes: ["A note"] }),
    `Title of throughput
  A note
  side           figure            median  min to max          ratio
  gateway        messages/s        41,000  40,000 to 50,000    0.410 of mosquitto_pub
  gateway        CPU per packet  0.110 ms  0.100 to 0.120
  mosquitto_pub  messages/s       100,000  100,000 to 100,000`,
  );
});

Deno.test("describeRun names machine, program and rounds, and what it was measured against", () => {
  const before = { ...RUN.build, commit: "abc" };
  assert.deepEqual(describeRun({ ...RUN, before, size: "quick", rounds: 1 }), [
    "A CPU, 2 cores, 8 GB, Linux 6.1.0, ext4",
    "iiot-gateway 0.1.0 (Deno 2.9.6, x86_64-unknown-linux-gnu), source, commit 0123456789, 2026-01-02T03:04:05.000Z",
    "before: iiot-gateway 0.1.0 (Deno 2.9.6, x86_64-unknown-linux-gnu), source, commit abc",
    "median of 1 round, quick",
  ]);
});
