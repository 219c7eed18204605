import assert from "node:assert/strict";
import { Clock, type EpochLog } from "../../lib/clock/clock.ts";
import type { TimeQuality } from "../../lib/model.ts";
import { captureLog } from "../source/log_capture.ts";

const START_MS = 1_700_000_000_000;

/** A clock in a world whose time passes only when the test lets it. */
function fakeWorld(options: { trust?: boolean; holdS?: number } = {}) {
  const hands = { monoUs: 1_000_000_000, wallMs: START_MS };
  const epochs: {
    offsetUs: number;
    monoUs: number;
    quality: TimeQuality;
    knownBy: string | null;
  }[] = [];
  const log: EpochLog = {
    isOver: () => false,
    open: (epoch) => epochs.push({ ...epoch }),
    know: (offsetUs, knownBy) => {
      for (const epoch of epochs) {
        if (epoch.quality !== "unknown") continue;
        Object.assign(epoch, { offsetUs, knownBy, quality: "known" });
      }
    },
    estimate: (monoUs) => {
      const waited = epochs.filter((epoch) =>
        epoch.quality === "unknown" && epoch.monoUs <= monoUs
      );
      for (const epoch of waited) epoch.quality = "estimated";
      return waited.length;
    },
    quality: (id) => epochs[id - 1]!.quality,
  };
  const system: { by: string | null; asked: (number | undefined)[] } = {
    by: null,
    asked: [],
  };
  let tick = () => {};
  const clock = new Clock({
    trust: options.trust ?? false,
    holdS: options.holdS ?? 300,
    monotonicUs: () => hands.monoUs,
    wall: () => hands.wallMs,
    ask: ({ sinceMs }) => {
      system.asked.push(sinceMs);
      return Promise.resolve(system.by);
    },
    every: (_ms, run) => {
      tick = run;
      return () => {};
    },
  });
  return {
    hands,
    epochs,
    log,
    system,
    clock,
    /** Lets seconds pass, with a look at the clocks each second. */
    pass: async (seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        hands.monoUs += 1_000_000;
        hands.wallMs += 1_000;
        tick();
        await settle();
      }
    },
    settle,
    tick: () => tick(),
  };
}

/** Lets what was asked be answered. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

function serverSays(dateMs: number, isHere = false) {
  return { dateMs: Math.floor(dateMs / 1000) * 1000, tripMs: 40, isHere };
}

Deno.test("Clock is known once the system says so, and what came before is corrected", async () => {
  const { hands, epochs, log, system, clock, pass } = fakeWorld();
  await using _ = clock;
  clock.start(log);
  clock.now();
  await pass(15);
  assert.equal(clock.knownBy, null);
  assert.equal(epochs[0]!.quality, "unknown");
  // Once at the start and every ten seconds; nobody sets the clock, it was right.
  assert.deepEqual(system.asked, [undefined, undefined]);
  system.by = "chrony";
  await pass(10);
  assert.equal(clock.knownBy, "chrony");
  assert.deepEqual(epochs, [{
    offsetUs: hands.wallMs * 1000 - hands.monoUs,
    monoUs: 1_000_000_000,
    quality: "known",
    knownBy: "chrony",
  }]);
  await pass(100);
  assert.equal(system.asked.length, 3);
});

Deno.test("Clock that NTP sets by a month corrects the packets of before", async () => {
  await using captured = await captureLog();
  const { hands, epochs, log, system, clock, pass } = fakeWorld();
  await using _ = clock;
  clock.start(log);
  clock.now();
  await pass(20);
  hands.wallMs += 30 * 86_400_000;
  system.by = "timesyncd";
  await pass(1);
  clock.now();
  const right = hands.wallMs * 1000 - hands.monoUs;
  assert.deepEqual(epochs.map(({ quality, offsetUs }) => [quality, offsetUs]), [
    ["known", right],
    ["known", right],
  ]);
  // What was said before the step does not count.
  assert.deepEqual(system.asked.at(-1), hands.wallMs);
  assert.ok(
    captured.lines.some((line) =>
      line.includes("was set forward by 30 d, or the PC slept")
    ),
    captured.lines.join("\n"),
  );
});

Deno.test("Clock that is never known is estimated after the hold, once for all", async () => {
  await using captured = await captureLog();
  const { epochs, log, system, clock, pass } = fakeWorld({ holdS: 60 });
  await using _ = clock;
  clock.start(log);
  clock.now();
  await pass(59);
  assert.equal(epochs[0]!.quality, "unknown");
  await pass(600);
  clock.now();
  assert.deepEqual(epochs.map(({ quality }) => quality), ["estimated"]);
  const said = captured.lines.filter((line) =>
    line.includes("Nobody has said")
  );
  assert.equal(said.length, 1);
  // It is asked for ever, less often after a while.
  assert.ok(system.asked.length > 35 && system.asked.length < 45);
  system.by = "timesyncd";
  await pass(60);
  clock.now();
  assert.deepEqual(epochs.map(({ quality }) => quality), [
    "estimated",
    "known",
  ]);
});

Deno.test("Clock that glitches to 2096 and back leaves two epochs and two lines, and holds nothing", async () => {
  await using captured = await captureLog();
  const { hands, epochs, log, system, clock, pass } = fakeWorld();
  await using _ = clock;
  system.by = "timesyncd";
  clock.start(log);
  await pass(1);
  clock.now();
  system.by = null;
  hands.wallMs += 73 * 365 * 86_400_000;
  await pass(1);
  clock.now();
  assert.deepEqual(epochs.map(({ quality }) => quality), ["known", "unknown"]);
  hands.wallMs -= 73 * 365 * 86_400_000;
  system.by = "timesyncd";
  await pass(1);
  clock.now();
  const offsets = epochs.map(({ offsetUs }) => offsetUs);
  assert.deepEqual(offsets, [offsets[0], offsets[0], offsets[0]]);
  assert.ok(epochs.every(({ quality }) => quality === "known"));
  assert.equal(
    captured.lines.filter((line) => line.includes("was set")).length,
    2,
  );
});

Deno.test("Clock takes a server's Date for a second opinion", async () => {
  const { hands, log, clock } = fakeWorld();
  await using _ = clock;
  clock.start(log);
  clock.hear("influxdb", serverSays(hands.wallMs - 3_600_000));
  assert.equal(clock.knownBy, null);
  assert.ok(Math.abs(clock.differenceMs! - 3_600_000) < 1_000);
  clock.hear("influxdb", { ...serverSays(hands.wallMs), tripMs: 6_000 });
  assert.equal(clock.knownBy, null, "too long a trip");
  clock.hear("influxdb", serverSays(hands.wallMs + 2_900));
  assert.equal(clock.knownBy, "influxdb");
  assert.equal(clock.differenceMs, undefined);
});

Deno.test("Clock does not take the word of a server on this machine while the system has just started", async () => {
  const { hands, log, clock } = fakeWorld();
  await using _ = clock;
  hands.monoUs = 299_000_000;
  hands.wallMs = clock.timeUs / 1000;
  clock.start(log);
  clock.hear("influxdb", serverSays(hands.wallMs, true));
  assert.equal(clock.knownBy, null);
  hands.monoUs += 1_000_000;
  hands.wallMs += 1_000;
  clock.hear("influxdb", serverSays(hands.wallMs, true));
  assert.equal(clock.knownBy, "influxdb");
});

Deno.test("Clock warns once of a server whose clock differs while the system's is synchronised", async () => {
  await using captured = await captureLog();
  const { hands, log, system, clock, pass } = fakeWorld();
  await using _ = clock;
  system.by = "chrony";
  clock.start(log);
  await pass(1);
  for (let i = 0; i < 3; i++) {
    clock.hear("influxdb", serverSays(hands.wallMs + 3 * 3_600_000));
  }
  assert.equal(clock.knownBy, "chrony");
  assert.deepEqual(captured.lines.filter((line) => line.includes("differ")), [
    "clock warning: The clocks of this PC and of influxdb differ by 3 h; by chrony this PC's is right",
  ]);
});

Deno.test("Clock that is trusted is known always, and one that need not be waited for is estimated at once", async () => {
  const trusted = fakeWorld({ trust: true });
  await using _ = trusted.clock;
  trusted.clock.start(trusted.log);
  trusted.clock.now();
  trusted.hands.wallMs -= 3_600_000;
  trusted.clock.now();
  assert.deepEqual(trusted.epochs.map(({ knownBy }) => knownBy), [
    "trust",
    "trust",
  ]);
  assert.deepEqual(trusted.system.asked, []);
  const hurried = fakeWorld({ holdS: 0 });
  await using __ = hurried.clock;
  hurried.clock.start(hurried.log);
  hurried.clock.now();
  assert.equal(hurried.epochs[0]!.quality, "estimated");
});

Deno.test("Clock says for how long the process stood still", async () => {
  await using captured = await captureLog();
  const { hands, log, clock, tick, pass } = fakeWorld();
  await using _ = clock;
  clock.start(log);
  await pass(5);
  hands.monoUs += 62_000_000;
  hands.wallMs += 62_000;
  tick();
  await pass(5);
  assert.deepEqual(captured.lines.filter((line) => line.includes("still")), [
    "clock warning: This process stood still for 61 s: packets that came meanwhile get their times from the board's own clock",
  ]);
});

Deno.test("Clock discards an answer that is of the time before a step", async () => {
  const { hands, log, system, clock, settle } = fakeWorld();
  await using _ = clock;
  system.by = "chrony";
  clock.start(log);
  system.by = null;
  hands.wallMs += 60_000;
  await settle();
  assert.deepEqual(system.asked, [undefined, hands.wallMs]);
  assert.equal(clock.knownBy, null);
});
