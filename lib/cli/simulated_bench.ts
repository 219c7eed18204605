/**
 * Boards that are not there for a gateway that does not know it: each `--simulate` gets a bench of its own,
 * in `.dev/bench` beside config.toml, and a probe-rs that stands in for the real one.
 *
 * @module
 */

import { delimiter, dirname, join, resolve } from "node:path";
import type { BoardConfig, Config } from "../config/schema.ts";
import { DEFAULT_PROBE } from "../simulator/probe_rs/scenario.ts";
import { installStandIn } from "./stand_in_script.ts";

/** A bench with a probe for each board. */
export interface SimulatedBench {
  /** The configuration with these probes, their chip and the firmware of the boards. */
  readonly config: Config;
  /** For the children: the stand-in is the first probe-rs on the PATH. */
  readonly env: Readonly<Record<string, string>>;
}

/** An ELF file's first bytes: probe-rs finds out no more before it has a board. */
const FIRMWARE = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);

/**
 * Sets the bench up, anew each time.
 *
 * @param configPath config.toml
 * @param env what children see otherwise
 */
export async function setUpBench(
  config: Config,
  configPath: string,
  env: Readonly<Record<string, string>>,
): Promise<SimulatedBench> {
  const folder = resolve(dirname(configPath), ".dev", "bench");
  const inFolder = (name: string) => join(folder, name);
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(folder, { recursive: true });
  const boards = config.boards.map((board, i): BoardConfig => ({
    ...board,
    command: undefined,
    probe_id: `${DEFAULT_PROBE.id.slice(0, -2)}${i + 10}`,
    chip: DEFAULT_PROBE.chip,
    firmware_path: inFolder("firmware.elf"),
  }));
  const probes = boards.map(({ probe_id }) =>
    `[[probe]]\nid = "${probe_id}"\n`
  );
  await Promise.all([
    Deno.writeFile(inFolder("firmware.elf"), FIRMWARE),
    Deno.writeTextFile(inFolder("scenario.toml"), probes.join("\n")),
    installStandIn(folder, {
      scenario: inFolder("scenario.toml"),
      state: inFolder("state"),
    }),
  ]);
  const path = `${folder}${delimiter}${env.PATH ?? ""}`;
  return { config: { ...config, boards }, env: { ...env, PATH: path } };
}
