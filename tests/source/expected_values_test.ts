import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { ExpectedValues } from "../../lib/source/expected_values.ts";

/** Temperature every 10 s and humidity every `everyS`, in a time of their own. */
function expected(everyS = 60) {
  const own = (path: string, expectIntervalS: number) => ({
    ...createCatalogue().get(path)!,
    expectIntervalS,
  });
  const values = new ExpectedValues(
    createCatalogue([own("n1.t", 10), own("n1.h", everyS)]),
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
  /** Nothing runs, and nobody looks. */
  const restart = (seconds: number) => {
    values.stopped(nowMs);
    nowMs += seconds * 1000;
    values.excuse(nowMs);
  };
  const hear = (...paths: string[]) =>
    paths.flatMap((path) => values.heard(nowMs, path) ?? [])
      .map(({ path, forMs }) => `${path} ${forMs / 1000}`);
  /** This process stands still, and hears `path` before it looks. */
  const standStill = (seconds: number, path: string) => {
    values.untilNextLookMs(nowMs);
    nowMs += seconds * 1000;
    hear(path);
    assert.deepEqual(values.look(nowMs), []);
  };
  return {
    values,
    pass,
    restart,
    standStill,
    hear,
    told,
    looks: () => looks,
    now: () => nowMs,
  };
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

Deno.test("ExpectedValues counts on over new starts of the program, but for the time between", () => {
  const { pass, restart, hear, told } = expected(3600);
  hear("n1.h");
  for (let hour = 0; hour < 2; hour++) {
    pass(3500);
    restart(100);
  }
  pass(3790);
  assert.deepEqual(told, []);
  pass(20);
  assert.deepEqual(told, ["n1.h 10801"]);
});

Deno.test("ExpectedValues excuses all for a standstill, also where one value is heard before the look behind it", () => {
  const { pass, standStill, hear, told } = expected(3600);
  hear("n1.h");
  pass(60);
  standStill(20_000, "n1.t");
  pass(25);
  assert.deepEqual(told, []);
  pass(10_700);
  assert.deepEqual(told, ["n1.t 31"]);
  pass(60);
  assert.equal(told.length, 2);
});

Deno.test("ExpectedValues gives a program that has just been started the time to begin", () => {
  const { pass, restart, hear, told } = expected();
  hear("n1.h");
  pass(175);
  restart(5);
  pass(115);
  assert.deepEqual(told, []);
  pass(10);
  assert.deepEqual(told, ["n1.h 181"]);
});

Deno.test("ExpectedValues looks no more often than it has to", () => {
  const { pass, hear, looks } = expected();
  hear("n1.h");
  pass(3600);
  assert.ok(looks() <= 121, `${looks()} looks in an hour`);
});
