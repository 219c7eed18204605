/**
 * `loadConfig` in a world of its own: text in, no disk and no environment.
 *
 * @module
 */

import { ConfigError, loadConfig } from "../../lib/config/config.ts";
import type { Config } from "../../lib/config/schema.ts";

/** Options for {@linkcode load}. */
export interface LoadOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Files beside config.toml, by absolute path; an error is thrown instead of read. */
  readonly files?: Readonly<Record<string, string | Error>>;
  readonly simulate?: boolean;
  /** @default {[]} */
  readonly unused?: readonly ("mqtt" | "influxdb")[];
  readonly withoutLogin?: boolean;
  /** @default {"/etc/gateway/config.toml"} */
  readonly path?: string;
}

/** Loads `text` as config.toml. */
export function load(text: string, options: LoadOptions = {}): Promise<Config> {
  const { env = {}, path = "/etc/gateway/config.toml", simulate = false } =
    options;
  const { unused = [], withoutLogin = false } = options;
  const files: Record<string, string | Error> = {
    ...options.files,
    [path]: text,
  };
  return loadConfig(path, {
    env: (name) => env[name],
    hostname: () => "cabinet-7",
    readTextFile: (file) => {
      const found = files[file] ?? new Deno.errors.NotFound("No such file");
      return found instanceof Error
        ? Promise.reject(found)
        : Promise.resolve(found);
    },
    simulate,
    unused,
    withoutLogin,
  });
}

/** The faults of `text`, a line each, without the file's folder. */
export async function faultsOf(
  text: string,
  options: LoadOptions = {},
): Promise<string[]> {
  try {
    await load(text, options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.replaceAll(/^\/etc\/gateway\//gm, "").split("\n");
  }
}

/** A configuration that still needs a board; further keys of `[influxdb]` may follow it. */
export const INFLUXDB = `
[influxdb]
url = "http://localhost:8086"
org = "my-org"
bucket = "telemetry"
token = "file-token"
`;

/** A configuration that needs nothing more; further keys of `[influxdb]` may follow it. */
export const MINIMAL = `
gateway.command = ["true"]${INFLUXDB}`;

/** The same with `[mqtt]` at its end, for further keys of that table. */
export const WITH_MQTT = `${MINIMAL}
[mqtt]
broker_url = "mqtt://localhost:1883"
client_id = "gateway"
topic_prefix = "iiot"
`;
