import assert from "node:assert/strict";
import { describeError } from "../lib/error_text.ts";

Deno.test("describeError gives the message and those of the causes", () => {
  const cases: [error: unknown, text: string][] = [
    [new Error("a", { cause: new TypeError("b", { cause: "c" }) }), "a: b: c"],
    [new TypeError(""), "TypeError"],
    ["text", "text"],
    [new AggregateError([new Error("a"), new Error("b")]), "a, b"],
    [new AggregateError([new Error("a")], "all failed"), "all failed"],
  ];
  for (const [error, text] of cases) assert.equal(describeError(error), text);
});

Deno.test("describeError ends where causes go in a circle", () => {
  const error = new Error("a");
  error.cause = error;
  assert.equal(describeError(error), "a");
});

Deno.test("describeError adds the stack on request, without the message again", () => {
  const text = describeError(new Error("only\nonce"), { stack: true });
  assert.match(text, /^only\nonce\n\s+at .*error_text_test\.ts/);
});
