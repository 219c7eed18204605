/**
 * `iiot-gateway release`: a debugger gets the probe for a while.
 *
 * @module
 */

import type { Released } from "../control/release.ts";
import { counted } from "../counted.ts";
import { askRunning } from "./by_hand.ts";
import { loadConfigFile, WITHOUT_SERVERS } from "./config.ts";
import { print } from "./terminal/terminal.ts";

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
  const { journal: { folder }, boards } = await loadConfigFile(
    options.config,
    WITHOUT_SERVERS,
  );
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
  const isOnly = boards.length === 1;
  print(sayReleased(done, { minutes, isOnly, now: new Date() }));
  return 0;
}

/** Options for {@linkcode sayReleased}. */
export interface SayReleasedOptions {
  /** For so long; 0: it was to be taken back. */
  readonly minutes: number;
  /** There is one board alone. */
  readonly isOnly: boolean;
  readonly now: Date;
}

/** What became of a probe, in a sentence, and what to do next. */
export function sayReleased(
  { board, wasReleased }: Released,
  { minutes, isOnly, now }: SayReleasedOptions,
): string {
  const name = board || (isOnly ? "" : "the board without a name");
  const probe = name === "" ? "The probe" : `The probe of ${name}`;
  if (minutes === 0) {
    return wasReleased
      ? `${probe} is taken back.`
      : `${probe} was not released: nothing has changed.`;
  }
  const until = new Date(now.getTime() + minutes * 60_000);
  const which = isOnly ? "" : ` --board ${board || "''"}`;
  return `${probe} is free for ${counted(minutes, "minute")}, until ${
    until.toTimeString().slice(0, 5)
  }; then the gateway takes it back by itself. "iiot-gateway release --end${which}" does so at once.`;
}
