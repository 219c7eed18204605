/**
 * A scenario's file for the stand-in, with the place of everything that is wrong in it.
 *
 * @module
 */

import { closest } from "fastest-levenshtein";
import { type Complaint, ConfigError, locate } from "../config/fault.ts";
import { nameOf, wanted } from "../config/messages.ts";
import { parseToml } from "../config/toml.ts";
import type { Scenario } from "../simulator/probe_rs/scenario.ts";
import {
  checkScenario,
  SCENARIO_KEYS,
} from "../simulator/probe_rs/scenario_schema.ts";

/**
 * Reads `text`, the content of `file`.
 *
 * @throws {ConfigError} with every fault
 */
export function parseScenario(text: string, file: string): Scenario {
  const document = parseToml(text, file);
  const { data } = document;
  const result = checkScenario(data, wanted);
  if ("scenario" in result) return result.scenario;
  const complaints = result.issues.flatMap((issue): Complaint[] => {
    const { path, message } = issue;
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => unknown([...path, key]));
    }
    const value = path.reduce<unknown>(
      (inner, key) =>
        (inner as Record<PropertyKey, unknown> | undefined)?.[key],
      data,
    );
    const now = value === undefined || typeof value === "object"
      ? ""
      : `: it is ${JSON.stringify(value)}`;
    return [{ path, message: `"${nameOf(path, data)}" ${message}${now}` }];
  });
  throw new ConfigError(locate(complaints, file, document));
}

function unknown(path: readonly PropertyKey[]): Complaint {
  const table = path.length === 1 ? "" : String(path[0]);
  const near = closest(String(path.at(-1)), [...SCENARIO_KEYS[table] ?? []]);
  return {
    path,
    message: `"${nameOf(path)}" is not known: the nearest key is "${near}"`,
    at: "key",
  };
}
