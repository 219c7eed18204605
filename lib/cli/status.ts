/**
 * `iiot-gateway status`
 *
 * @module
 */

import { ask } from "../control/client.ts";
import { formatStatus, readStatus } from "../monitor/status.ts";
import { readFlash } from "../source/flash_memory.ts";
import { loadConfigFile, WITHOUT_SERVERS } from "./config.ts";
import { print } from "./terminal/terminal.ts";

/** A gateway that takes longer to say how it is has a fault, and the journal's file tells as well. */
const ANSWER_WITHIN_MS = 5000;

/** Options of the command. */
export interface StatusOptions {
  /** Path of config.toml. */
  readonly config: string;
  /** For programs. */
  readonly json: boolean;
}

/**
 * Prints how things stand.
 *
 * @returns the exit code, 0
 * @throws {ConfigError} if the configuration is wrong
 */
export async function status(options: StatusOptions): Promise<number> {
  const { journal, boards } = await loadConfigFile(
    options.config,
    WITHOUT_SERVERS,
  );
  const { folder } = journal;
  const status = await readStatus(folder, {
    now: Date.now() * 1000,
    boards: boards.map(({ name }) => name),
    ask: () => ask(folder, { do: "status" }, { withinMs: ANSWER_WITHIN_MS }),
    flash: () => readFlash(folder),
  });
  print(
    options.json ? JSON.stringify(status, null, 2) : formatStatus(status),
  );
  return 0;
}
