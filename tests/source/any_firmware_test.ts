/**
 * Lines of firmwares that are not the guide's: `gateway.marker = ""`, paths of any depth, values that are no
 * numbers, headers that are none.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createCatalogue, type Metric } from "../../lib/catalogue.ts";
import { formatPath, type PathPart } from "../../lib/field_path.ts";
import type { Value } from "../../lib/model.ts";
import { PacketShapes } from "../../lib/source/packet_shape.ts";
import { type ParsedLine, parseLine } from "../../lib/source/telemetry.ts";

function metric(path: string, own: Partial<Metric> = {}): Metric {
  return {
    path,
    node: "n",
    name: path,
    measurement: path,
    unit: null,
    retain: true,
    range: null,
    ...own,
  };
}

function parse(text: string, own: Metric[] = [], marker = ""): ParsedLine {
  const catalogue = createCatalogue(own);
  return parseLine({ text, truncated: false }, { marker, catalogue });
}

/** What became of a line: the readings and drops of a packet, or its kind. */
function outcome(parsed: ParsedLine): string {
  if (parsed.kind !== "packet") return parsed.kind;
  const { readings, dropped } = parsed.packet;
  return [
    ...readings.map(({ path, value }) => `${path}=${JSON.stringify(value)}`),
    ...dropped.map(({ path, value, reason }) => `${path} ${reason} ${value}`),
  ].join(" ");
}

const T = [metric("t")];

Deno.test("Without a marker any line that holds one JSON object is a packet", () => {
  const lines = [
    '{"t":1}',
    '  {"t":1}  ',
    '[INFO ] {"t":1} (app src/main.rs:42)',
    'INFO  {"t":1}',
    '10:00:00.123: {"t":1}',
    '[Terminal] {"t":1}',
    'I (1234) sensor: data {"t":1}\\n',
    '\u001b[32m{"t":1}\u001b[0m',
    'state {a} is {"t":1} now',
    '{ "t" : 1 }',
  ];
  for (const line of lines) assert.equal(outcome(parse(line, T)), "t=1", line);
});

Deno.test("Without a marker a line is a reject only where it begins with a brace", () => {
  const rejects = [
    '{"t":1',
    '{"t":}',
    "{t:1}",
    '[INFO ] {"t":1x}',
    '[Terminal] {"t"',
    '12:00:00.000: {"t":01}',
    '{"t":1}{"t":2}',
    '[{"t":1},{"t":2}]',
  ];
  const others = [
    "",
    "hello",
    "}{",
    "fn main() { loop {} }",
    'INFO  cannot parse {"t":1',
    'INFO  format "{" is {} wrong',
    "Config { baud: 115200 }",
    "{closure#0}",
    "{{closure}}::h0123456789abcdef",
    "{impl#2}::read",
    "{shim:vtable#0}",
    'panicked at src/main.rs:9:5: Err value: {"t":2}',
    '[ERROR] panicked at src/main.rs:9:5: {"t":2}',
    '{"x":1}',
    '[INFO ] {"x":{"y":[1,2]}}',
    "{}",
  ];
  for (const line of rejects) assert.equal(parse(line, T).kind, "reject", line);
  for (const line of others) assert.equal(parse(line, T).kind, "other", line);
  const cut = { text: '{"t":1}', truncated: true };
  const options = { marker: "", catalogue: createCatalogue(T) };
  assert.equal(parseLine(cut, options).kind, "reject");
  assert.equal(parseLine({ ...cut, text: 'x {"t"' }, options).kind, "other");
});

Deno.test("An object over several lines, or without a value, is told from one that is broken", () => {
  for (const marker of ["", "X: "]) {
    for (const line of ["{", "[INFO ] {", "{ \r"]) {
      const text = marker === "" ? line : line.replace("{", `${marker}{`);
      const parsed = parse(text, T, marker);
      assert.ok(parsed.kind === "reject", line);
      assert.match(parsed.reason, /print each object in one line/);
      assert.ok(parsed.isOpen);
    }
    const broken = parse(`${marker}{"t":`, T, marker);
    assert.ok(broken.kind === "reject");
    assert.doesNotMatch(broken.reason, /in one line/);
  }
  for (const line of ['{"x":null}', '{"x":[],"y":{"z":""}}', "{}"]) {
    const parsed = parse(line, T);
    assert.ok(parsed.kind === "other" && parsed.isEmpty, line);
    const marked = parse(`X: ${line}`, T, "X: ");
    assert.ok(marked.kind === "reject");
    assert.match(marked.reason, /No value of the packet can be sent: let the/);
  }
  const unknown = parse('{"x":1}', T);
  assert.ok(unknown.kind === "other" && !unknown.isEmpty);
});

Deno.test("parseLine reads nested objects, lists and quoted keys as paths", () => {
  const own = [
    metric("motor.phase[1].current"),
    metric("[0]"),
    metric('motor["max. speed"]'),
    metric("list[2][0]"),
  ];
  assert.equal(
    outcome(parse(
      '{"motor":{"phase":[{"current":1},{"current":2}],"max. speed":3},"list":[1,[],[4,5]]}',
      own,
    )),
    'motor.phase[1].current=2 motor["max. speed"]=3 list[2][0]=4',
  );
});

Deno.test("parseLine takes truths and words for values, and counts what is of another type", () => {
  const own = [
    metric("on", { type: "boolean" }),
    metric("mode", { type: "string" }),
    metric("n", { type: "integer" }),
    metric("t", { scale: 0.1, range: [0, 50] }),
  ];
  const cases: [line: string, expected: string][] = [
    ['{"on":true,"mode":"run","n":3,"t":271}', 'on=true mode="run" n=3 t=271'],
    ['{"on":false,"mode":"é","n":3.0,"t":0}', 'on=false mode="é" n=3 t=0'],
    [
      '{"on":1,"mode":2,"n":3.5,"t":501}',
      "on wrong_type 1 mode wrong_type 2 n wrong_type 3.5 t implausible 501",
    ],
    [
      '{"on":null,"mode":null,"n":null,"t":NaN}',
      "on wrong_type null mode wrong_type null n not_a_number null t not_a_number NaN",
    ],
    ['{"mode":""}', 'mode wrong_type ""'],
    ['{"mode":"a\\nb"}', 'mode wrong_type "a\\nb"'],
    ['{"mode":{"a":1},"on":[true]}', "mode wrong_type {…} on wrong_type […]"],
  ];
  for (const [line, expected] of cases) {
    assert.equal(outcome(parse(line, own)), expected, line);
  }
  const long = (length: number) => `{"mode":"${"x".repeat(length)}"}`;
  assert.match(outcome(parse(long(64), own)), /^mode="x{64}"$/);
  assert.match(outcome(parse(long(65), own)), /^mode wrong_type "x+…$/);
});

Deno.test("A header that is none shows a broken packet of the guide's firmware, and a field of others", () => {
  for (const header of ['"ts":"12:00"', '"ts":-1', '"ts":null', '"id":7']) {
    const text = `{${header},"t":1}`;
    const guide = "JSON sent via VCP: ";
    assert.equal(parse(guide + text, T, guide).kind, "reject");
    assert.equal(outcome(parse(text, T)), "t=1");
    assert.equal(outcome(parse(`DATA ${text}`, T, "DATA ")), "t=1");
  }
  const named = parse('{"ts":5,"id":"a b","t":1}', [...T, metric("ts")]);
  assert.equal(outcome(named), "ts=5 t=1");
  assert.equal(named.kind === "packet" && named.packet.boardTs, null);
  const plain = parse('{"ts":5,"id":"n-1","t":1}', T);
  assert.equal(plain.kind === "packet" && plain.packet.boardTs, 5);
  assert.equal(plain.kind === "packet" && plain.unknown, undefined);
});

Deno.test("parseLine gives the fields that no metric names, at most 100", () => {
  const parsed = parse(
    '{"t":1,"a":{"b":[true,"x"]},"sig":-60,"c":null,"d":"","e":NaN}',
    T,
  );
  assert.deepEqual(parsed.kind === "packet" && parsed.unknown, [
    { path: "a.b[0]", value: true },
    { path: "a.b[1]", value: "x" },
    { path: "sig", value: -60 },
  ]);
  const many = Array.from({ length: 500 }, (_, i) => `"k${i}":${i}`);
  const other = parse(`{${many.join(",")}}`, T);
  assert.equal(other.kind, "other");
  assert.equal(other.kind === "other" && other.unknown?.length, 100);
});

/** JSON of any shape, with the values that can be a metric's, by their paths. */
const key = fc.oneof(
  fc.constantFrom(
    "a",
    "b",
    "ts",
    "id",
    "a.b",
    "[0]",
    "__proto__",
    "",
    "+",
    "$",
  ),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.string({ unit: "binary", maxLength: 70 }),
    fc.constant(null),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.uniqueArray(fc.tuple(key, tie("json")), {
      selector: ([key]) => key,
      maxLength: 4,
    }).map((entries) => new Map(entries as [string, unknown][])),
  ),
}));

function write(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  const entries = [...value].map(([key, one]) =>
    `${JSON.stringify(key)}:${write(one)}`
  );
  return `{${entries.join(",")}}`;
}

/** As JSON.parse has them. */
function* leaves(
  value: unknown,
  at: PathPart[] = [],
): Iterable<[string, Value]> {
  if (Array.isArray(value)) {
    for (const [i, one] of value.entries()) yield* leaves(one, [...at, i]);
  } else if (typeof value === "object" && value !== null) {
    for (const key of Object.keys(value)) {
      yield* leaves(Reflect.get(value, key), [...at, key]);
    }
  } else if (typeof value === "number") yield [formatPath(at), value + 0];
  else if (typeof value === "boolean") yield [formatPath(at), value];
  else if (
    typeof value === "string" &&
    /^[^\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]{1,64}$/u.test(value) &&
    value.length <= 64
  ) yield [formatPath(at), value];
}

Deno.test("parseLine finds the values where JSON.parse does, whatever is nested in what", () => {
  let found = 0;
  fc.assert(
    fc.property(json, (value) => {
      const text = `{"x":${write(value)}}`;
      const wanted = [...leaves(JSON.parse(text))];
      found += wanted.length;
      const metrics = wanted.filter(([path]) => path !== "x.__proto__")
        .map(([path]) => metric(path, { type: "any" }));
      const parsed = parse(text, metrics);
      const readings = parsed.kind === "packet" ? parsed.packet.readings : [];
      assert.deepEqual(
        readings.map(({ path, value }) => [path, value]),
        wanted.filter(([path]) => path !== "x.__proto__"),
      );
      const unnamed = parse(text);
      assert.deepEqual(
        unnamed.kind === "other" &&
          (unnamed.unknown ?? []).map(({ path, value }) => [path, value]),
        wanted,
      );
      assert.equal(Reflect.get({}, "a"), undefined);
    }),
    { numRuns: 1500 },
  );
  assert.ok(found > 1000, `${found} values were found`);
});

Deno.test("Packets of several kinds are read like those before them as they would be alone", () => {
  const own = [
    metric("on", { type: "boolean" }),
    metric("mode", { type: "string" }),
    metric("n", { type: "integer" }),
    metric("t", { scale: 0.1, range: [0, 50] }),
    metric("deep[1].x"),
  ];
  const word = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("run", "idle", "é", 'q"', "") },
    { weight: 1, arbitrary: fc.string({ maxLength: 80 }) },
  ).map((text) => JSON.stringify(text));
  const truth = fc.constantFrom("true", "false", "null", "1");
  const number = fc.oneof(
    fc.nat(600).map(String),
    fc.constantFrom("1.5", "-0", "1e2", "NaN", '"7"', "true"),
  );
  const packet = fc.oneof(
    fc.tuple(truth, word).map(([on, mode]) => `{"on":${on},"mode":${mode}}`),
    fc.tuple(number, number).map(([n, t]) => `{"ts":${n},"n":${n},"t":${t}}`),
    fc.tuple(word, number).map(([w, n]) =>
      `{"log":${w},"deep":[${w},{"x":${n}}]}`
    ),
    fc.tuple(number, truth, word).map(([n, on, id]) =>
      `{"id":${id},"on":${on},"n":${n}}`
    ),
  );
  let like = 0;
  fc.assert(
    fc.property(fc.array(packet, { minLength: 20, maxLength: 40 }), (lines) => {
      const shapes = new PacketShapes();
      const options = { marker: "", catalogue: createCatalogue(own) };
      for (const text of lines) {
        const line = { text, truncated: false };
        if (shapes.read(text, 0)) like++;
        assert.deepEqual(
          outcome(parseLine(line, { ...options, shapes })),
          outcome(parseLine(line, options)),
          text,
        );
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(like > 1000, `${like} packets were like one before them`);
});

Deno.test("A hostile line without a marker is read in linear time", () => {
  const started = performance.now();
  for (
    const part of ["{", '{"', "{ ", '{"a":', "[", "}", '{"a":1}', "[INFO ] {"]
  ) {
    parse(part.repeat(100_000), T);
    parse(`x ${part.repeat(100_000)}`, T);
  }
  assert.ok(performance.now() - started < 5_000);
});

Deno.test("A field without a value in the first packet of its kind is asked for when it has one", () => {
  const long = "x".repeat(65);
  for (const none of ['""', `"${long}"`, '"\\u0001"', "1e999"]) {
    const asked: string[] = [];
    const options = {
      marker: "",
      catalogue: createCatalogue(T),
      shapes: new PacketShapes(),
      metricOf: ({ path }: { path: string }) => {
        asked.push(path);
        return metric(path, { type: "any" });
      },
    };
    const value = none === "1e999" ? "2" : '"run"';
    const outcomes = [none, none, value, value, none, value].map((said) =>
      outcome(
        parseLine({ text: `{"t":1,"f":${said}}`, truncated: false }, options),
      )
    );
    const [without, has] = ["t=1", `t=1 f=${value}`];
    assert.deepEqual(
      [asked[0], ...outcomes],
      ["f", without, without, has, has, without, has],
      none,
    );
  }
});

Deno.test("No field of a line that is broken is asked for", () => {
  const asked: string[] = [];
  const options = {
    marker: "",
    catalogue: createCatalogue(T),
    metricOf: ({ path }: { path: string }) => {
      asked.push(path);
      return metric(path, { type: "any" });
    },
  };
  for (const text of ['{"t":1,"tampr":2,', '{"b":3}']) {
    parseLine({ text, truncated: false }, options);
  }
  assert.deepEqual(asked, ["b"]);
});
