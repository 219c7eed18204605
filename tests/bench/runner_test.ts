import assert from "node:assert/strict";
import { join } from "node:path";
import type { Program } from "../cli/program.ts";
import { RUN } from "./given.ts";
import type { BenchContext, Figure, Point } from "./point.ts";
import { measure, type MeasureOptions } from "./runner.ts";

const NOW: Program = { form: "source", command: ["now"] };
const BEFORE: Program = { form: "source", command: ["before"] };
const SPEED = { side: "gateway", name: "packets/s" };
const ANCHOR = { side: "SQLite", name: "rows/s" };

/** A point that tells its calls to `story`, and measures what `value` says. */
function pointOf(
  story: string[],
  value: (context: BenchContext) => number = ({ round }) => round,
): Point {
  return {
    name: "some",
    title: "Some point",
    needs: [],
    async *round(context): AsyncIterable<Figure> {
      const { program, round, folder, stack } = context;
      const who = `${program.command[0]} ${round}`;
      story.push(who);
      await Deno.writeTextFile(join(folder, "left behind"), "");
      stack.defer(async () => {
        await Deno.stat(folder);
        story.push(`${who} ended`);
      });
      yield { ...SPEED, unit: "", value: value(context) };
    },
    async *anchors({ round }) {
      story.push(`anchors ${round}`);
      yield { ...ANCHOR, unit: "", value: 10 };
    },
    ratios: [{ of: SPEED, to: ANCHOR }],
  };
}

async function measured(point: Point, options: Partial<MeasureOptions> = {}) {
  const folder = await Deno.makeTempDir();
  try {
    const result = await measure(point, {
      ...{ run: RUN, program: NOW, folder, say() {} },
      signal: new AbortController().signal,
      ...options,
    });
    const left = (await Array.fromAsync(Deno.readDir(folder)))
      .map(({ name }) => name);
    return { result, left };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("measure calls every side once a round, in turn forwards and backwards", async () => {
  const story: string[] = [];
  await measured(pointOf(story), { before: BEFORE });
  assert.deepEqual(story, [
    ...["now 1", "now 1 ended", "before 1", "before 1 ended", "anchors 1"],
    ...["anchors 2", "before 2", "before 2 ended", "now 2", "now 2 ended"],
    ...["now 3", "now 3 ended", "before 3", "before 3 ended", "anchors 3"],
  ]);
});

Deno.test("measure tells the checkout before apart, and compares within a round", async () => {
  const value = ({ program, round }: BenchContext) =>
    program === NOW ? 4 * round : 2 * round;
  const { result } = await measured(pointOf([], value), { before: BEFORE });
  assert.deepEqual(result.figures, [
    { ...SPEED, unit: "", values: [4, 8, 12] },
    { side: "gateway, before", name: "packets/s", unit: "", values: [2, 4, 6] },
    { ...ANCHOR, unit: "", values: [10, 10, 10] },
  ]);
  assert.deepEqual(result.ratios.map(({ values }) => values), [
    [0.4, 0.8, 1.2],
    [2, 2, 2],
  ]);
});

Deno.test("measure leaves nothing of a side behind but what all rounds share", async () => {
  const { left } = await measured(pointOf([]));
  assert.deepEqual(left, ["shared"]);
});

Deno.test("measure refuses a figure that is no number", async () => {
  await assert.rejects(
    measured(pointOf([], () => NaN)),
    /"packets\/s" of "gateway" is no number: NaN/,
  );
});

Deno.test("measure ends what was started when it is interrupted, also where it waits for ever", async () => {
  const story: string[] = [];
  const interrupted = new AbortController();
  const point: Point = {
    ...pointOf(story),
    async *round({ stack }) {
      stack.defer(() => void story.push("ended"));
      interrupted.abort(new Error("Interrupted"));
      await new Promise(() => {});
      yield { ...SPEED, unit: "", value: 1 };
    },
  };
  await assert.rejects(
    measured(point, { signal: interrupted.signal }),
    /Interrupted/,
  );
  assert.deepEqual(story, ["ended"]);
});
