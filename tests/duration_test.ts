import assert from "node:assert/strict";
import { formatDuration } from "../lib/duration.ts";

Deno.test("formatDuration says a time in an operator's words", () => {
  assert.deepEqual(
    [0, 850, 12_000, 200_000, 18_000_000, 200_000_000].map(formatDuration),
    ["0 ms", "850 ms", "12 s", "3 min", "5 h", "2 d"],
  );
});
