/**
 * `iiot-gateway simulate --as-probe-rs`: the stand-in for probe-rs, as a process.
 *
 * @module
 */

import { describeFileError } from "../config/fault.ts";
import {
  Bench,
  keepScenario,
  readScenario,
} from "../simulator/probe_rs/bench.ts";
import {
  type BenchStore,
  FolderStore,
  MemoryStore,
} from "../simulator/probe_rs/bench_store.ts";
import type { Outside } from "../simulator/probe_rs/outside.ts";
import {
  DEFAULT_SCENARIO,
  type Scenario,
} from "../simulator/probe_rs/scenario.ts";
import { standIn as run } from "../simulator/probe_rs/stand_in.ts";
import { wait } from "../wait.ts";
import { writeAll } from "./terminal/terminal.ts";
import { UsageError } from "./usage_error.ts";

/** Options for {@linkcode standIn}. */
export interface StandInCommandOptions {
  /** A TOML file. @default {a board that works} */
  readonly scenario?: string | undefined;
  /** The folder that the calls of one bench share. @default {every call is a bench of its own} */
  readonly state?: string | undefined;
  /** The arguments of probe-rs. */
  readonly args: readonly string[];
}

/**
 * Does what probe-rs would do.
 *
 * @returns the exit code of probe-rs
 * @throws {ConfigError} if the scenario is wrong
 * @throws {UsageError} if it cannot be read
 */
export async function standIn(options: StandInCommandOptions): Promise<number> {
  const { args, state } = options;
  const store = state === undefined
    ? new MemoryStore()
    : new FolderStore(state);
  const scenario = await loadScenario(store, options.scenario);
  const bench = await Bench.open({ store, scenario, now: Date.now });
  return await run({ args, bench, outside: process() });
}

/** The scenario in `file`, read as TOML only when it is new to this bench: that takes its time. */
async function loadScenario(
  store: BenchStore,
  file: string | undefined,
): Promise<Scenario> {
  const kept = await readScenario(store);
  const text = file === undefined ? "" : await readScenarioFile(file);
  if (kept?.text === text) return kept.scenario;
  const scenario = file === undefined
    ? DEFAULT_SCENARIO
    : (await import("./scenario.ts")).parseScenario(text, file);
  await keepScenario(store, { text, scenario });
  return scenario;
}

/** The text of a scenario. @throws {UsageError} if it cannot be read */
export async function readScenarioFile(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new UsageError(
      `Cannot read the scenario: "${file}" ${describeFileError(error)}`,
    );
  }
}

/** This process. */
function process(): Outside {
  const encoder = new TextEncoder();
  const stderr = (text: string) => writeAll(Deno.stderr, encoder.encode(text));
  return {
    stdout: (text) => writeAll(Deno.stdout, encoder.encode(text)),
    stderr,
    async log(level, text) {
      const wanted = (variable("RUST_LOG") ?? "warn").toLowerCase();
      if (wanted === "off" || wanted === "error" && level === "WARN") return;
      const colour = level === "WARN" ? 33 : 31;
      const shown = variable("NO_COLOR")
        ? level.padStart(5)
        : `\x1b[${colour}m${level.padStart(5)}\x1b[0m`;
      await stderr(`${shown} ${text}\n`);
    },
    async readLine() {
      for await (const chunk of Deno.stdin.readable) {
        return new TextDecoder().decode(chunk).split("\n")[0] ?? "";
      }
      return "";
    },
    readFile: Deno.readFile,
    env: variable,
    now: Date.now,
    wait: (ms, signal = new AbortController().signal) => wait(ms, signal),
    onSignal(name, listener) {
      Deno.addSignalListener(name, listener);
      return {
        [Symbol.dispose]: () => Deno.removeSignalListener(name, listener),
      };
    },
  };
}

/** A variable of the environment, where we may read it. */
function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
