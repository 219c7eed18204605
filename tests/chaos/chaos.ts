/**
 * `deno task chaos --seed S --minutes M`: the real gateway between real servers, with random faults of
 * all of them; at the end every value is looked for in the broker and in the database.
 *
 * `deno task chaos --kills N`: the gateway is killed N times at random moments, and nothing else fails.
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { PROGRAMS } from "../cli/program.ts";
import { findProgram } from "../servers.ts";
import { check, type Verdict } from "./check.ts";
import { runFaults } from "./run_faults.ts";
import { runKills } from "./run_kills.ts";
import { World } from "./world.ts";

const HELP = `Real processes, random faults, every value checked.

  deno task chaos [--seed S] [--minutes M]   faults of servers, network, gateway, board, disk, clock
  deno task chaos --kills N [--seed S]       kill -9 of the gateway, N times at random moments

  --seed S        the same seed makes the same faults (default: a random one, printed)
  --minutes M     how long faults are made (default 1); then everything has to be delivered
  --kills N       how often the gateway is killed
  --executable    the compiled gateway, which IIOT_GATEWAY_EXECUTABLE names, and not the source
  --keep          keep the run's folder also when all is well
  --help          this text

Needs mosquitto and victoria-metrics; as root on Linux also the disk fails, and with faketime the clock.
Exit code 1 if one journalled reading is unaccounted for, a value or a time is wrong, an order is broken
or a retained value is not the newest. A failed run keeps its folder: config.toml, the journal, a log of
each session of the gateway, what the board printed, and the story.`;

const { values: options } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "1" },
    kills: { type: "string" },
    executable: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  print(HELP);
  Deno.exit(0);
}

const seed = numberOf("seed") ?? Math.floor(Math.random() * 1e6);
const minutes = numberOf("minutes") ?? 1;
const kills = numberOf("kills");
const form = options.executable ? "executable" : "source";
const program = PROGRAMS.find((one) => one.form === form);
if (program === undefined) {
  throw new Error("IIOT_GATEWAY_EXECUTABLE does not name the executable");
}

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => interrupted.abort());
}

const startedMs = performance.now();
const folder = await Deno.makeTempDir({ prefix: "iiot-chaos-" });
const story = await Deno.open(join(folder, "story.txt"), {
  create: true,
  append: true,
});
say(
  kills === undefined
    ? `Seed ${seed}, ${minutes} minutes, ${form}, folder ${folder}`
    : `Seed ${seed}, ${kills} kills, ${form}, folder ${folder}`,
);

let verdict: Verdict | undefined;
try {
  await using world = await World.create({
    program,
    folder,
    fakeClock: kills === undefined && hasProgram("faketime"),
    maxMegabytes: Math.max(64, Math.ceil(4 * minutes)),
    say,
  });
  if (kills === undefined) {
    await runFaults(world, {
      seed,
      durationMs: minutes * 60_000,
      signal: interrupted.signal,
    });
  } else {
    await runKills(world, { seed, kills, signal: interrupted.signal });
  }
  if (!interrupted.signal.aborted) verdict = check(await world.evidence());
} catch (error) {
  say(`FAULT: ${error instanceof Error ? error.stack : error}`);
}

for (const [name, value] of verdict?.table ?? []) {
  say(`${name.padEnd(26)} ${value}`);
}
for (const fault of verdict?.faults ?? []) say(`FAULT: ${fault}`);
const well = verdict?.faults.length === 0;
say(
  interrupted.signal.aborted
    ? "Interrupted"
    : well
    ? "Every reading is accounted for"
    : `FAILED: --seed ${seed}, see ${folder}`,
);
story.close();
if ((well || interrupted.signal.aborted) && !options.keep) {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(well ? 0 : 1);

/** One line of the story, with the seconds since the start. */
function say(text: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const line = `${seconds.padStart(7)} ${text}`;
  story.writeSync(new TextEncoder().encode(`${line}\n`));
  print(line);
}

function print(line: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.log(line);
}

function numberOf(name: "seed" | "minutes" | "kills"): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value >= 0)) {
    print(`"--${name}" must be a number from 0: it is "${text}"`);
    Deno.exit(2);
  }
  return value;
}

function hasProgram(name: string): boolean {
  try {
    findProgram(name);
    return true;
  } catch {
    return false;
  }
}
