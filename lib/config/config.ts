/**
 * config.toml into a `Config`, or into every fault it has.
 *
 * The way: TOML → `${NAME}` expanded → secrets filled in → schema → paths resolved. Each step adds
 * to one list of complaints, so an operator mends a file once and not fault by fault; only a text
 * that is no TOML ends at its first fault.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import { faultsOfBoards } from "./board_schema.ts";
import {
  type Complaint,
  ConfigError,
  describeFileError,
  locate,
} from "./fault.ts";
import { describeIssue, nameOf, wanted } from "./messages.ts";
import { type Config, createConfigSchema } from "./schema.ts";
import { fillSecrets } from "./secrets.ts";
import { parseToml, type Path, type TomlDocument } from "./toml.ts";
import { type Environment, expandVariables } from "./variables.ts";

export { ConfigError, type Fault } from "./fault.ts";
export {
  namedSecrets,
  rereadSecret,
  secretsOf,
  TOKEN_CHARACTERS,
} from "./secrets.ts";
export type { Environment } from "./variables.ts";

/** Options for {@linkcode loadConfig}. */
export interface LoadConfigOptions extends Environment {
  /** @default {Deno.readTextFile} */
  readonly readTextFile?: (path: string) => Promise<string>;
  /** No board is needed: the keys of the probe may be missing. @default {false} */
  readonly simulate?: boolean;
  /**
   * Servers that are not connected to: their secrets may be missing, and are not read, and a variable that
   * is not set stands as `<NAME>` in what is told, and is no fault. @default {none}
   */
  readonly unused?: readonly ("mqtt" | "influxdb")[];
  /**
   * Nobody logs in: a secret that cannot be had, because it is in a service's environment or in a file of
   * another user, is no fault. @default {false}
   */
  readonly withoutLogin?: boolean;
}

/**
 * Loads config.toml. Relative paths in it are relative to its folder and come out absolute.
 *
 * @throws {ConfigError} with every fault, if the file cannot be read or used
 */
export async function loadConfig(
  path: string,
  options: LoadConfigOptions,
): Promise<Config> {
  const { readTextFile = Deno.readTextFile } = options;
  const document = parseToml(await read(path, readTextFile), path);
  const complaints = checkLeaves(document, options);

  const folder = dirname(resolve(path));
  const data = document.data;
  const add = (more: readonly Complaint[]) => {
    // A value that is already complained of is not the one that the next step should look at.
    const told = new Set(complaints.map(({ path }) => nameOf(path, data)));
    complaints.push(
      ...more.filter(({ path, at }) =>
        at === "key" || !told.has(nameOf(path, data))
      ),
    );
  };
  const { complaints: unusable, origins } = await fillSecrets(data, {
    ...options,
    readTextFile,
    folder,
  });
  add(unusable);
  const result = createConfigSchema().safeParse(data, { error: wanted });
  for (
    const issues of [result.error?.issues ?? [], faultsOfBoards(data, options)]
  ) {
    add(issues.flatMap((issue) => describeIssue(issue, data, origins)));
  }
  if (complaints.length > 0 || result.data === undefined) {
    throw new ConfigError(locate(complaints, path, document));
  }
  return resolvePaths(result.data, folder);
}

async function read(
  path: string,
  readTextFile: (path: string) => Promise<string>,
): Promise<string> {
  try {
    return await readTextFile(path);
  } catch (error) {
    const message =
      `Cannot read the configuration: "${resolve(path)}" ${
        describeFileError(error)
      }` +
      ': "iiot-gateway init" makes one, or name another file with --config';
    throw new ConfigError([{ file: path, line: 1, column: 1, message }], {
      cause: error,
    });
  }
}

/** Stands where an address depends on a variable that is not set, of a server that is not connected to. */
const NO_ADDRESS: Readonly<Record<string, string>> = {
  broker_url: "mqtt://127.0.0.1",
  url: "http://127.0.0.1",
};

/** Expands the strings in `document`, and complains of values that no key takes. */
function checkLeaves(
  document: TomlDocument,
  options: LoadConfigOptions,
): Complaint[] {
  const complaints: Complaint[] = [];
  for (const { path, node } of document.leaves) {
    const complain = (message: string) =>
      complaints.push({ path, message: `"${nameOf(path)}" ${message}` });
    switch (node.kind) {
      case "string":
        try {
          node.value = expand(node.value, path, options);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          complain(error.message);
        }
        break;
      case "integer":
        // Beyond this, JavaScript's numbers are no longer exact: the value would be another one.
        if (!Number.isSafeInteger(node.value)) {
          complain(
            `must be within ±${Number.MAX_SAFE_INTEGER}: it is ${node.number}`,
          );
        }
        break;
      case "offset-date-time":
      case "local-date-time":
      case "local-date":
      case "local-time":
        complain("must not be a date or time");
    }
  }
  return complaints;
}

function expand(
  text: string,
  [table, key]: Path,
  options: LoadConfigOptions,
): string {
  if (!options.unused?.some((one) => one === table)) {
    return expandVariables(text, options);
  }
  let isWhole = true;
  const expanded = expandVariables(text, options, {
    unset(name) {
      isWhole = false;
      return `<${name}>`;
    },
  });
  return isWhole ? expanded : NO_ADDRESS[String(key)] ?? expanded;
}

function resolvePaths(config: Config, folder: string): Config {
  const { mqtt, influxdb, boards, journal } = config;
  return {
    ...config,
    ...(mqtt && {
      mqtt: absolute(mqtt, folder, [
        "password_file",
        "ca_file",
        "cert_file",
        "key_file",
      ]),
    }),
    ...(influxdb && { influxdb: absolute(influxdb, folder, ["token_file"]) }),
    boards: boards.map((one) =>
      absolute(one, folder, ["firmware_path", "record", "cwd"])
    ),
    journal: absolute(journal, folder, ["folder"]),
  };
}

/** A table with the paths under `keys` made absolute, where they are there. */
function absolute<T extends object>(
  table: T,
  folder: string,
  keys: readonly (keyof T)[],
): T {
  const result = { ...table };
  for (const key of keys) {
    const path = table[key];
    if (typeof path === "string") {
      result[key] = resolve(folder, path) as T[keyof T];
    }
  }
  return result;
}
