import assert from "node:assert/strict";
import fc from "fast-check";
import { ChildTaps } from "../../lib/source/child_taps.ts";
import { Recorder, type RecorderOptions } from "../../lib/source/recorder.ts";
import type { RecordingEntry } from "../../lib/source/recording.ts";
import { captureLog } from "./log_capture.ts";

/** Keeps what it is given; may be slow, and may fail. */
class Target {
  readonly name = "target";
  readonly entries: RecordingEntry[] = [];
  fails = false;
  #held: PromiseWithResolvers<void> | undefined;

  /** From now on nothing is written until `go`. */
  hold(): void {
    this.#held = Promise.withResolvers();
  }

  go(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  async write(entries: readonly RecordingEntry[]): Promise<void> {
    await this.#held?.promise;
    if (this.fails) throw new Error("No space left on device");
    this.entries.push(...entries);
  }

  get kinds(): string {
    return this.entries.map(({ kind }) => kind).join(" ");
  }

  /** Bytes that are here, and that are said to be missing. */
  get bytes(): { here: number; missing: number } {
    let [here, missing] = [0, 0];
    for (const one of this.entries) {
      if (one.kind === "gap") missing += one.bytes;
      else if (one.kind === "out" || one.kind === "err") {
        here += one.bytes.length;
      }
    }
    return { here, missing };
  }
}

function record(target: Target, options: Partial<RecorderOptions> = {}) {
  return new Recorder({
    target,
    board: "",
    running: null,
    timeOfDay: () => ({ us: 1_790_000_000_123_456, isKnown: true }),
    wait: () => Promise.resolve(),
    ...options,
  });
}

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

const CHUNK = new Uint8Array(60_000);

Deno.test("Recorder keeps of a child's piece what it holds, and not the memory that it was read into", async () => {
  const target = new Target();
  const recorder = record(target);
  const pipe = new Uint8Array(65_536);
  pipe.set(new TextEncoder().encode("one\n"));
  recorder.printed("out", pipe.subarray(0, 4));
  // It was seen: its memory is free for others.
  pipe.fill(0);
  await recorder[Symbol.asyncDispose]();
  const pieces = target.entries.flatMap((one) =>
    one.kind === "out" ? [one.bytes] : []
  );
  assert.deepEqual(pieces.map(({ buffer }) => buffer.byteLength), [4]);
  assert.equal(new TextDecoder().decode(pieces[0]), "one\n");
});

Deno.test("Recorder writes what a child does, with times since it began", async () => {
  const target = new Target();
  let ms = 1000;
  const recorder = record(target, { now: () => ms });
  ms += 5.25;
  recorder.started({ pid: 7, command: ["/usr/bin/probe-rs", "run", "fw.elf"] });
  ms += 1;
  recorder.printed("out", CHUNK);
  recorder.printed("err", CHUNK);
  ms += 1;
  recorder.ended(101);
  await recorder[Symbol.asyncDispose]();
  const [header, ...rest] = target.entries;
  assert.equal(header?.kind, "header");
  assert.equal(header.time, "2026-09-21T14:13:20.123Z");
  assert.equal(header.clock, "known");
  assert.deepEqual(rest, [
    {
      kind: "start",
      ms: 5.25,
      pid: 7,
      command: ["/usr/bin/probe-rs", "run", "fw.elf"],
    },
    { kind: "out", ms: 6.25, bytes: CHUNK },
    { kind: "err", ms: 6.25, bytes: CHUNK },
    { kind: "end", ms: 7.25, code: 101 },
  ]);
});

Deno.test("Recorder leaves out the arguments of the operator's own program, which may hold a password", async () => {
  const target = new Target();
  const running = { pid: 1, command: ["sh", "-c", "secret"] };
  await using recorder = record(target, { running });
  recorder.started({ pid: 2, command: ["/opt/read", "--password", "secret"] });
  await settle();
  assert.doesNotMatch(JSON.stringify(target.entries), /secret/);
  const [header, start] = target.entries;
  assert.ok(header?.kind === "header" && start?.kind === "start");
  assert.deepEqual(header.running, { pid: 1, command: ["sh"] });
  assert.deepEqual(start.command, ["/opt/read"]);
});

Deno.test("Recorder leaves out what a slow target does not take, in bounded memory, and counts every byte at its place", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(100_000), fc.boolean()), { maxLength: 60 }),
      async (steps) => {
        const target = new Target();
        const recorder = record(target);
        let printed = 0;
        for (const [length, isHeld] of steps) {
          if (isHeld) target.hold();
          recorder.printed("out", new Uint8Array(length));
          printed += length;
          if (isHeld) continue;
          target.go();
          await settle();
        }
        target.go();
        await recorder[Symbol.asyncDispose]();
        const { here, missing } = target.bytes;
        assert.equal(here + missing, printed);
        const times = target.entries.map(({ ms }) => ms);
        assert.deepEqual(times, times.toSorted((a, b) => a - b));
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("Recorder keeps a mebibyte for a target that hangs, and no more", async () => {
  const target = new Target();
  const recorder = record(target);
  target.hold();
  for (let i = 0; i < 100; i++) recorder.printed("out", CHUNK);
  target.go();
  await settle();
  recorder.printed("out", CHUNK);
  await recorder[Symbol.asyncDispose]();
  const { here, missing } = target.bytes;
  assert.equal(here + missing, 101 * CHUNK.length);
  assert.equal(here, 18 * CHUNK.length);
  assert.equal(target.kinds, `header ${"out ".repeat(17)}gap out`);
});

Deno.test("Recorder goes on when its target works again, with what came last, and says twice what happened", async () => {
  await using log = await captureLog();
  const target = new Target();
  const retry = { go: () => {} };
  const recorder = record(target, {
    board: "yard",
    wait: () => new Promise((resolve) => retry.go = () => resolve()),
  });
  recorder.printed("out", CHUNK);
  await settle();
  target.fails = true;
  for (let i = 0; i < 3; i++) {
    recorder.printed("out", CHUNK);
    await settle();
    retry.go();
    await settle();
  }
  target.fails = false;
  retry.go();
  await settle();
  recorder.ended(1);
  await settle();
  const disposed = recorder[Symbol.asyncDispose]();
  retry.go();
  await disposed;
  assert.equal(target.kinds, "header out gap end");
  assert.deepEqual(target.bytes, {
    here: CHUNK.length,
    missing: 3 * CHUNK.length,
  });
  assert.deepEqual(log.lines, [
    "source warning: Cannot record to target: No space left on device. What the board prints goes on its way, and is missing in the recording; it is tried again every second (yard)",
    "source warning: Records to target again: 180000 bytes are missing in it (yard)",
  ]);
});

Deno.test("Recorder ends although its target hangs", async () => {
  const target = new Target();
  const waits: number[] = [];
  const recorder = record(target, {
    wait: (ms) => Promise.resolve(void waits.push(ms)),
  });
  target.hold();
  recorder.printed("out", CHUNK);
  await recorder[Symbol.asyncDispose]();
  assert.deepEqual(waits, [2000]);
  assert.deepEqual(target.entries, []);
  target.go();
});

Deno.test("ChildTaps begins a recording in the middle of a run, and ends one without the others", async () => {
  const taps = new ChildTaps({
    board: "hall",
    timeOfDay: () => ({ us: 0, isKnown: false }),
  });
  const [early, late] = [new Target(), new Target()];
  const first = taps.record(early);
  taps.started({ pid: 5, command: ["cat"] });
  const second = taps.record(late);
  taps.printed("out", CHUNK);
  await first[Symbol.asyncDispose]();
  taps.ended(0);
  await second[Symbol.asyncDispose]();
  assert.equal(early.kinds, "header start out");
  assert.equal(late.kinds, "header out end");
  const [header] = late.entries;
  assert.ok(header?.kind === "header");
  assert.deepEqual(header.running, { pid: 5, command: ["cat"] });
  assert.deepEqual([header.board, header.clock], ["hall", "unknown"]);
});

Deno.test("What a command records is logged as of its board, which may have no name", async () => {
  await using log = await captureLog();
  for (const board of ["yard", ""]) {
    const taps = new ChildTaps({
      board,
      timeOfDay: () => ({ us: 0, isKnown: false }),
    });
    await taps.stream(() => Promise.resolve(), AbortSignal.abort());
  }
  assert.deepEqual(log.lines, [
    "source info: A command records what the board prints (yard)",
    "source info: The command has ended its recording (yard)",
    "source info: A command records what the board prints",
    "source info: The command has ended its recording",
  ]);
});
