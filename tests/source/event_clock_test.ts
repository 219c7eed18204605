import assert from "node:assert/strict";
import fc from "fast-check";
import { EventClock } from "../../lib/source/event_clock.ts";

/** A clock whose hands the test moves. */
function fakeClock() {
  const hands = { epoch: 1, monoUs: 1_000_000_000 };
  return { hands, clock: new EventClock({ now: () => ({ ...hands }) }) };
}

/** A board that sends every ten seconds, read at once `onTime` times; gives its `ts`. */
function steadyBoard(onTime: number, firstTs = 5_000) {
  const { hands, clock } = fakeClock();
  const board = { ts: firstTs };
  const read = (...boardTs: (number | null)[]) =>
    clock.stamp(boardTs).map(({ monoUs }) => monoUs);
  const pass = (ms: number) => hands.monoUs += ms * 1000;
  for (let i = 0; i < onTime; i++) {
    board.ts += 10_000;
    pass(10_000);
    read(board.ts);
  }
  return { hands, clock, board, read, pass };
}

Deno.test("EventClock stamps in multiples of 8 µs, never twice and never backwards", () => {
  const { hands, clock } = fakeClock();
  hands.monoUs = 5001;
  const stamps = clock.stamp([null, null, null]);
  hands.monoUs = 5009;
  stamps.push(...clock.stamp([null]));
  hands.monoUs = 5903;
  stamps.push(...clock.stamp([null, null]));
  assert.deepEqual(stamps.map(({ monoUs }) => monoUs), [
    5008,
    5016,
    5024,
    5032,
    5896,
    5904,
  ]);
});

Deno.test("EventClock spreads what was read late by the board's own clock", () => {
  const { hands, board, read, pass } = steadyBoard(5);
  const before = hands.monoUs;
  pass(64_000);
  const late = [1, 2, 3, 4, 5, 6].map((n) => board.ts + n * 10_000);
  assert.deepEqual(
    read(...late),
    [1, 2, 3, 4, 5, 6].map((n) => before + n * 10_000_000),
  );
  pass(6_000);
  assert.deepEqual(read(board.ts + 70_000), [hands.monoUs]);
});

Deno.test("EventClock spreads a queue that comes line by line", () => {
  const { hands, board, read, pass } = steadyBoard(5);
  const before = hands.monoUs;
  pass(60_500);
  for (let n = 1; n <= 6; n++) {
    assert.deepEqual(read(board.ts + n * 10_000), [before + n * 10_000_000]);
    pass(1);
  }
});

Deno.test("EventClock spreads a first burst back from its newest packet, but not beyond the epoch", () => {
  const { hands, clock } = fakeClock();
  clock.stamp([null]);
  hands.monoUs += 25_000_000;
  const times = clock.stamp([10_000, 20_000, 30_000, 40_000])
    .map(({ monoUs }) => monoUs - 1_000_000_000);
  assert.deepEqual(times, [8, 5_000_000, 15_000_000, 25_000_000]);
});

Deno.test("EventClock counts a reboot and spreads what came after it by itself", () => {
  const { hands, clock, board, read, pass } = steadyBoard(5);
  const before = hands.monoUs;
  pass(60_000);
  const end = hands.monoUs;
  assert.deepEqual(
    read(board.ts + 10_000, 3_000, 13_000, 23_000),
    [before + 10_000_000, end - 20_000_000, end - 10_000_000, end],
  );
  assert.deepEqual(clock.board.counts, {
    reboots: 1,
    wraps: 0,
    repeats: 0,
    jumps: 0,
  });
});

Deno.test("EventClock goes on when the board's clock wraps", () => {
  const { hands, clock, board, read, pass } = steadyBoard(
    5,
    2 ** 32 - 65_000,
  );
  const before = hands.monoUs;
  pass(30_000);
  const late = [1, 2, 3].map((n) => (board.ts + n * 10_000) % 2 ** 32);
  assert.deepEqual(
    read(...late),
    [1, 2, 3].map((n) => before + n * 10_000_000),
  );
  assert.equal(clock.board.counts.wraps, 1);
  assert.equal(clock.board.counts.reboots, 0);
});

Deno.test("EventClock counts repeats and jumps, and takes their times as they come", () => {
  const { hands, clock, board, read, pass } = steadyBoard(5);
  pass(10_000);
  assert.deepEqual(read(board.ts + 3_600_000), [hands.monoUs]);
  pass(10_000);
  assert.deepEqual(read(board.ts + 3_610_000), [hands.monoUs]);
  pass(500);
  assert.deepEqual(read(board.ts + 3_610_000), [hands.monoUs]);
  assert.deepEqual(clock.board.counts, {
    reboots: 0,
    wraps: 0,
    repeats: 1,
    jumps: 1,
  });
});

Deno.test("EventClock does not believe a board's clock that stands still or is slow", () => {
  const { hands, board, read, pass } = steadyBoard(5);
  // One packet may be taken for a late one; from the second on it is clear.
  pass(10_000);
  read(board.ts);
  for (let i = 0; i < 5; i++) {
    pass(10_000);
    assert.deepEqual(read(board.ts), [hands.monoUs]);
  }
  for (let i = 0; i < 20; i++) {
    pass(10_000);
    board.ts += 1_000;
    assert.deepEqual(read(board.ts), [hands.monoUs]);
  }
});

Deno.test("EventClock begins again with each clock epoch", () => {
  const { hands, board, read, pass } = steadyBoard(5);
  pass(60_000);
  hands.epoch = 2;
  const times = read(board.ts + 10_000, board.ts + 20_000);
  assert.deepEqual(times, [hands.monoUs, hands.monoUs + 8]);
});

Deno.test("EventClock gives growing stamps that are never later than the reading, whatever the board says", () => {
  const packet = fc.oneof(
    fc.constant(null),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.integer({ min: 0, max: 100_000 }),
  );
  const reading = fc.record({
    passedUs: fc.integer({ min: 1_000, max: 100_000_000 }),
    isStep: fc.boolean(),
    boardTs: fc.array(packet, { minLength: 1, maxLength: 20 }),
  });
  fc.assert(fc.property(fc.array(reading), (readings) => {
    const { hands, clock } = fakeClock();
    let last = -Infinity;
    for (const { passedUs, isStep, boardTs } of readings) {
      hands.monoUs += passedUs;
      if (isStep) hands.epoch++;
      for (const { epoch, monoUs } of clock.stamp(boardTs)) {
        assert.equal(epoch, hands.epoch);
        assert.equal(monoUs % 8, 0);
        assert.ok(monoUs > last);
        assert.ok(monoUs <= hands.monoUs + 8 * boardTs.length);
        last = monoUs;
      }
    }
  }));
});
