import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import type { Field } from "../../lib/metric_proposal.ts";
import {
  UnknownFields,
  type UnknownFieldsMode,
} from "../../lib/source/unknown_fields.ts";
import { INFLUXDB, load } from "../config/load.ts";
import { captureLog } from "./log_capture.ts";

function fieldsOf(mode: UnknownFieldsMode, foreignLevels: string[] = []) {
  return new UnknownFields({
    mode,
    catalogue: createCatalogue(),
    foreignLevels,
  });
}

const field = (path: string, value: Field["value"] = 1): Field => ({
  path,
  value,
});
const many = (count: number, name = "k") =>
  Array.from({ length: count }, (_, i) => field(`${name}${i}`));

Deno.test("UnknownFields tells each field once, a record for each kind of packet, as lines that load", async () => {
  await using log = await captureLog();
  const fields = fieldsOf("hint");
  fields.note([field("env.t", 21.5), field("mode", "run")], false);
  fields.note([field("env.t", 22), field("mode", "idle")], false);
  fields.note([field("mode", "run"), field("env.hum", 40)], true);
  assert.equal(log.records.length, 2);
  const [first, second] = log.records;
  assert.deepEqual(
    [first?.level, second?.level],
    ["warning", "info"],
    "that nothing of a packet is sent is worse",
  );
  const lines = log.records.flatMap(({ properties }) =>
    properties["lines"] as string[]
  );
  const { metrics } = await load(
    ['gateway.command = ["cat"]', INFLUXDB, ...lines].join("\n"),
  );
  assert.deepEqual(
    metrics.map(({ path, node, name, unit }) => [path, node, name, unit]),
    [
      ["env.t", "env", "temperature", "celsius"],
      ["mode", "device", "mode", null],
      ["env.hum", "env", "humidity", "percent"],
    ],
  );
});

Deno.test("UnknownFields tells of 100 fields at most, and that there are more once", async () => {
  await using log = await captureLog();
  const fields = fieldsOf("hint");
  fields.note(many(70, "a"), true);
  fields.note(many(70, "b"), true);
  fields.note(many(70, "c"), true);
  const tables = log.records.flatMap(({ properties }) =>
    (properties["lines"] as string[] | undefined) ?? []
  ).filter((line) => line === "[[metric]]");
  assert.equal(tables.length, 100);
  assert.equal(
    log.lines.filter((line) => line.includes("more than 100 fields")).length,
    1,
  );
});

Deno.test("UnknownFields sends 100 fields as they are, and says once that there are more", async () => {
  await using log = await captureLog();
  const fields = fieldsOf("publish");
  const sent = many(150).filter((one) => fields.metricOf(one) !== undefined);
  assert.equal(sent.length, 100);
  assert.equal(fields.metricOf(field("k5"))?.topic, "k5");
  assert.equal(fields.metricOf(field("k149")), undefined);
  assert.equal(log.lines.length, 1);
  assert.match(log.lines[0]!, /more than 100 fields/);
});

Deno.test("UnknownFields lets no field take the topic or the series of another", async () => {
  await using log = await captureLog();
  const fields = fieldsOf("publish", ["hall", "history"]);
  const topics = [
    ...["node1.temperature", "gateway.state", "board.detail", "hall.x.y"],
    ...["history.node1.temperature", "a.b[1]", "a[1].b", '["a b"]', '["a#b"]'],
  ].map((path) => fields.metricOf(field(path))?.topic);
  assert.deepEqual(topics, [
    ...[undefined, undefined, undefined, undefined, undefined],
    ...["a/b/1", undefined, "a_b", undefined],
  ]);
  fields.metricOf(field("hall.x.y"));
  assert.equal(log.lines.length, 7, "each is said once");
});

Deno.test("UnknownFields gives fields of before the places that they had, in whatever order they come", async () => {
  await using log = await captureLog();
  const known = ["a[1].b", ...many(60, "old").map(({ path }) => path)];
  for (const knownPaths of [known, known.toReversed()]) {
    const fields = new UnknownFields({
      mode: "publish",
      catalogue: createCatalogue(),
      knownPaths,
    });
    const isSent = (one: Field) => fields.metricOf(one) !== undefined;
    assert.ok(!isSent(field("a.b[1]")), "its series is that of a[1].b");
    assert.equal(many(60, "new").filter(isSent).length, 38);
    assert.ok(known.every((path) => isSent(field(path))));
  }
  assert.equal(log.lines.length, 4);
});

Deno.test("UnknownFields keeps no place for what a metric names by now, or has the topic of", async () => {
  await using log = await captureLog();
  const fields = new UnknownFields({
    mode: "publish",
    catalogue: createCatalogue(),
    knownPaths: ["n1.t", "node1.temperature", '["a#b"]', "a_b"],
  });
  assert.deepEqual(log.lines, [], "of those nobody knows that they come");
  assert.equal(
    many(120).filter((one) => fields.metricOf(one) !== undefined).length,
    99,
  );
});

Deno.test("UnknownFields lets the same one of two fields of before win that cannot both be", () => {
  for (const knownPaths of [["a.b[1]", "a[1].b"], ["a[1].b", "a.b[1]"]]) {
    const fields = new UnknownFields({
      mode: "publish",
      catalogue: createCatalogue(),
      knownPaths,
    });
    assert.equal(fields.metricOf(field("a[1].b")), undefined);
    assert.equal(fields.metricOf(field("a.b[1]"))?.topic, "a/b/1");
  }
});

Deno.test("UnknownFields says and sends nothing where that is wanted, and sends nothing where it hints", async () => {
  await using log = await captureLog();
  const ignored = fieldsOf("ignore");
  ignored.note(many(5), false);
  assert.equal(ignored.metricOf(field("a")), undefined);
  assert.equal(fieldsOf("hint").metricOf(field("a")), undefined);
  fieldsOf("publish").note(many(5), false);
  assert.deepEqual(log.lines, []);
});
