import assert from "node:assert/strict";
import { check } from "./check.ts";
import { measuredPoint, RUN } from "./given.ts";
import type { MeasuredRatio } from "./results.ts";

const of = { side: "gateway", name: "messages/s" };
const to = { side: "mosquitto_pub", name: "messages/s" };

const found = (...ratios: MeasuredRatio[]) =>
  check([measuredPoint("throughput", [], ratios)]);

Deno.test("check takes what lies within its margins, by the median of the rounds", () => {
  assert.deepEqual(
    found(
      { of, to, atLeast: 0.3, values: [0.1, 0.3, 0.9] },
      { of, to, atMost: 0.3, values: [0.1, 0.3, 0.9] },
      { of, to, values: [7] },
      { of, to, values: [] },
    ),
    [],
  );
});

Deno.test("check says what was found and what was wanted", () => {
  assert.deepEqual(
    found(
      { of, to, atLeast: 0.3, values: [0.1, 0.2, 0.9] },
      { of, atLeast: 1, atMost: 2, values: [2.5] },
    ),
    [
      'throughput: messages/s of "gateway" is 0.200 of the messages/s of "mosquitto_pub", wanted at least 0.300',
      'throughput: messages/s of "gateway" is 2.50, wanted at least 1 and at most 2',
    ],
  );
});

Deno.test("check misses what a full run has not measured; a quick one may leave it out", () => {
  const point = measuredPoint("throughput", [], [{
    of,
    to,
    atLeast: 1,
    values: [],
  }]);
  assert.deepEqual(check([point]), [
    'throughput: messages/s of "gateway" is unknown of the messages/s of "mosquitto_pub", wanted at least 1',
  ]);
  assert.deepEqual(check([{ ...point, run: { ...RUN, size: "quick" } }]), []);
});
