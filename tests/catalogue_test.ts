import assert from "node:assert/strict";
import fc from "fast-check";
import { type Metric, valueOf } from "../lib/catalogue.ts";
import type { Value } from "../lib/model.ts";

function metric(own: Partial<Metric> = {}): Metric {
  return {
    path: "x",
    node: "n",
    name: "x",
    measurement: "x",
    unit: null,
    retain: true,
    range: null,
    ...own,
  };
}

Deno.test("valueOf scales as one does on paper", () => {
  const cases: [value: number, scale: number, offset: number, is: number][] = [
    [271, 0.1, 0, 27.1],
    [1013, 0.01, 0, 10.13],
    [2731, 0.1, -273.15, -0.05],
    [3, 0.1, 0, 0.3],
    [1, 1e-7, 0, 1e-7],
    [-1, 0.5, 0.5, 0],
    [0, -1, 0, 0],
    [1.5e300, 10, 0, 1.5e301],
    [32, 1.8, 32, 89.6],
    [123456789012345, 0.001, 0, 123456789012.345],
    [7, 1 / 3, 0, 7 * (1 / 3)],
  ];
  for (const [value, scale, offset, is] of cases) {
    assert.ok(
      Object.is(valueOf(metric({ scale, offset }), value), is),
      `${value} * ${scale} + ${offset} is ${
        valueOf(metric({ scale, offset }), value)
      }`,
    );
  }
  assert.equal(valueOf(metric({ scale: 10 }), 1.7e308), undefined);
});

Deno.test("valueOf leaves a number without a scale as it is, and scales within a rounding", () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(number, number, number, (value, scale, offset) => {
      assert.equal(valueOf(metric(), value), value);
      const exact = value * scale + offset;
      const scaled = valueOf(metric({ scale, offset }), value);
      if (!Number.isFinite(exact)) return assert.equal(scaled, undefined);
      const size = Math.max(Math.abs(value * scale), Math.abs(offset));
      assert.ok(Math.abs(Number(scaled) - exact) <= size * 1e-15 + 1e-300);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("valueOf gives values of the metric's type alone", () => {
  const values: Value[] = [1, 1.5, 2 ** 60, true, false, "run", "1"];
  const kept = (own: Partial<Metric>) =>
    values.filter((value) => valueOf(metric(own), value) !== undefined);
  assert.deepEqual(kept({}), [1, 1.5, 2 ** 60]);
  assert.deepEqual(kept({ type: "integer" }), [1]);
  assert.deepEqual(kept({ type: "boolean" }), [true, false]);
  assert.deepEqual(kept({ type: "string" }), ["run", "1"]);
});
