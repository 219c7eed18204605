/**
 * `deno task simulation [--seeds N] [--from S] [--jobs J] [--failures F] [--seed X]`: runs the core in
 * N simulated worlds, up to F failures in each of J processes, or in one world and tells its story.
 *
 * Ends with exit code 1 if a promise was broken; prints each such seed with what led to it, and the
 * command that runs it alone. Every seed is run in a process without permissions, so that nothing of the
 * real world can get in.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runSeed, type SeedResult } from "./world.ts";

/** Lines of a failing seed's story that are printed in a run of many. */
const LAST_LINES = 40;
/** One seed of so many is run twice, to see that it does the same. */
const TWICE_EVERY = 50;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: String(navigator.hardwareConcurrency) },
    failures: { type: "string", default: "5" },
    step: { type: "string" },
    seed: { type: "string" },
  },
});

if (values.seed !== undefined) await runOne(Number(values.seed));
else if (values.step !== undefined) {
  await runMany(
    Number(values.from),
    Number(values.seeds),
    Number(values.step),
  );
} else await runJobs();

/** Tells the story of one seed. */
async function runOne(seed: number): Promise<void> {
  const result = await runSeed(seed, { story: true });
  say(result.story.join("\n"));
  say(
    result.failure === undefined
      ? `Seed ${seed}: all promises are kept in ${result.steps} steps`
      : `Seed ${seed}: VIOLATED: ${result.failure}`,
  );
  Deno.exitCode = result.failure === undefined ? 0 : 1;
}

/** Runs every `step`th seed from `from` on, up to `from + count`. */
async function runMany(
  from: number,
  count: number,
  step: number,
): Promise<void> {
  let failures = 0;
  let steps = 0;
  for (let seed = from; seed < from + count; seed += step) {
    let result = await runSeed(seed, { story: false });
    steps += result.steps;
    if (seed % TWICE_EVERY === 0) {
      const again = await runSeed(seed, { story: false });
      if (again.hash !== result.hash) {
        result = { ...result, failure: "the same seed does not do the same" };
      }
    }
    if (result.failure === undefined) continue;
    await sayFailure(result);
    if (++failures >= Number(values.failures)) break;
  }
  say(`steps ${steps}`);
  Deno.exitCode = failures === 0 ? 0 : 1;
}

async function sayFailure({ seed, failure }: SeedResult): Promise<void> {
  const { story } = await runSeed(seed, { story: true });
  say(`\nSeed ${seed}: VIOLATED: ${failure}`);
  say(story.slice(-LAST_LINES).join("\n"));
  say(`Alone: deno task simulation --seed ${seed}`);
}

/** Shares the seeds among processes. */
async function runJobs(): Promise<void> {
  const [from, seeds, jobs] = [values.from, values.seeds, values.jobs]
    .map(Number) as [number, number, number];
  const began = performance.now();
  const children = Array.from(
    { length: jobs },
    (_, job) =>
      new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--quiet",
          "--no-prompt",
          "--allow-env",
          new URL(import.meta.url).pathname,
          `--from=${from + job}`,
          `--seeds=${seeds - job}`,
          `--step=${jobs}`,
          `--failures=${values.failures}`,
        ],
        stdout: "piped",
        stderr: "inherit",
      }).output(),
  );
  let steps = 0;
  let failed = false;
  for (const { stdout, success } of await Promise.all(children)) {
    const text = new TextDecoder().decode(stdout);
    steps += Number(/^steps (\d+)$/m.exec(text)?.[1]);
    const rest = text.replace(/^steps .*\n/m, "");
    if (rest !== "") say(rest);
    failed ||= !success;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(
    `${failed ? "FAILED" : "All promises kept"}: seeds ${from} to ${
      from + seeds - 1
    }, ${steps} steps, ${seconds} s`,
  );
  Deno.exitCode = failed ? 1 : 0;
}

function say(line: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.log(line);
}
