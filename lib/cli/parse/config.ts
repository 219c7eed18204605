/**
 * The configuration of a command that connects to nothing, and works without one.
 *
 * @module
 */

import { loadConfig } from "../../config/config.ts";
import type { Config } from "../../config/schema.ts";
import { loadConfigFile, WITHOUT_SERVERS } from "../config.ts";

/** What stands in for a file that is not there. */
const WITHOUT_A_FILE = `
[mqtt]
broker_url = "mqtt://127.0.0.1"
client_id = "gateway"
topic_prefix = "iiot"
[influxdb]
url = "http://127.0.0.1"
org = "my-org"
bucket = "telemetry"
`;

/** A configuration, and whether it is that of a file. */
export interface ParseConfig {
  readonly config: Config;
  readonly isFile: boolean;
}

/**
 * Loads the file at `path` without secrets; where nobody has asked for that file and it is not there,
 * everything is as it is by default.
 *
 * @throws {ConfigError} with every fault
 */
export async function loadParseConfig(
  path: string,
  { isAskedFor }: { readonly isAskedFor: boolean },
): Promise<ParseConfig> {
  const options = { simulate: true, ...WITHOUT_SERVERS };
  const isFile = isAskedFor || await exists(path);
  if (isFile) return { config: await loadConfigFile(path, options), isFile };
  const config = await loadConfig(path, {
    ...options,
    env: () => undefined,
    hostname: () => "",
    readTextFile: () => Promise.resolve(WITHOUT_A_FILE),
  });
  return { config, isFile };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    // Any other fault is told when the file is read.
    return !(error instanceof Deno.errors.NotFound);
  }
}
