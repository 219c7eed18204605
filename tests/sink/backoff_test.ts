import assert from "node:assert/strict";
import { Backoff } from "../../lib/sink/backoff.ts";

function waits(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.next());
}

Deno.test("Backoff doubles its ceiling from 1 s to 60 s", () => {
  const almostOne = 1 - Number.EPSILON;
  assert.deepEqual(
    waits(new Backoff(() => almostOne), 9),
    [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000],
  );
});

Deno.test("Backoff draws from the whole of the ceiling, and never waits for nothing", () => {
  assert.deepEqual(waits(new Backoff(() => 0), 3), [1, 1, 1]);
  assert.deepEqual(waits(new Backoff(() => 0.5), 3), [501, 1_001, 2_001]);
});

Deno.test("Backoff begins again with the shortest wait after reset", () => {
  const backoff = new Backoff(() => 0.5);
  waits(backoff, 10);
  backoff.reset();
  assert.equal(backoff.next(), 501);
});

Deno.test("Backoff keeps to the limits that it is given", () => {
  const backoff = new Backoff(() => 0.999, { firstMs: 10, longestMs: 35 });
  assert.deepEqual(waits(backoff, 4), [10, 20, 35, 35]);
});
