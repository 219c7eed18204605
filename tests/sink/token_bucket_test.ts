import assert from "node:assert/strict";
import { TokenBucket } from "../../lib/sink/token_bucket.ts";

/** Sends as fast as the bucket allows; gives the number sent within `ms`. */
function sentWithin(perSecond: number, ms: number): number {
  let now = 0;
  const bucket = new TokenBucket(perSecond, () => now);
  let sent = 0;
  for (;;) {
    const waitMs = bucket.waitMs();
    if (now + waitMs > ms) return sent;
    now += waitMs;
    if (waitMs > 0) continue;
    bucket.take();
    sent++;
  }
}

Deno.test("TokenBucket keeps to its rate over any longer time", () => {
  assert.ok(Math.abs(sentWithin(100, 10_000) - 1_010) <= 1);
  assert.ok(Math.abs(sentWithin(0.5, 100_000) - 51) <= 1);
});

Deno.test("TokenBucket lets a tenth of a second's messages through at once", () => {
  assert.equal(sentWithin(100, 0), 10);
  assert.equal(sentWithin(3, 0), 1);
});

Deno.test("TokenBucket saves up no more than one burst while nothing is sent", () => {
  let now = 0;
  const bucket = new TokenBucket(100, () => now);
  now = 3_600_000;
  let sent = 0;
  for (; bucket.waitMs() === 0; sent++) bucket.take();
  assert.equal(sent, 10);
});
