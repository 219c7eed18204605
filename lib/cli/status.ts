/**
 * `iiot-gateway status`
 *
 * @module
 */

import { formatStatus, readStatus } from "../monitor/status.ts";
import { loadConfigFile } from "./config.ts";
import { print } from "./terminal.ts";

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
  const { journal } = await loadConfigFile(options.config);
  const status = await readStatus(journal.folder, Date.now() * 1000);
  print(
    options.json ? JSON.stringify(status, null, 2) : formatStatus(status),
  );
  return 0;
}
