/**
 * `deno task bench`: how fast the gateway is and what it costs, against real servers and beside what
 * they and the libraries can do at best.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Program, PROGRAMS } from "../cli/program.ts";
import { findProgram } from "../servers.ts";
import { check } from "./check.ts";
import { describeBuild, describeMachine } from "./machine.ts";
import type { Point } from "./point.ts";
import { POINTS } from "./points/index.ts";
import { keepPoint, type MeasuredPoint, type Run } from "./results.ts";
import { measure } from "./runner.ts";
import { describeRun, formatPoint } from "./table.ts";

const HELP = `How fast the gateway is and what it costs, against real servers.

  deno task bench [--points NAME,NAME…] [--quick] [--rounds N] [--executable] [--json FILE]

  --points NAMES      only these, parted by commas (default: ${
  POINTS.filter(({ onlyNamed }) => onlyNamed).map(({ name }) =>
    `all but "${name}"`
  ).join()
})
  --quick             seconds instead of minutes a point: roughly, and with fewer sides
  --rounds N          each side of every comparison is measured once in each round (default 3)
  --packets N         how many packets a flood has, instead of what each point finds right
  --executable        the compiled gateway, which IIOT_GATEWAY_EXECUTABLE names, and not the source
  --against FOLDER    another checkout, measured in the same rounds as "before"
  --json FILE         keeps each point there as soon as it is measured, in the place of its last run
  --check             exit code 1 if a ratio is far from what it should be
  --help              this text

The points:
${POINTS.map(({ name, title }) => `  ${name.padEnd(18)}  ${title}`).join("\n")}

Journals lie under TMPDIR: it has to be on the disk that is meant, a RAM disk syncs nothing.
Exit code 1 if a point cannot be measured, such as where a ledger does not balance.`;

const { values: options } = parseArgs({
  options: {
    points: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    packets: { type: "string" },
    executable: { type: "boolean", default: false },
    against: { type: "string" },
    json: { type: "string" },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  print(HELP);
  Deno.exit(0);
}

const points = choose(options.points);
const rounds = count("rounds", options.rounds);
const packets = options.packets === undefined
  ? undefined
  : count("packets", options.packets);
for (const name of new Set(points.flatMap(({ needs }) => needs))) {
  findProgram(name);
}
const program = ownProgram();
const before = options.against === undefined
  ? undefined
  : await programIn(options.against);

// Whatever is made for the bench, by whoever, goes with this folder.
const folder = await Deno.makeTempDir({ prefix: "iiot-bench-" });
Deno.env.set("TMPDIR", folder);
const interrupted = new AbortController();
const { signal } = interrupted;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(name, () => interrupted.abort());
}

const measured: MeasuredPoint[] = [];
try {
  const run: Run = {
    at: new Date().toISOString(),
    machine: await describeMachine(folder),
    build: await describeBuild(program),
    before: before === undefined
      ? null
      : await describeBuild(before, options.against),
    size: options.quick ? "quick" : "full",
    rounds,
  };
  print(describeRun(run).join("\n"));
  for (const point of points) {
    const own = join(folder, point.name);
    await Deno.mkdir(own);
    try {
      const result = await measure(point, {
        ...{ run, program, before, packets, folder: own, signal, say },
      });
      measured.push(result);
      print(`\n${formatPoint(result)}`);
      if (options.json !== undefined) await keepPoint(options.json, result);
    } catch (error) {
      if (signal.aborted) break;
      // The others are worth their time all the same.
      say(`${point.name}: ${Deno.inspect(error)}`);
      Deno.exitCode = 1;
    }
    await Deno.remove(own, { recursive: true });
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
// What was being measured may wait for something still.
if (signal.aborted) Deno.exit(130);
if (options.check) {
  const found = check(measured);
  print(
    `\n${found.length === 0 ? "All is as it should be" : found.join("\n")}`,
  );
  if (found.length > 0) Deno.exitCode = 1;
}

function choose(names: string | undefined): readonly Point[] {
  if (names === undefined) return POINTS.filter(({ onlyNamed }) => !onlyNamed);
  return names.split(",").map((name) => {
    const point = POINTS.find((one) => one.name === name);
    if (point !== undefined) return point;
    const known = POINTS.map((one) => `"${one.name}"`).join(", ");
    return fail(`There is no point "${name}", only ${known}`);
  });
}

function count(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  return fail(`"--${name}" must be a number from 1 on: it is "${text}"`);
}

function ownProgram(): Program {
  const form = options.executable ? "executable" : "source";
  const found = PROGRAMS.find((one) => one.form === form);
  return found ?? fail("IIOT_GATEWAY_EXECUTABLE does not name the executable");
}

/** The program of another checkout: its source, or the executable that was built there. */
async function programIn(checkout: string): Promise<Program> {
  const file = options.executable ? "dist/iiot-gateway" : "main.ts";
  const path = resolve(checkout, file);
  await Deno.stat(path).catch(() => fail(`There is no "${path}"`));
  return options.executable ? { form: "executable", command: [path] } : {
    form: "source",
    command: [Deno.execPath(), "run", "-q", "-P", "--no-prompt", path],
  };
}

/** The bench was called in a way that makes no sense. */
function fail(text: string): never {
  say(text);
  Deno.exit(2);
}

function say(text: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.error(text);
}

function print(text: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.log(text);
}
