import assert from "node:assert/strict";
import { makePlan, type Plan } from "./plan.ts";

const OPTIONS = { seed: 7, durationMs: 120_000, quick: false };

function names(plan: Plan): string[] {
  return [...plan].flatMap(([track, steps]) =>
    steps.map(({ fault, pauseMs, ms, amount }) =>
      `${track} ${pauseMs} ${fault.name} ${ms} ${amount}`
    )
  );
}

Deno.test("The same seed makes the same plan, another seed another", () => {
  const plan = names(makePlan(OPTIONS));
  assert.deepEqual(names(makePlan(OPTIONS)), plan);
  assert.notDeepEqual(names(makePlan({ ...OPTIONS, seed: 8 })), plan);
  assert.ok(plan.length > 50, String(plan.length));
});

Deno.test("A quick plan has no fault that the gateway tries again only after a minute", () => {
  const blocks = (quick: boolean) =>
    [...makePlan({ ...OPTIONS, durationMs: 3_600_000, quick })]
      .flatMap(([, steps]) => steps)
      .filter(({ fault }) => fault.blocks);
  assert.ok(blocks(false).length > 0);
  assert.deepEqual(blocks(true), []);
});
