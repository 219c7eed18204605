import assert from "node:assert/strict";
import fc from "fast-check";
import { catalogueOf, createCatalogue } from "../../lib/catalogue.ts";
import {
  type ParsedEntry,
  ParsedLines,
} from "../../lib/cli/parse/parsed_lines.ts";
import { load, MINIMAL } from "../config/load.ts";

const MARKER = "JSON sent via VCP: ";

async function linesOf(more = "", metrics = "") {
  const config = await load(
    `
[mqtt]
broker_url = "mqtt://h"
client_id = "g"
topic_prefix = "iiot"
[influxdb]
url = "http://h"
org = "o"
bucket = "b"
token = "t"
tags = { site = "a b" }
${more}
${metrics}`,
    { simulate: true },
  );
  return new ParsedLines({
    config,
    board: config.boards[0] ?? assert.fail(),
    catalogue: catalogueOf(config),
  });
}

async function entriesOf(
  lines: ParsedLines,
  ...chunks: string[]
): Promise<ParsedEntry[]> {
  const encoder = new TextEncoder();
  const bytes = ReadableStream.from(chunks.map((one) => encoder.encode(one)));
  return (await Array.fromAsync(lines.read(bytes))).flat();
}

Deno.test("ParsedLines says of each value which message and which point it becomes", async () => {
  const lines = await linesOf();
  const [entry] = await entriesOf(
    lines,
    `[INFO] ${MARKER}{"ts":5,"n1":{"t":-0.0,"h":180},"sts":{"rx":7}} (app src/main.rs:1)\n`,
  );
  assert.ok(entry?.kind === "packet");
  assert.equal(entry.boardTs, 5);
  assert.match(entry.line, /^\[INFO\] JSON/);
  assert.deepEqual(entry.values, [
    {
      path: "n1.t",
      value: 0,
      unit: "celsius",
      message: { topic: "iiot/node1/temperature", payload: "0", retain: true },
      point: "temperature,node=node1,site=a\\ b,unit=celsius value=0",
    },
    {
      path: "sts.rx",
      value: 7,
      unit: null,
      message: {
        topic: "iiot/stats/packets_received",
        payload: "7",
        retain: false,
      },
      point: "packets_received,node=stats,site=a\\ b value=7",
    },
  ]);
  assert.deepEqual(entry.dropped, [{
    path: "n1.h",
    value: "180",
    reason: "implausible",
    range: [0, 100],
  }]);
  assert.equal(lines.counters.readings, 3);
  assert.deepEqual([...lines.counters.dropped], [["implausible", 1]]);
});

Deno.test("ParsedLines takes prefix, board, marker and scale from the configuration", async () => {
  const lines = await linesOf(
    `[gateway]
[[board]]
name = "hall"
marker = ">"`,
    `[[metric]]
path = "n1.t"
scale = 2`,
  );
  const [entry] = await entriesOf(lines, '>{"n1":{"t":13.5}}\n');
  assert.ok(entry?.kind === "packet", JSON.stringify(entry));
  assert.deepEqual(
    entry.values.map(({ message, point }) => [
      message?.topic,
      message?.payload,
      message?.retain,
      point,
    ]),
    [
      [
        "iiot/hall/node1/temperature",
        "27",
        true,
        "temperature,board=hall,node=node1,site=a\\ b,unit=celsius value=27",
      ],
    ],
  );
});

Deno.test("ParsedLines keeps the order of lines, in which chunks they come", async () => {
  const text = [
    "one",
    `${MARKER}{"n1":{"t":1}}`,
    `${MARKER}{"n1":`,
    "two",
    `${MARKER}{"n1":{"t":2}}`,
    "three",
  ].join("\n");
  const expected = [
    "log one",
    "packet 1",
    "reject The line ends where a value should stand",
    "log two",
    "packet 2",
    "log three",
  ];
  const short = (entry: ParsedEntry) =>
    entry.kind === "packet"
      ? `packet ${entry.values[0]?.value}`
      : entry.kind === "log"
      ? `log ${entry.text}`
      : `reject ${entry.reason}`;
  const whole = await entriesOf(await linesOf(), text);
  assert.deepEqual(
    whole.map(short).map((one) => one.replace("A value", "a value")),
    expected,
  );
  const split = await entriesOf(await linesOf(), ...text);
  assert.deepEqual(split, whole);
});

Deno.test("ParsedLines mends a packet that a poll broke, as the gateway does", async () => {
  const lines = await linesOf();
  const whole = `${MARKER}{"n1":{"t":27.6,"h":54.1}}`;
  const entries = await entriesOf(
    lines,
    `${whole}\n${MARKER}{"n1":{"t":27.6,"\nh":54.1}}\n`,
  );
  assert.deepEqual(entries.map(({ kind }) => kind), [
    "packet",
    "packet",
    "log",
  ]);
  assert.equal(lines.counters.lines, 3);
});

Deno.test("ParsedLines gives no message without a broker, and no point without a database", async () => {
  const catalogue = createCatalogue();
  const [board] = (await load(MINIMAL, { simulate: true })).boards;
  assert.ok(board);
  const config = { boards: [board] };
  const lines = new ParsedLines({ config, board, catalogue });
  const [entry] = await entriesOf(lines, `${MARKER}{"n1":{"t":1}}\n`);
  assert.ok(entry?.kind === "packet");
  assert.deepEqual(entry.values, [
    { path: "n1.t", value: 1, unit: "celsius", message: null, point: null },
  ]);
});

Deno.test("ParsedLines counts every line, whatever comes", async () => {
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom(
      `${MARKER}{"n1":{"t":1}}`,
      `${MARKER}{"n1":{"t":`,
      "27.6}}",
      "[ERROR] panicked at 'x', src/main.rs:1",
      "x".repeat(9000),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 12 }), async (some) => {
      const lines = await linesOf();
      const entries = await entriesOf(lines, some.join("\n"));
      const { counters } = lines;
      const { packets, rejects, other } = counters;
      assert.equal(counters.lines, packets + rejects + other);
      const count = (kind: ParsedEntry["kind"]) =>
        entries.filter((one) => one.kind === kind).length;
      assert.equal(count("packet"), packets);
      assert.equal(count("reject"), rejects);
      assert.equal(count("log"), other);
    }),
    { numRuns: 100 },
  );
});

Deno.test("ParsedLines tells fields that no metric names with the first line of their kind", async () => {
  const lines = await linesOf();
  const entries = await entriesOf(
    lines,
    `${MARKER}{"n1":{"t":1},"co2":415}
${MARKER}{"n1":{"t":2},"co2":416}
${MARKER}{"a":[{"on":true}]}
hello
`,
  );
  assert.deepEqual(entries.map(({ kind, unknown }) => [kind, unknown]), [
    ["packet", [{ path: "co2", value: 415 }]],
    ["packet", []],
    ["reject", [{ path: "a[0].on", value: true }]],
    ["log", []],
  ]);
  assert.deepEqual(lines.unknown.map(({ path }) => path), ["co2", "a[0].on"]);
});

Deno.test("ParsedLines sends fields as they are, where the configuration says so", async () => {
  const lines = await linesOf(
    `[gateway]
marker = ""
unknown_fields = "publish"`,
    `[[metric]]
path = "run"
node = "motor"
name = "running"
type = "boolean"
retain = false`,
  );
  const entries = await entriesOf(
    lines,
    'hello\n{"run":true,"a":[{"b":"on"}]}\n{"run":1}\n',
  );
  assert.deepEqual(
    entries.map((one) =>
      one.kind === "packet"
        ? [
          ...one.values.map(({ message, point }) =>
            `${message?.topic} ${message?.payload} ${message?.retain} ${point}`
          ),
          ...one.dropped.map(({ path, reason }) => `${path} ${reason}`),
        ]
        : one.kind === "log" && one.reason
    ),
    [
      "no JSON object",
      [
        "iiot/motor/running true false running,node=motor,site=a\\ b value=true",
        'iiot/a/0/b on true b,node=a_0,site=a\\ b value_text="on"',
      ],
      ["run wrong_type"],
    ],
  );
  assert.deepEqual(lines.unknown, []);
});

Deno.test("ParsedLines without a marker says of JSON that no metric names a field of it", async () => {
  const lines = await linesOf('[gateway]\nmarker = ""');
  const [entry] = await entriesOf(lines, '{"co2":415}\n');
  assert.ok(entry?.kind === "log");
  assert.equal(entry.reason, "no known field");
  assert.deepEqual(entry.unknown, [{ path: "co2", value: 415 }]);
});

Deno.test("ParsedLines without a marker says of JSON without a value that it has none", async () => {
  const lines = await linesOf('[gateway]\nmarker = ""');
  const text = '{"co2":null}\nhello {x}\n{"co2":1}\n';
  const entries = await entriesOf(lines, text);
  assert.deepEqual(
    entries.map((one) => one.kind === "log" && one.reason),
    ["no usable value", "no JSON object", "no known field"],
  );
});

Deno.test("ParsedLines sends fields of another type beside a named metric's, each in a field of its own", async () => {
  const keys = '[gateway]\nmarker = ""\nunknown_fields = "publish"';
  const line = '{"n1":{"t":1},"x":{"temperature":"hot"}}\n';
  const [entry] = await entriesOf(await linesOf(keys), line);
  assert.ok(entry?.kind === "packet");
  assert.deepEqual(entry.values.map(({ point }) => point), [
    "temperature,node=node1,site=a\\ b,unit=celsius value=1",
    'temperature,node=x,site=a\\ b value_text="hot"',
  ]);
});
