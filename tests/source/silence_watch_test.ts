import assert from "node:assert/strict";
import { SilenceWatch } from "../../lib/source/silence_watch.ts";

const NODE1 = ["node1", "node2"];
const NODE2 = ["node2"];

/** A watch whose looks are made when they are due, in a time that is only counted. */
class World {
  readonly watch: SilenceWatch;
  /** `120 alarm` */
  readonly told: string[] = [];
  /** How long each look was waited for, in seconds. */
  readonly waits: number[] = [];
  nowS = 0;
  lines = 0;
  #lookS = 0;

  constructor(fixedS?: number, nodes?: readonly string[]) {
    this.watch = new SilenceWatch(
      fixedS === undefined ? undefined : fixedS * 1000,
      nodes,
    );
    this.start();
  }

  start(): void {
    this.watch.started(this.nowS * 1000, this.lines);
    this.#plan();
  }

  hear(nodes: readonly string[] = NODE1): void {
    this.lines++;
    const { over, silent, back } = this.watch
      .heard(this.nowS * 1000, this.lines, new Set(nodes));
    if (over) {
      this.#tell(`over ${over.forMs / 1000} s ${over.restarts} restarts`);
    }
    for (const { node } of silent) this.#tell(`silent ${node}`);
    for (const { node } of back) this.#tell(`back ${node}`);
  }

  /** Time goes on to `untilS`; each start for silence is done at once. */
  goTo(untilS: number): void {
    while (this.#lookS <= untilS) {
      this.nowS = this.#lookS;
      this.#look();
    }
    this.nowS = untilS;
  }

  /** Nothing of this process happens until then, and what was due happens late. */
  standStillUntil(untilS: number): void {
    this.nowS = untilS;
    if (this.#lookS <= untilS) this.#look();
  }

  /** Packets every `everyS`, so many. */
  speak(everyS: number, count: number, nodes: readonly string[] = NODE1): void {
    for (; count > 0; count--) {
      this.goTo(this.nowS + everyS);
      this.hear(nodes);
    }
  }

  get kind(): string | undefined {
    return this.watch.silence(this.nowS * 1000, this.lines)?.kind;
  }

  #look(): void {
    const due = this.watch.look(this.nowS * 1000);
    if (due) this.#tell(due);
    if (due === "restart") {
      this.watch.restarted();
      this.watch.started(this.nowS * 1000, this.lines);
    }
    this.#plan();
  }

  #plan(): void {
    const waitS = this.watch.untilNextLookMs(this.nowS * 1000) / 1000;
    assert.ok(waitS >= 1, `A look after ${waitS} s`);
    this.waits.push(waitS);
    this.#lookS = this.nowS + waitS;
  }

  #tell(what: string): void {
    this.told.push(`${this.nowS} ${what}`);
  }
}

// A look is made a second after what it tells was due, for what was still to be read.

Deno.test("SilenceWatch tells of a board that never speaks after two minutes, then has it started ever more rarely", () => {
  const world = new World();
  world.goTo(12_000);
  const told = [
    "121 alarm",
    "241 restart",
    "482 restart",
    "963 restart",
    "1924 restart",
    "3845 restart",
    "7446 restart",
    "11047 restart",
  ];
  assert.deepEqual(world.told, told, "at most once an hour in the end");
  assert.equal(world.watch.restarts, 7);
  const looks = 12_000 / 30 + 2 * told.length + 1;
  assert.ok(world.waits.length <= looks, `${world.waits.length} looks`);
});

Deno.test("SilenceWatch learns a board's pace, and tells after five of its intervals", () => {
  const world = new World();
  world.speak(20, 10);
  world.goTo(1000);
  assert.deepEqual(world.told, ["301 alarm", "401 restart", "602 restart"]);
  world.hear();
  assert.equal(world.told.at(-1), "1000 over 800 s 2 restarts");
  assert.equal(world.watch.restarts, 0);
  assert.equal(world.kind, undefined);
});

Deno.test("SilenceWatch gives a fast board half a minute, and its program a minute for its start", () => {
  const world = new World();
  world.speak(1, 100);
  world.goTo(350);
  assert.deepEqual(world.told, [
    "131 alarm",
    "161 restart",
    "222 restart",
    "343 restart",
  ]);
});

Deno.test("SilenceWatch holds to a silence that is configured, and starts nothing anew sooner than a minute after its start", () => {
  const world = new World(5);
  world.goTo(400);
  assert.deepEqual(world.told, [
    "6 alarm",
    "61 restart",
    "122 restart",
    "183 restart",
    "244 restart",
    "325 restart",
  ]);
  const slow = new World(36_000);
  slow.goTo(41 * 3600);
  assert.deepEqual(
    slow.told,
    ["36001 alarm", "72001 restart", "144002 restart"],
    "a board that may be silent for ten hours is not started anew every hour",
  );
});

Deno.test("SilenceWatch is not deceived by bursts, nor by a single gap", () => {
  const world = new World();
  for (let round = 0; round < 30; round++) {
    world.speak(0.001, 5);
    world.goTo(world.nowS + 90);
  }
  assert.deepEqual(world.told, []);
  const steady = new World();
  steady.speak(10, 30);
  steady.speak(45, 1);
  steady.speak(10, 5);
  assert.deepEqual(steady.told, []);
});

Deno.test("SilenceWatch gets used to a board that speaks more rarely than it did", () => {
  const world = new World();
  world.speak(1, 100);
  world.speak(300, 4);
  const told = world.told.length;
  assert.ok(told > 0);
  world.speak(300, 20);
  assert.equal(world.told.length, told);
});

Deno.test("SilenceWatch says apart no output and output without telemetry", () => {
  const world = new World();
  world.speak(1, 10);
  world.goTo(100);
  assert.equal(world.kind, "no output");
  world.lines += 3;
  assert.equal(world.kind, "no telemetry");
  world.start();
  assert.equal(world.kind, "no output", "of the program that runs now");
});

Deno.test("SilenceWatch does not count the time in which this process stood still", () => {
  const world = new World();
  world.speak(1, 100);
  // Stopped, with the board, for an hour: what was due comes late.
  world.standStillUntil(3700);
  world.goTo(3710);
  assert.deepEqual(world.told, []);
  world.hear();
  // Only this process was stopped, and what the board printed meanwhile is read behind the look.
  world.goTo(3720);
  world.standStillUntil(3900);
  world.hear();
  world.goTo(3905);
  world.hear(NODE2);
  assert.deepEqual(world.told, []);
  // The same, where that is read before the look.
  world.nowS = 4100;
  world.hear(NODE2);
  world.standStillUntil(4100);
  assert.deepEqual(world.told, []);
  // Once it is awake, silence is silence.
  world.goTo(5000);
  assert.match(world.told[0] ?? "", /alarm$/);
});

Deno.test("SilenceWatch that woke does not have a program started anew at once", () => {
  const world = new World();
  world.speak(1, 100);
  world.goTo(135);
  world.standStillUntil(1000);
  world.goTo(1059);
  assert.deepEqual(world.told, ["131 alarm"]);
  world.goTo(1062);
  assert.deepEqual(world.told, ["131 alarm", "1061 restart"]);
});

Deno.test("SilenceWatch looks once more before it tells, for what is just being read", () => {
  const world = new World();
  world.speak(1, 100);
  world.goTo(130.5);
  world.hear();
  world.goTo(160);
  assert.deepEqual(world.told, []);
});

Deno.test("SilenceWatch tells of a node that is silent while others speak, and starts nothing for it", () => {
  const world = new World();
  world.speak(10, 20);
  world.speak(10, 360, NODE2);
  world.speak(10, 2);
  assert.deepEqual(world.told, ["260 silent node1", "3810 back node1"]);
  assert.deepEqual(world.watch.silentNodes(world.nowS), []);
});

Deno.test("SilenceWatch misses a node that has spoken before this process, after a quarter of an hour", () => {
  const world = new World(undefined, ["node1", "node2"]);
  world.speak(10, 100, NODE2);
  assert.deepEqual(world.told, ["910 silent node1"]);
  world.hear();
  assert.match(world.told[1] ?? "", /back node1$/);
});

Deno.test("SilenceWatch measures each node by its own pace", () => {
  const world = new World();
  for (let round = 0; round < 10; round++) {
    world.speak(10, 29, NODE2);
    world.speak(10, 1);
  }
  assert.deepEqual(world.told, []);
  world.speak(10, 150, NODE2);
  assert.deepEqual(world.told, []);
  world.speak(10, 1, NODE2);
  assert.deepEqual(world.told, ["4510 silent node1"]);
});

Deno.test("SilenceWatch blames no node for the silence of the whole board", () => {
  const world = new World();
  world.speak(1, 100);
  world.goTo(500);
  world.hear(NODE2);
  world.goTo(520);
  world.hear(NODE1);
  assert.deepEqual(world.told.filter((one) => one.includes("node")), []);
  // Nor for a pause that was none of its own.
  world.goTo(600);
  world.start();
  world.hear(NODE2);
  assert.deepEqual(world.told.filter((one) => one.includes("node")), []);
});

Deno.test("SilenceWatch tells a silence once, whatever becomes of the program, until it is forgotten", () => {
  const world = new World();
  world.goTo(130);
  world.start();
  world.goTo(140);
  world.start();
  world.goTo(300);
  assert.deepEqual(world.told, ["121 alarm"]);
  world.watch.forget();
  assert.equal(world.kind, undefined);
  world.start();
  world.goTo(430);
  assert.deepEqual(world.told, ["121 alarm", "421 alarm"]);
});
