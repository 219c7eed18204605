import assert from "node:assert/strict";
import fc from "fast-check";
import { createCatalogue, topicOf } from "../lib/catalogue.ts";
import { fieldMetric } from "../lib/field_metric.ts";
import { formatPath } from "../lib/field_path.ts";
import { LineProtocol } from "../lib/sink/line_protocol.ts";
import { MqttTopics } from "../lib/sink/mqtt_topics.ts";
import { row } from "./sink/given.ts";

Deno.test("fieldMetric sends a field where its path leads", () => {
  const cases: [
    path: string,
    topic: string,
    measurement: string,
    node: string,
  ][] = [
    ["t", "t", "t", ""],
    ["a.b", "a/b", "b", "a"],
    [
      "motor.phase[1].current",
      "motor/phase/1/current",
      "current",
      "motor_phase_1",
    ],
    ["list[0]", "list/0", "list", "0"],
    ["a.x[2][3]", "a/x/2/3", "x", "a_2_3"],
    ['["a+b/#"].c d', "a_b_/c_d", "c_d", "a_b_"],
    ['["c d"]', "c_d", "c_d", ""],
    ["_x", "_x", "x", ""],
    ["température", "température", "température", ""],
  ];
  for (const [path, topic, measurement, node] of cases) {
    const metric = fieldMetric(
      path === '["a+b/#"].c d' ? '["a+b/#"]["c d"]' : path,
    );
    assert.ok(metric, path);
    assert.deepEqual(
      [topicOf(metric), metric.measurement, metric.node],
      [topic, measurement, node],
    );
  }
});

Deno.test("fieldMetric makes no topic of what is no path, too long, or a prototype", () => {
  for (
    const path of ["", "a..b", "x".repeat(201), "__proto__", "a.__proto__"]
  ) {
    assert.equal(fieldMetric(path), undefined, path);
  }
});

Deno.test("Whatever a board's keys are, topics and points hold no wildcard, level or field of their making", () => {
  const part = fc.oneof(
    fc.nat(1000),
    fc.constantFrom(
      "+",
      "#",
      "/",
      "$SYS",
      "a/b",
      " ",
      ",",
      "=",
      "\\",
      "_",
      "\u0000",
    ),
    fc.string({ unit: "binary", minLength: 1, maxLength: 80 }),
  );
  const catalogue = createCatalogue([], { hasFields: true });
  const topics = new MqttTopics("iiot", true, catalogue);
  const lines = new LineProtocol(catalogue, {});
  let made = 0;
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const path = formatPath(parts);
      const name = topics.of("", path)?.name;
      if (name === undefined) return;
      made++;
      assert.equal(name.split("/").length, parts.length + 1, name);
      assert.doesNotMatch(name, /[+#$\s\p{C}]/u);
      assert.doesNotMatch(name, /\/(\/|$)/);
      const given = row(1, { [path]: 'a"b\\' });
      const line = lines.line(given, given.readings[0]!);
      assert.match(
        line ?? "",
        /^(?!_)(?:[^\s,\\]|\\[ ,])+(?:,node=(?:[^\s,=\\]|\\[ ,=])+)? value_text="a\\"b\\\\" \d+$/u,
      );
    }),
    { numRuns: 3000 },
  );
  assert.ok(made > 1000, `${made} topics were made`);
});

Deno.test("A catalogue with fields has those of its own metrics as they are", () => {
  const catalogue = createCatalogue([], { hasFields: true });
  assert.equal(catalogue.get("n1.t")?.unit, "celsius");
  assert.equal(catalogue.get("x.y")?.name, "y");
  assert.equal([...catalogue.keys()].length, 10);
  assert.equal(createCatalogue().get("x.y"), undefined);
});
