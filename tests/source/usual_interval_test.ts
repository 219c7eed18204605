import assert from "node:assert/strict";
import { UsualInterval } from "../../lib/source/usual_interval.ts";

/** What is usual after things came so many seconds apart. */
function usualS(...gapsS: number[]): number | undefined {
  const interval = new UsualInterval();
  let now = 1000;
  interval.note(now);
  for (const gap of gapsS) interval.note(now += gap * 1000);
  const { ms } = interval;
  return ms === undefined ? undefined : ms / 1000;
}

const times = (count: number, ...gaps: number[]) =>
  Array.from({ length: count }, () => gaps).flat();

const CASES: [what: string, gaps: number[], usual: number | undefined][] = [
  ["nothing is known before there are two", [], undefined],
  ["one interval is better than none", [10], 10],
  ["a steady pace", times(20, 10), 10],
  ["a single gap", [...times(20, 10), 3600, ...times(3, 10)], 10],
  ["three gaps", [...times(30, 10), 600, 3600, 86_400], 10],
  [
    "a pace that changed becomes known",
    [...times(64, 1), ...times(4, 300)],
    300,
  ],
  ["what is long ago is forgotten", [...times(9, 300), ...times(64, 1)], 1],
  ["a burst is one", times(10, 0.001, 0.02, 0.5, 60), 60.521],
  ["bursts that last", times(10, 2, 2, 2, 2, 2, 300), 300],
  ["ten a second", times(300, 0.1), 1],
];

for (const [what, gaps, usual] of CASES) {
  Deno.test(`UsualInterval: ${what}`, () => {
    const found = usualS(...gaps);
    if (usual === undefined) assert.equal(found, undefined);
    else assert.ok(Math.abs(found! - usual) < 0.11, `${found}`);
  });
}

Deno.test("UsualInterval does not count the time in which nothing could come", () => {
  const interval = new UsualInterval();
  for (const now of [0, 2000, 4000]) interval.note(now);
  interval.interrupt();
  interval.note(900_000);
  assert.equal(interval.ms, 2000);
  interval.note(910_000);
  assert.equal(interval.ms, 10_000);
});
