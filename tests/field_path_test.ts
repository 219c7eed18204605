import assert from "node:assert/strict";
import fc from "fast-check";
import { formatPath, parsePath, type PathPart } from "../lib/field_path.ts";

Deno.test("formatPath has a text for each place", () => {
  const texts: [PathPart[], string][] = [
    [["n1", "t"], "n1.t"],
    [["motor", "phase", 1, "current"], "motor.phase[1].current"],
    [["a", 0, 12], "a[0][12]"],
    [["motor.speed"], '["motor.speed"]'],
    [["a", "b c", "d"], 'a["b c"].d'],
    [["a[0]"], '["a[0]"]'],
    [["", "x"], '[""].x'],
    [['say "hi"\n'], '["say \\"hi\\"\\n"]'],
    [["\u202e"], '["\\u202e"]'],
    [["température"], "température"],
  ];
  for (const [parts, text] of texts) {
    assert.equal(formatPath(parts), text);
    assert.deepEqual(parsePath(text), parts);
  }
});

Deno.test("parsePath refuses what is no path", () => {
  for (
    const text of [
      ...["", ".", ".a", "a.", "a..b", "a b", "a[", "a]", "a[]", "a[-1]"],
      ...["a[01]", "a[1]b", "a.[1]", '["a"', "[a]", '["a"]b', 'a."b"', "a\nb"],
    ]
  ) assert.equal(parsePath(text), undefined, text);
});

Deno.test("A path leads where it was made for, and to no other place", () => {
  const part = fc.oneof(
    fc.nat(999_999_999),
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.constantFrom("a", "a.b", "[0]", '"', "\\", "0", "__proto__"),
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const text = formatPath(parts);
      assert.deepEqual(parsePath(text), parts);
      assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
    { numRuns: 2000 },
  );
});
