/**
 * A config.toml with other values: the repository's own, which the program carries as text, is the only
 * place that knows how the file looks and what is said about each key.
 *
 * @module
 */

import CONFIG_TOML from "../../config.toml" with { type: "text" };
import { ConfigError, loadConfig, type LoadConfigOptions } from "./config.ts";
import type { Config } from "./schema.ts";
import { TomlDocument } from "./toml.ts";

/** A value as config.toml has it. */
export type TemplateValue = string | readonly string[];

/** A table that may be left out. */
export type OptionalTable = "mqtt" | "influxdb";

/** What is another one than in the repository's config.toml. */
export interface TemplateChanges {
  /** By table and key, `mqtt.broker_url`; undefined: the line stays as a comment. */
  readonly values: ReadonlyMap<string, TemplateValue | undefined>;
  /** Tables that become comments. @default {none} */
  readonly without?: readonly OptionalTable[];
  /** Text behind the end, such as `[[metric]]` tables. @default {none} */
  readonly more?: string;
}

/** `[mqtt]` or `#[[metric]]`. */
const HEADER = /^#?\[+(\w+)\]+$/;
/** A key's line, whether it is a comment or not. */
const KEY = /^(#?)(\w+) = /;

/**
 * The text of a config.toml. What stands behind a value on its line is about that value, and goes with it.
 *
 * @throws {RangeError} if a key is not in the repository's config.toml: that is a fault of the program
 */
export function fillTemplate(
  { values, without = [], more = "" }: TemplateChanges,
): string {
  const left = new Set(values.keys());
  let table = "";
  const lines = CONFIG_TOML.split("\n").flatMap((line) => {
    const header = HEADER.exec(line)?.[1];
    table = header ?? table;
    const isOut = without.some((one) => one === table);
    if (header !== undefined) return isOut ? commentOut(line) : [line];
    const [, mark, key] = KEY.exec(line) ?? [];
    if (key === undefined) return [line];
    const name = `${table}.${key}`;
    let filled = line;
    if (left.delete(name)) {
      const value = values.get(name);
      filled = value === undefined ? line : `${key} = ${formatValue(value)}`;
      if (value !== undefined && !isOut) return [filled];
      return [filled.startsWith("#") ? filled : `#${filled}`];
    }
    return [isOut && mark === "" ? `#${filled}` : filled];
  });
  if (left.size > 0) {
    throw new RangeError(`config.toml has no ${[...left].join(", ")}`);
  }
  return lines.join("\n").trimEnd() + "\n" + (more === "" ? "" : `\n${more}`);
}

/** What the repository's config.toml has for a key, be it a comment or not. @throws {RangeError} if it has none */
export function templateValue(name: string): string {
  let table = "";
  for (const line of CONFIG_TOML.split("\n")) {
    table = HEADER.exec(line)?.[1] ?? table;
    const key = KEY.exec(line)?.[2];
    if (key === undefined || `${table}.${key}` !== name) continue;
    const { data } = new TomlDocument(line.replace(/^#/, ""));
    return String(data[key]);
  }
  throw new RangeError(`config.toml has no ${name}`);
}

function commentOut(header: string): string[] {
  return [
    `# Left out: nothing is sent to it. To use it take away the "#" of the next line, and of the keys below that it needs.`,
    `#${header}`,
  ];
}

function formatValue(value: TemplateValue): string {
  if (typeof value !== "string") {
    return `[${value.map((one) => formatValue(one)).join(", ")}]`;
  }
  // JSON's strings are TOML's, but for what cannot be seen.
  return JSON.stringify(value.toWellFormed()).replace(
    /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu,
    (one) =>
      `\\U${one.codePointAt(0)!.toString(16).toUpperCase().padStart(8, "0")}`,
  );
}

/**
 * Loads `text` as if it were the content of the file `path`.
 *
 * @param options as for {@linkcode loadConfig}; `readTextFile` is asked for all other files
 * @throws {ConfigError} with every fault
 */
export function loadText(
  text: string,
  path: string,
  options: LoadConfigOptions,
): Promise<Config> {
  const { readTextFile = Deno.readTextFile } = options;
  return loadConfig(path, {
    ...options,
    readTextFile: (file) =>
      file === path ? Promise.resolve(text) : readTextFile(file),
  });
}

/**
 * What is wrong with one value of the file `path`, all else being as in the repository's config.toml: the
 * end of a sentence that begins with the key. Undefined if it may stand there.
 */
export async function faultOfValue(
  name: string,
  value: TemplateValue,
  path: string,
  options: LoadConfigOptions,
): Promise<string | undefined> {
  const text = fillTemplate({ values: new Map([[name, value]]) });
  try {
    await loadText(text, path, options);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const begins = `"${name}" `;
    return error.faults.find(({ message }) => message.startsWith(begins))
      ?.message.slice(begins.length);
  }
}
