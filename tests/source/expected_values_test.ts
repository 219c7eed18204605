import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { ExpectedValues } from "../../lib/source/expected_values.ts";

/** Temperature every 10 s and humidity every minute, in a time of their own. */
function expected() {
  const own = (path: string, expectIntervalS: number) => ({
    ...createCatalogue().get(path)!,
    expectIntervalS,
  });
  const values = new ExpectedValues(
    createCatalogue([own("n1.t", 10), own("n1.h", 60)]),
  );
  let nowMs = 0;
  const told: string[] = [];
  let looks = 0;
  /** Looks whenever a look is due; so late a look is. */
  const pass = (seconds: number, lateMs = 0) => {
    const endMs = nowMs + seconds * 1000;
    for (;;) {
      const waitMs = values.untilNextLookMs(nowMs);
      if (nowMs + waitMs > endMs) break;
      nowMs += waitMs + lateMs;
      looks++;
      for (const { path, forMs } of values.look(nowMs)) {
        told.push(`${path} ${forMs / 1000}`);
      }
    }
    nowMs = endMs;
  };
  const hear = (...paths: string[]) =>
    paths.flatMap((path) => values.heard(nowMs, path) ?? [])
      .map(({ path, forMs }) => `${path} ${forMs / 1000}`);
  return { values, pass, hear, told, looks: () => looks, now: () => nowMs };
}

Deno.test("ExpectedValues misses what came once and does not for three times its interval, once", () => {
  const { pass, hear, told, values, now } = expected();
  pass(1000);
  assert.deepEqual(told, [], "what never came is not missed");
  hear("n1.t", "n2.t");
  pass(29);
  hear("n1.t");
  pass(32);
  assert.deepEqual(told, ["n1.t 31"]);
  pass(300);
  assert.deepEqual(told, ["n1.t 31"]);
  assert.deepEqual(values.missed(now()), [
    { path: "n1.t", forMs: 332_000, everyMs: 10_000 },
  ]);
  assert.deepEqual(hear("n1.t"), ["n1.t 332"]);
  assert.deepEqual(hear("n1.t"), []);
  assert.deepEqual(values.missed(now()), []);
  pass(40);
  assert.equal(told.length, 2);
});

Deno.test("ExpectedValues knows each value's own interval", () => {
  const { pass, hear, told } = expected();
  hear("n1.t", "n1.h");
  pass(185);
  assert.deepEqual(told, ["n1.t 31", "n1.h 181"]);
});

Deno.test("ExpectedValues does not count time in which nothing could come", () => {
  const { pass, hear, told, values, now } = expected();
  hear("n1.t");
  pass(25);
  values.excuse(now());
  pass(25);
  assert.deepEqual(told, []);
  pass(60, 6_000);
  assert.deepEqual(told, [], "this process stood still at each look");
  pass(40);
  assert.equal(told.length, 1);
});

Deno.test("ExpectedValues looks no more often than it has to", () => {
  const { pass, hear, looks } = expected();
  hear("n1.h");
  pass(3600);
  assert.ok(looks() <= 121, `${looks()} looks in an hour`);
});
