import assert from "node:assert/strict";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { wholeNumber } from "../../lib/cli/numbers.ts";

Deno.test("wholeNumber takes digits within its bounds", () => {
  const parse = wholeNumber(0, 100);
  assert.deepEqual(["0", "007", "100"].map(parse), [0, 7, 100]);
});

Deno.test("wholeNumber refuses all else, with the bounds", () => {
  const parse = wholeNumber(1, 100);
  for (const text of ["", " ", "0", "101", "-1", "1.5", "1e1", "0x10", "٣"]) {
    assert.throws(() => parse(text), (error) => {
      assert.ok(error instanceof InvalidArgumentError);
      return error.message === "It must be a whole number from 1 to 100.";
    });
  }
});
