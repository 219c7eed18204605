/**
 * Boards that are not there for a gateway that does not know it: each `--simulate` gets a bench of its own,
 * in `.dev/bench` beside config.toml, and a probe-rs that stands in for the real one.
 *
 * @module
 */

import { delimiter, dirname, join, resolve } from "node:path";
import type { BoardConfig, Config } from "../config/schema.ts";
import { counted } from "../counted.ts";
import { makeJournalFolder } from "../journal/folder.ts";
import { lockFolder } from "../journal/lock.ts";
import { DEFAULT_PROBE } from "../simulator/probe_rs/scenario.ts";
import { parseScenario } from "./scenario.ts";
import { readScenarioFile } from "./stand_in.ts";
import { installStandIn } from "./stand_in_script.ts";
import { UsageError } from "./usage_error.ts";

/** A bench with a probe for each board. */
export interface SimulatedBench {
  /** The configuration with these probes, their chip and the firmware of the boards. */
  readonly config: Config;
  /** For the children: the stand-in is the first probe-rs on the PATH. */
  readonly env: Readonly<Record<string, string>>;
}

/** Options for {@linkcode setUpBench}. */
export interface BenchOptions {
  /** config.toml: the bench lies beside it. */
  readonly configPath: string;
  /** What children see otherwise. */
  readonly env: Readonly<Record<string, string>>;
  /** A file that says what happens to the boards. @default {they work} */
  readonly scenario?: string | undefined;
}

/** An ELF file's first bytes: probe-rs finds out no more before it has a board. */
const FIRMWARE = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);

/**
 * Sets the bench up, anew each time.
 *
 * @throws {ConfigError} if the scenario is wrong
 * @throws {UsageError} if it cannot be read, or has too few probes
 * @throws {FolderInUseError} if a gateway runs with the journal: the bench is its own
 */
export async function setUpBench(
  config: Config,
  { configPath, env, scenario }: BenchOptions,
): Promise<SimulatedBench> {
  const probes = scenario === undefined
    ? config.boards.map((_, i) => ({
      ...DEFAULT_PROBE,
      id: `${DEFAULT_PROBE.id.slice(0, -2)}${i + 10}`,
    }))
    : await probesOf(scenario, config.boards.length);
  await makeJournalFolder(config.journal.folder);
  using _held = await lockFolder(config.journal.folder);
  const folder = resolve(dirname(configPath), ".dev", "bench");
  const inFolder = (name: string) => join(folder, name);
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(folder, { recursive: true });
  const boards = config.boards.map((board, i): BoardConfig => ({
    ...board,
    command: undefined,
    probe_id: probes[i]?.id,
    chip: probes[i]?.chip,
    firmware_path: inFolder("firmware.elf"),
  }));
  const own = probes.map(({ id }) => `[[probe]]\nid = "${id}"\n`).join("\n");
  await Promise.all([
    Deno.writeFile(inFolder("firmware.elf"), FIRMWARE),
    scenario ?? Deno.writeTextFile(inFolder("scenario.toml"), own),
    installStandIn(folder, {
      scenario: resolve(scenario ?? inFolder("scenario.toml")),
      state: inFolder("state"),
    }),
  ]);
  const path = `${folder}${delimiter}${env.PATH ?? ""}`;
  return { config: { ...config, boards }, env: { ...env, PATH: path } };
}

/** The probes of the scenario in `file`, at least one for each board. */
async function probesOf(file: string, boards: number) {
  const { probe } = parseScenario(await readScenarioFile(file), file);
  if (probe.length < boards) {
    throw new UsageError(
      `The scenario "${file}" has ${
        counted(probe.length, "probe")
      }, and the configuration ${
        counted(boards, "board")
      }: give each board a [[probe]]`,
    );
  }
  return probe;
}
