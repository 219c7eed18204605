import { getLogger } from "@logtape/logtape";
import assert from "node:assert/strict";
import { Outage } from "../../lib/forwarder/outage.ts";
import type { Failure } from "../../lib/sink/sink.ts";
import { captureLog } from "../source/log_capture.ts";

const MINUTE = 60_000;
const LOST: Failure = { kind: "retry", message: "The link is lost" };
const REFUSED: Failure = {
  kind: "blocked",
  message: "Bad password",
  hint: "Correct it",
};

/** An outage whose clock the test moves, and what it has logged. */
async function given() {
  const log = await captureLog();
  const clock = { ms: 0, delivered: 0 };
  const outage = new Outage({
    log: getLogger(["gateway", "mqtt"]),
    delivered: () => clock.delivered,
    now: () => clock.ms,
    hint: undefined,
  });
  const fail = (lengthMs: number, failure = LOST) => {
    outage.begin(failure);
    clock.ms += lengthMs;
    clock.delivered += 9;
    outage.end();
  };
  return {
    outage,
    clock,
    fail,
    /** What was logged since the last call. */
    said: () => log.lines.splice(0).map((line) => line.replace("mqtt ", "")),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}

Deno.test("Outage is a line when it begins and one when it is over", async () => {
  await using world = await given();
  const { outage, fail, said } = world;
  outage.end();
  outage.begin(LOST);
  fail(3 * MINUTE, { kind: "retry", message: "Nothing listens there" });
  outage.end();
  assert.deepEqual(said(), [
    "warning: Cannot deliver: The link is lost. Readings are kept until it works",
    "info: Delivers again after 3 min: 9 readings kept, all delivered",
  ]);
});

Deno.test("Outage says once that the first readings are delivered", async () => {
  await using world = await given();
  const { outage, clock, said } = world;
  outage.end();
  clock.delivered += 13;
  outage.end();
  clock.delivered += 13;
  outage.end();
  assert.deepEqual(said(), ["info: Delivers: 13 readings so far"]);
});

Deno.test("Outage says of the first readings only that it is over where it has kept them", async () => {
  await using world = await given();
  const { outage, clock, fail, said } = world;
  fail(3 * MINUTE);
  clock.delivered += 13;
  outage.end();
  assert.deepEqual(said().slice(1), [
    "info: Delivers again after 3 min: 9 readings kept, all delivered",
  ]);
});

Deno.test("Outage says within one what asks the operator for something else", async () => {
  await using world = await given();
  const { outage, fail, said } = world;
  for (const failure of [LOST, REFUSED, REFUSED, LOST]) outage.begin(failure);
  fail(1);
  assert.deepEqual(said().slice(0, -1), [
    "warning: Cannot deliver: The link is lost. Readings are kept until it works",
    "warning: Cannot deliver: Bad password. Readings are kept until it works. Correct it",
  ]);
});

Deno.test("Outage sums up a link that flaps, and says when it is stable again", async () => {
  await using world = await given();
  const { outage, clock, fail, said } = world;
  for (let i = 0; i < 3; i++) {
    fail(1_000);
    clock.ms += MINUTE;
  }
  assert.equal(said().length, 6);
  // For two days, every minute.
  for (let i = 0; i < 2 * 24 * 60; i++) {
    fail(1_000);
    clock.ms += MINUTE - 1_000;
  }
  const lines = said();
  assert.match(
    lines[0]!,
    /^warning: The link flaps: 4 outages within 3 min, the last one: The link is lost\. /,
  );
  assert.match(lines[1]!, /: 10 outages within 10 min, /);
  assert.equal(lines.length, 2 * 24 * 6);

  for (let i = 0; i < 30; i++) {
    clock.ms += MINUTE;
    outage.end();
  }
  assert.deepEqual(said(), [
    "info: The link is stable again: no outage for 10 min",
  ]);
  fail(1_000);
  assert.equal(said().length, 2);
});

Deno.test("Outage tells while the link flaps of a long outage, and of what asks for a hand", async () => {
  await using world = await given();
  const { outage, clock, fail, said } = world;
  for (let i = 0; i < 5; i++) fail(1_000);
  said();
  fail(2_000, REFUSED);
  fail(2_000, REFUSED);
  assert.deepEqual(said(), [
    "warning: Cannot deliver: Bad password. Readings are kept until it works. Correct it",
    "info: Delivers again after 2 s: 9 readings kept, all delivered",
  ]);
  for (let i = 0; i < 60; i++) {
    outage.begin(LOST);
    clock.ms += MINUTE;
  }
  outage.end();
  const lines = said();
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /^warning: Cannot deliver: The link is lost\./);
  assert.match(lines[1]!, /^info: Delivers again after 60 min/);
});

Deno.test("Outage takes four outages in two hours for no flapping", async () => {
  await using world = await given();
  for (let i = 0; i < 8; i++) {
    world.fail(1_000);
    world.clock.ms += 25 * MINUTE;
  }
  assert.equal(world.said().length, 16);
});
