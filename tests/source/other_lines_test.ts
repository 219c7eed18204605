import assert from "node:assert/strict";
import fc from "fast-check";
import { createCatalogue } from "../../lib/catalogue.ts";
import { OtherLines } from "../../lib/source/other_lines.ts";
import {
  UnknownFields,
  type UnknownFieldsMode,
} from "../../lib/source/unknown_fields.ts";

const GUIDE = "JSON sent via VCP: ";

function explain(
  lines: readonly string[],
  marker = GUIDE,
  mode: UnknownFieldsMode = "hint",
) {
  const catalogue = createCatalogue();
  const unknownFields = new UnknownFields({ mode, catalogue });
  const others = new OtherLines({ marker, catalogue, unknownFields });
  for (const line of lines) others.take(line);
  return others.explain();
}

Deno.test("OtherLines proposes the text before the JSON as the marker, or none", () => {
  const marked = explain([
    '[INFO ] DATA: {"t":1} (app src/main.rs:4)',
    "[INFO ] idle",
    '[INFO ] DATA: {"t":2} (app src/main.rs:4)',
  ]);
  assert.equal(marked?.obstacle, "no marker");
  assert.equal(marked.sample, 'DATA: {"t":2}');
  assert.equal(
    marked.todo,
    'the lines hold JSON; gateway.marker is "JSON sent via VCP: ", and stands before none: set marker = "DATA: " under [gateway] in config.toml (marker = "" takes any line that holds one JSON object)',
  );
  for (
    const lines of [
      ['{"n1":{"t":1}}'],
      ['12:00:00.000: {"t":1}'],
      ['[Terminal] {"t":1}'],
      ['A {"t":1}', 'B {"t":1}'],
    ]
  ) {
    assert.match(
      explain(lines)?.todo ?? "",
      /: set marker = "" under \[gateway\] in config\.toml, which takes any line/,
    );
  }
  const dollar = explain(['I (12) $x: {"t":1}', 'I (13) $x: {"t":1}']);
  assert.match(dollar?.todo ?? "", /: set marker = "x: " under/);
  const inside = explain(['x$y: {"t":1}']);
  assert.match(inside?.todo ?? "", /: set marker = "x\$\$y: " under/);
});

Deno.test("OtherLines names the [[metric]] tables where JSON comes and none is known", () => {
  for (
    const [line, marker] of [['{"t":1,"h":2}', ""], [
      `${GUIDE}{"t":1,"h":2}`,
      GUIDE,
    ]]
  ) {
    const found = explain([line!], marker);
    assert.equal(found?.obstacle, "no metric");
    assert.match(
      found.todo ?? "",
      /no \[\[metric\]\] .* names one of its 2 fields/,
    );
    assert.match(found.todo ?? "", /gateway\.unknown_fields = "publish"/);
  }
});

Deno.test("OtherLines advises of fields without a metric nothing that is set already, or that the log does not have", () => {
  const todoOf = (mode: UnknownFieldsMode) =>
    explain(['{"gateway":{"state":1}}'], "", mode)?.todo;
  assert.equal(
    todoOf("publish"),
    "no [[metric]] in config.toml names one of its 1 field, and none can be sent as it is: the log says why, once for each; name what is wanted with [[metric]]",
  );
  assert.equal(
    todoOf("ignore"),
    'no [[metric]] in config.toml names one of its 1 field, and gateway.unknown_fields is "ignore": set it to "hint", and the log proposes the lines to paste, or to "publish", which sends all fields as they are',
  );
});

Deno.test("OtherLines says what is broken in a packet", () => {
  const found = explain([`${GUIDE}{"n1":{t:1}}`]);
  assert.equal(found?.obstacle, "broken");
  assert.match(found.todo ?? "", /A string should stand where t:1/);
  assert.match(found.todo ?? "", /iiot-gateway rejects/);
});

Deno.test("OtherLines says of an object over several lines that it has to be one", () => {
  const object = ["{", '  "n1": {', '    "t": 1,', '    "h": 2', "  }", "}"];
  const long = object.slice(1, 2).concat(Array(9).fill('  "t": 1,'), "  }");
  for (
    const [lines, marker] of [
      [object, ""],
      [object, GUIDE],
      [object.map((line) => `[INFO ] ${line}`), GUIDE],
      [[`${GUIDE}{`, ...object.slice(1)], GUIDE],
      [long, ""],
      [long, GUIDE],
    ] as const
  ) {
    const found = explain(lines, marker);
    assert.equal(found?.obstacle, "several lines", lines[0]);
    assert.match(found.todo ?? "", /^a packet is one line: let the firmware /);
  }
});

Deno.test("OtherLines says of JSON without a value what a value is", () => {
  const found = explain(["hello", '{"t":null}', "hello"], "");
  assert.equal(found?.obstacle, "no value");
  assert.equal(found.sample, '{"t":null}');
  assert.match(found.todo ?? "", /a number, true or false, or a text of up to/);
  // Fields without a metric are more than that.
  const other = explain(['{"t":1}', '{"t":null}'], "");
  assert.equal(other?.obstacle, "no metric");
});

Deno.test("OtherLines proposes no marker that holds what cannot be seen", () => {
  const cases: [string, string][] = [
    ['\u0002DATA: {"t":1}', "DATA: "],
    ['12:00:00.000: \u0002DATA: {"t":1}', "DATA: "],
    ['DATA\u0003 {"t":1}', ""],
    ['DATA:\t{"t":1}', ""],
    ['A\u200bB: {"t":1}', "B: "],
  ];
  for (const [line, marker] of cases) {
    const todo = explain([line, line])?.todo ?? "";
    assert.ok(todo.includes(`set marker = "${marker}" under`), todo);
  }
});

Deno.test("OtherLines shows the JSON that a firmware of names and numbers would print", () => {
  for (const marker of [GUIDE, ""]) {
    const found = explain(["temp=21.5 hum=048 rx: -3, up=12:30:01"], marker);
    assert.equal(found?.obstacle, "no json");
    assert.equal(
      found.todo,
      `the gateway reads JSON, one object a line: let the firmware print ${marker}{"temp":21.5,"hum":48,"rx":-3} instead of temp=21.5 hum=048 rx: -3, or put a program between that prints so, as gateway.command`,
    );
  }
});

Deno.test("OtherLines says of plain words that they are no JSON, and what the firmware would print", () => {
  for (const lines of [["", "hello", "radio ok"], ["a=1", "x", "radio ok"]]) {
    for (const marker of [GUIDE, ""]) {
      assert.deepEqual(explain(lines, marker), {
        obstacle: "only words",
        sample: "radio ok",
        todo:
          `the newest lines hold no JSON object: the firmware has to print one for each packet, in one line, such as ${marker}{"n1":{"t":27.6}}`,
      });
    }
  }
});

Deno.test("OtherLines says of a packet that another reason made a reject nothing of its marker", () => {
  const packet = `${GUIDE}{"n1":{"t":27.6}}`;
  assert.deepEqual(explain([packet]), { sample: packet });
  const line = '[wx] {"n1":{"t":27.6}}';
  assert.deepEqual(explain([line], "[wx] "), { sample: line });
});

Deno.test("OtherLines knows nothing of what may have been meant for JSON", () => {
  for (const line of ["x {t", "0x2a".repeat(9)]) {
    assert.deepEqual(explain([line, "radio ok"]), { sample: "radio ok" });
  }
});

Deno.test("OtherLines forgets what was before telemetry", () => {
  assert.equal(explain([]), undefined);
  const others = new OtherLines({ marker: "", catalogue: createCatalogue() });
  others.take("hello");
  others.forget();
  assert.equal(others.explain(), undefined);
});

Deno.test("OtherLines explains any lines, shortly, with nothing that a terminal could obey", () => {
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom(
      '{"\u202ea":1}',
      'x\u0007{"a":1}',
      "{".repeat(500),
      "a=1 ".repeat(99),
    ),
  );
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.constantFrom("", GUIDE),
      (lines, marker) => {
        const { sample = "", todo = "" } = explain(lines, marker) ?? {};
        assert.ok(sample.length <= 101 && todo.length < 600, todo);
        assert.doesNotMatch(sample + todo, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      },
    ),
    { numRuns: 1000 },
  );
});
