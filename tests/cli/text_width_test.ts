import assert from "node:assert/strict";
import {
  cutText,
  padText,
  textWidth,
  wrapText,
} from "../../lib/cli/terminal/text_width.ts";

Deno.test("textWidth counts the columns that a terminal gives to a text", () => {
  const cases: [text: string, columns: number][] = [
    ["", 0],
    ["27.6 °C", 7],
    ["▁▂▃ ↗", 5],
    ["温度", 4],
    ["e\u0301", 1],
    ["🔥", 2],
    ["a\u200bb", 2],
  ];
  for (const [text, columns] of cases) {
    assert.equal(textWidth(text), columns, text);
  }
});

Deno.test("cutText cuts between characters and says that it did", () => {
  assert.equal(cutText("temperature", 11), "temperature");
  assert.equal(cutText("temperature", 5), "temp…");
  assert.equal(cutText("温度計", 5), "温度…");
  assert.equal(cutText("温度計", 4), "温…");
  assert.equal(cutText("ab", 1), "…");
  assert.equal(cutText("ab", 0), "");
});

Deno.test("padText fills up by columns, on either side, and cuts nothing", () => {
  assert.equal(padText("温", 4), "温  ");
  assert.equal(padText("1.5", 5, "left"), "  1.5");
  assert.equal(padText("long", 2), "long");
});

Deno.test("wrapText breaks at spaces, keeps the indent, and cuts a word that fits nowhere", () => {
  assert.deepEqual(wrapText("one two three", 7), ["one two", "three"]);
  assert.deepEqual(wrapText("  one two", 6), ["  one", "  two"]);
  assert.deepEqual(wrapText("a verylongword", 5), ["a", "very…"]);
  assert.deepEqual(wrapText("", 5), [""]);
});
