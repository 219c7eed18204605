/**
 * `iiot-gateway release`: a debugger gets the probe for a while.
 *
 * @module
 */

import { counted } from "../counted.ts";
import { askRunning } from "./by_hand.ts";
import { loadConfigFile } from "./config.ts";
import { print } from "./terminal.ts";

/** Options of the command. */
export interface ReleaseCommandOptions {
  /** Path of config.toml. */
  readonly config: string;
  /** For so long; 0: the gateway takes the probe back. */
  readonly minutes: number;
  /** Which board's; not needed where there is one alone. */
  readonly board: string | undefined;
}

/**
 * Frees a probe, and comes back when it is free; or has it taken back.
 *
 * @returns the exit code, 0, also where no gateway runs: then the probe is free
 * @throws {ConfigError} if the configuration is wrong
 * @throws {Error} if there is no such board
 */
export async function release(options: ReleaseCommandOptions): Promise<number> {
  const { minutes, board } = options;
  const { journal: { folder } } = await loadConfigFile(options.config);
  const done = await askRunning(folder, {
    do: "release",
    minutes,
    ...(board !== undefined && { board }),
  });
  if (done === null) {
    print(
      `No gateway runs with the journal in "${folder}": none holds the probe.`,
    );
    return 0;
  }
  const probe = done.board === "" ? "The probe" : `The probe of ${done.board}`;
  if (minutes > 0) {
    const until = new Date(Date.now() + minutes * 60_000);
    print(
      `${probe} is free for ${counted(minutes, "minute")}, until ${
        until.toTimeString().slice(0, 5)
      }; then the gateway takes it back by itself. "iiot-gateway release --end" does so at once.`,
    );
  } else if (done.wasReleased) print(`${probe} is taken back.`);
  else print(`${probe} was not released: nothing has changed.`);
  return 0;
}
