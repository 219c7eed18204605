import assert from "node:assert/strict";
import { EventClock } from "../../lib/source/event_clock.ts";

/** A clock whose hands the test moves, and the epochs it registers. */
function fakeClock() {
  const hands = { monotonic: 0, wall: 1_700_000_000_000 };
  const epochs: number[] = [];
  const clock = new EventClock({
    monotonic: () => hands.monotonic,
    wall: () => hands.wall,
    nextEpoch: ({ offsetUs }) => epochs.push(offsetUs),
  });
  return { hands, epochs, clock };
}

Deno.test("EventClock stamps in whole microseconds and opens the first epoch by itself", () => {
  const { hands, epochs, clock } = fakeClock();
  hands.monotonic = 12.3456;
  assert.deepEqual(clock.stamp(), { epoch: 1, monoUs: 12_345 });
  assert.deepEqual(epochs, [1_700_000_000_000_000 - 12_345]);
});

Deno.test("EventClock never gives a stamp twice nor goes back", () => {
  const { hands, clock } = fakeClock();
  hands.monotonic = 5;
  const stamps = [clock.stamp(), clock.stamp(), clock.stamp()];
  hands.monotonic = 5.001;
  stamps.push(clock.stamp());
  hands.monotonic = 5.0042;
  stamps.push(clock.stamp());
  hands.monotonic = 5.9;
  stamps.push(clock.stamp());
  assert.deepEqual(stamps.map(({ monoUs }) => monoUs), [
    5000,
    5001,
    5002,
    5003,
    5004,
    5900,
  ]);
});

Deno.test("EventClock opens an epoch when the wall clock steps by over a second, either way", () => {
  const { hands, epochs, clock } = fakeClock();
  assert.equal(clock.stamp().epoch, 1);
  hands.wall += 1000;
  assert.equal(clock.stamp().epoch, 1);
  hands.wall += 1;
  assert.equal(clock.stamp().epoch, 2);
  assert.equal(clock.stamp().epoch, 2);
  hands.wall -= 3_600_000;
  hands.monotonic += 10;
  hands.wall += 10;
  assert.equal(clock.stamp().epoch, 3);
  assert.deepEqual(epochs, [
    1_700_000_000_000_000,
    1_700_000_001_001_000,
    1_699_996_401_001_000,
  ]);
});

Deno.test("EventClock keeps its epoch while both clocks run on together", () => {
  const { hands, epochs, clock } = fakeClock();
  for (let day = 0; day < 100; day++) {
    clock.stamp();
    hands.monotonic += 86_400_000;
    hands.wall += 86_400_000;
  }
  assert.equal(epochs.length, 1);
});
