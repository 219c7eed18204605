import assert from "node:assert/strict";
import { parseToml, type Path, TomlDocument } from "../../lib/config/toml.ts";

const document = new TomlDocument(`top = 1
dotted.deep.key = 2
inline = { a = 1, b.c = [10, { d = 20 }] }
[table]
"quoted key" = 1
[[list]]
x = 1
[[list]]
x = 2
[list.sub]
y = 3
[far.away]
z = 4
[far]
w = 5
`);

const CASES: readonly [path: Path, key: string, value: string][] = [
  [["top"], "1:1", "1:7"],
  [["dotted", "deep", "key"], "2:13", "2:19"],
  [["dotted", "deep"], "2:1", "2:1"],
  [["inline", "a"], "3:12", "3:16"],
  [["inline", "b", "c", 0], "3:21", "3:26"],
  [["inline", "b", "c", 1, "d"], "3:32", "3:36"],
  [["inline", "missing"], "3:1", "3:10"],
  [["table", "quoted key"], "5:1", "5:16"],
  [["table", "missing"], "4:1", "4:1"],
  [["list", 1, "x"], "9:1", "9:5"],
  [["list", 1, "missing"], "8:1", "8:1"],
  [["list", 1, "sub", "y"], "11:1", "11:5"],
  [["far", "away"], "12:1", "12:1"],
  [["missing", "key"], "1:1", "1:1"],
];

for (const [path, key, value] of CASES) {
  Deno.test(`TomlDocument knows the place of ${path.join(".")}`, () => {
    const keyAt = document.placeOfKey(path);
    const valueAt = document.placeOfValue(path);
    assert.equal(`${keyAt.line}:${keyAt.column}`, key);
    assert.equal(`${valueAt.line}:${valueAt.column}`, value);
  });
}

Deno.test("TomlDocument shows a changed leaf in its data", () => {
  const document = new TomlDocument('a.b = ["x"]');
  const [leaf] = document.leaves;
  assert.deepEqual(leaf?.path, ["a", "b", 0]);
  leaf.node.value = "y";
  assert.deepEqual(document.data, { a: { b: ["y"] } });
});

Deno.test("A text that is no TOML is told with what it mostly comes of, and without itself", () => {
  const cases: [text: string, message: RegExp][] = [
    ["a = hunter2", /^c:1:5: .*: a text stands in double quotes/],
    ["a = “hunter2”", /^c:1:5: .*: a text stands in double quotes/],
    ["a = 127.0.0.1", /^c:1:10: .*: one key stands on a line/],
    ['a = "hunter2', /^c:1:13: .*: the quote behind the text is missing$/],
    ["[hunter2\na = 1", /^c:2:1: .*: or the bracket .* is missing/],
    ['a = "C:\\x"', /^c:1:9: .*: a backslash is written twice/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseToml(text, "c"), { message });
    assert.throws(
      () => parseToml(text, "c"),
      (error: Error) => !error.message.includes("hunter2"),
    );
  }
});
