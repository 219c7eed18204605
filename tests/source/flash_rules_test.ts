/**
 * Any life of a board: files replaced, gateways killed, probes pulled, boards swapped. The flash is
 * written as seldom as can be, and never is a firmware read with another one's file unknowingly.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { recognizeFailure } from "../../lib/source/failure.ts";
import type { FlashMode } from "../../lib/source/programming.ts";
import { FINISHED, FlashWorld } from "./flash_world.ts";

/** How a child that was started may go on. */
type Course =
  /** It tells that it has programmed, and ends later. */
  | "told"
  /** The probe is missing: it ends at once. */
  | "missing"
  /** It fails while it writes. */
  | "failed"
  /** It has written, and is ended on request before it tells. */
  | "ended"
  /** The gateway is killed: before it writes, or when it has written, or when it has told. */
  | "killed early"
  | "killed late"
  | "killed after";

type Step =
  | { readonly do: "start"; readonly course: Course; readonly silent: boolean }
  | { readonly do: "replace"; readonly content: string }
  /** Somebody puts another board behind the probe. */
  | { readonly do: "swap"; readonly content: string }
  | { readonly do: "restart" };

const CONTENT = fc.constantFrom("one", "two", "three");
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("start" as const),
      course: fc.constantFrom<Course>(
        "told",
        "told",
        "told",
        "missing",
        "failed",
        "ended",
        "killed early",
        "killed late",
        "killed after",
      ),
      silent: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("replace" as const),
      content: CONTENT,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("swap" as const),
      content: CONTENT,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("restart" as const) }),
  },
);

const BROKEN = "half of a firmware";

/** The truth, which the gateway cannot see. */
class Board {
  content = "blank";
  cycles = 0;
  /** Somebody swapped it, and no `run` has come since. */
  isSwapped = false;

  write(content: string, comparesFirst: boolean): void {
    this.isSwapped = false;
    if (comparesFirst && this.content === content) return;
    this.content = content;
    this.cycles++;
  }
}

async function live(
  mode: FlashMode,
  comparesFirst: boolean,
  steps: readonly Step[],
): Promise<void> {
  await using world = await FlashWorld.make({ mode });
  const { file } = world;
  const board = new Board();
  /** What the rules allow, in runs that may have written. */
  let reasons = 0;
  let silentRestarts = 0;
  /** What the last run did is known: this is on the board, unless it was swapped. */
  let known: string | undefined;
  let triedInSilence = false;
  let isFirst = true;
  for (const step of steps) {
    if (step.do === "replace") file.content = step.content;
    else if (step.do === "swap") {
      board.content = step.content;
      board.isSwapped = true;
    } else if (step.do === "restart") {
      await world.restart();
      isFirst = true;
      triedInSilence = false;
    } else {
      silentRestarts = step.silent ? silentRestarts + 1 : 0;
      if (silentRestarts === 0) triedInSilence = false;
      const command = await world.begin({ comparesFirst, silentRestarts });
      const forSilence: boolean = silentRestarts >= 2 && !triedInSilence;
      const always: boolean = mode === "always" && (comparesFirst || isFirst);
      const wanted: boolean = known !== file.content || forSilence || always;
      assert.equal(
        command,
        mode !== "never" && wanted ? "run" : "attach",
        "run with a reason, and only then",
      );
      if (command === "attach") {
        if (mode !== "never" && !board.isSwapped) {
          assert.equal(board.content, file.content, "the file fits the board");
        }
        continue;
      }
      if (step.course !== "missing") reasons++;
      switch (step.course) {
        case "told":
        case "killed after":
          board.write(file.content, comparesFirst);
          world.programming.takeStderr(FINISHED);
          await world.settled();
          known = file.content;
          isFirst = false;
          if (forSilence) triedInSilence = true;
          break;
        case "missing":
          world.programming.ended(recognizeFailure({
            code: 1,
            error: "Error: No connected probes were found.",
          }));
          break;
        case "failed":
          board.write(BROKEN, false);
          known = undefined;
          world.programming.ended(recognizeFailure({
            code: 1,
            error: "Error: An error with the flashing procedure has occurred.",
          }));
          break;
        case "ended":
        case "killed late":
          board.write(file.content, comparesFirst);
          known = undefined;
          break;
        case "killed early":
          known = undefined;
      }
      if (step.course.startsWith("killed")) {
        await world.kill();
        isFirst = true;
        triedInSilence = false;
      }
    }
    const { cyclesAtMost, likelyNone, firmware } = world.flash.report;
    assert.ok(board.cycles <= cyclesAtMost, "not counted too low");
    assert.ok(cyclesAtMost <= reasons, "nothing counted without a reason");
    assert.ok(likelyNone <= cyclesAtMost);
    assert.equal(firmware === null, known === undefined);
    if (mode === "never") assert.equal(board.cycles, 0);
  }
}

for (const mode of ["when-changed", "always", "never"] as const) {
  for (const comparesFirst of [true, false]) {
    const version = comparesFirst ? "0.25 or later" : "0.24";
    Deno.test(`Whatever happens, flash "${mode}" and probe-rs ${version} write the flash as the rules allow`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(STEP, { maxLength: 25 }),
          (steps) => live(mode, comparesFirst, steps),
        ),
        { numRuns: 30 },
      );
    });
  }
}
