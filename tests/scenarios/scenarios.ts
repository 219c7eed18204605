/**
 * `deno task scenarios [--seeds N] [--from S] [--jobs J] [--seed X]`: random scenarios of boards that
 * fail, of a gateway that is killed and of people who interfere, each with the real gateway and the
 * stand-in for probe-rs as processes; what they leave behind is held against the rules.
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Program, PROGRAMS } from "../cli/program.ts";
import type { Evidence } from "./evidence.ts";
import { makePlan, tellPlan } from "./plan.ts";
import { check } from "./rules.ts";
import { runPlan } from "./world.ts";

const HELP = `Random scenarios, every state and every line checked.

  deno task scenarios [--seeds N] [--from S] [--jobs J]   N seeds from S on, J at a time
  deno task scenarios --seed X                            one seed, its story, and its folder is kept

  --seeds N       how many (default 20)
  --from S        the first one (default 1)
  --jobs J        how many at a time (default 4)
  --executable    the compiled gateway, which IIOT_GATEWAY_EXECUTABLE names, and not the source
  --help          this text

Each takes 10 to 20 s, but for every hundredth, whose boards are swapped for blank ones: that is found out
after two minutes. The same seed makes the same plan; what comes of it depends on the machine too. A seed
that fails is told with its story. Linux only.`;

/** So often it is said how far it is. */
const TOLD_EVERY = 50;

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: "4" },
    seed: { type: "string" },
    executable: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  print(HELP);
  Deno.exit(0);
}

const form = options.executable ? "executable" : "source";
const program = PROGRAMS.find((one) => one.form === form);
if (program === undefined) {
  throw new Error("IIOT_GATEWAY_EXECUTABLE does not name the executable");
}
Deno.exitCode = options.seed === undefined
  ? await runMany(program)
  : await runOne(program, Number(options.seed));

/** Tells the story of one seed. */
async function runOne(program: Program, seed: number): Promise<number> {
  const keep = await Deno.makeTempDir({ prefix: "iiot-scenario-" });
  const { faults } = await run(program, seed, { say: print, keep });
  print(faults.length === 0 ? `Seed ${seed}: all is well` : tell(seed, faults));
  print(`Its files are in ${keep}`);
  return faults.length === 0 ? 0 : 1;
}

/** Runs seeds side by side. */
async function runMany(program: Program): Promise<number> {
  const [from, count, jobs] = [options.from, options.seeds, options.jobs]
    .map(Number) as [number, number, number];
  const began = performance.now();
  const seeds = Array.from({ length: count }, (_, i) => from + i).values();
  const failed: number[] = [];
  let done = 0;
  const sums = { sessions: 0, calls: 0, cycles: 0, packets: 0, samples: 0 };
  await Promise.all(Array.from({ length: jobs }, async () => {
    for (const seed of seeds) {
      const story: string[] = [];
      const { evidence, faults } = await run(program, seed, {
        say: (line) => story.push(line),
      });
      if (evidence) addTo(sums, evidence);
      if (++done % TOLD_EVERY === 0) print(`${done} seeds are done`);
      if (faults.length === 0) continue;
      failed.push(seed);
      print([...story, tell(seed, faults)].join("\n"));
    }
  }));
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const told = Object.entries(sums).map(([what, sum]) => `${sum} ${what}`);
  print(
    `${
      failed.length === 0 ? "All is well" : `FAILED: ${failed.join(", ")}`
    }: seeds ${from} to ${from + count - 1}, ${told.join(", ")}, ${seconds} s`,
  );
  return failed.length === 0 ? 0 : 1;
}

interface Run {
  /** Undefined: the run itself failed. */
  readonly evidence: Evidence | undefined;
  readonly faults: readonly string[];
}

async function run(
  program: Program,
  seed: number,
  { say, keep }: { say(line: string): void; keep?: string },
): Promise<Run> {
  const plan = makePlan(seed);
  say(`Seed ${seed}`);
  for (const line of tellPlan(plan)) say(line);
  say("");
  try {
    const evidence = await runPlan(plan, { program, say, keep });
    if (keep !== undefined) {
      const text = JSON.stringify(evidence, null, 1);
      await Deno.writeTextFile(join(keep, "evidence.json"), text);
    }
    return { evidence, faults: check(evidence) };
  } catch (error) {
    const fault = error instanceof Error ? error.stack : `${error}`;
    return { evidence: undefined, faults: [`${fault}`] };
  }
}

function addTo(
  sums: Record<"sessions" | "calls" | "cycles" | "packets" | "samples", number>,
  { sessions, calls, boards, samples }: Evidence,
): void {
  sums.sessions += sessions.length;
  sums.calls += calls.length;
  sums.samples += samples.length;
  for (const { flash_cycles, journalled } of boards) {
    sums.cycles += flash_cycles;
    sums.packets += journalled.length;
  }
}

function tell(seed: number, faults: readonly string[]): string {
  return [
    ...faults.map((fault) => `FAULT: ${fault}`),
    `Alone: deno task scenarios --seed ${seed}\n`,
  ].join("\n");
}

function print(line: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.log(line);
}
