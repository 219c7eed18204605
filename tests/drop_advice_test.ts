import assert from "node:assert/strict";
import type { Metric } from "../lib/catalogue.ts";
import { adviseDrop } from "../lib/drop_advice.ts";
import type { DroppedReading } from "../lib/model.ts";

type Type = Metric["type"];
const RANGE = [0, 100] as const;

const CASES: readonly [
  value: string,
  reason: DroppedReading["reason"],
  type: Type,
  said: RegExp,
][] = [
  [
    "true",
    "wrong_type",
    undefined,
    /^Not sent: a\.b = true, and its \[\[metric\]\] is for a number\. To do: set type = "boolean" in that table in config\.toml$/,
  ],
  ['"run"', "wrong_type", "boolean", /for true or false\. .* type = "string"/],
  ["1.5", "wrong_type", "integer", /for a whole number\. .* type = "number"/],
  ["7", "wrong_type", "string", /for a text of 1 to 64 .* type = "number"/],
  ["{…}", "wrong_type", "number", /: name a field inside it as its path/],
  ['""', "wrong_type", "string", /: let the firmware print such a value$/],
  ["nan", "not_a_number", "number", /= nan, which is no number\. .*sensor/],
  ["180", "implausible", "number", /cannot be: possible are 0 to 100\. To do/],
];

for (const [value, reason, type, said] of CASES) {
  Deno.test(`A reading ${value} that is ${reason} for ${type ?? "a metric without type"} is told with what to do`, () => {
    const reading = { path: "a.b", value, reason };
    assert.match(adviseDrop(reading, { type, range: RANGE }), said);
  });
}

Deno.test("A reading that is not sent is shown shortly", () => {
  const value = `"${"x".repeat(5000)}"`;
  const drop = { path: "a", value, reason: "wrong_type" } as const;
  assert.ok(adviseDrop(drop, undefined).length < 250);
});
