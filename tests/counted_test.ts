import assert from "node:assert/strict";
import { counted } from "../lib/counted.ts";

Deno.test("counted says one of a thing, and any other number of things", () => {
  assert.deepEqual([0, 1, 2].map((n) => counted(n, "reading")), [
    "0 readings",
    "1 reading",
    "2 readings",
  ]);
  assert.equal(counted(1, "reading waits", "readings wait"), "1 reading waits");
  assert.equal(counted(5, "reading waits", "readings wait"), "5 readings wait");
});
