import assert from "node:assert/strict";
import fc from "fast-check";
import { median, percentile, spread } from "./stats.ts";

Deno.test("median is the middle value, or the mean of the two in the middle", () => {
  assert.equal(median([3]), 3);
  assert.equal(median([10, 1, 2]), 2);
  assert.equal(median([4, 1, 10, 2]), 3);
  assert.throws(() => median([]), RangeError);
});

Deno.test("percentile is the smallest value that so many do not exceed", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 0.995), 100);
  assert.equal(percentile(hundred, 1), 100);
  assert.equal(percentile(hundred, 0), 1);
  assert.equal(percentile([7], 0.5), 7);
  assert.throws(() => percentile([], 0.5), RangeError);
  const values = fc.array(fc.double({ noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(
      values,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (some, share) => {
        const found = percentile(some, share);
        assert.ok(some.includes(found) || found === 0);
        assert.ok(
          some.filter((one) => one <= found).length >= share * some.length,
        );
        assert.ok(
          some.filter((one) => one < found).length <
            Math.max(share * some.length, 1),
        );
      },
    ),
  );
});

Deno.test("spread tells the middle and how far the values lie apart", () => {
  assert.deepEqual(spread([5, 1, 3]), { median: 3, min: 1, max: 5 });
});
