/**
 * The configuration as the commands load it.
 *
 * @module
 */

import { loadConfig, type LoadConfigOptions } from "../config/config.ts";
import type { Config } from "../config/schema.ts";

/** Loads config.toml with this process's environment. @throws {ConfigError} with every fault */
export function loadConfigFile(
  path: string,
  options: Pick<LoadConfigOptions, "simulate" | "unused" | "withoutLogin"> = {},
): Promise<Config> {
  return loadConfig(path, {
    env: (name) => Deno.env.get(name),
    hostname: () => Deno.hostname(),
    ...options,
  });
}

/** Options for the commands that speak to no server: its secrets may be in another one's environment. */
export const WITHOUT_SERVERS = { unused: ["mqtt", "influxdb"] } as const;

/** Options for the commands that log in nowhere, and need to know which servers these are. */
export const WITHOUT_LOGIN = { withoutLogin: true } as const;
