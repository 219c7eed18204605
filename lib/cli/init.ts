/**
 * `iiot-gateway init`: makes a config.toml.
 *
 * Nothing is written before all is known and the configuration loads; then the secrets that were typed, then
 * the file itself. Neither ever takes the place of a file that is there.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import { ConfigError } from "../config/config.ts";
import type { Config } from "../config/schema.ts";
import { fillTemplate, loadText } from "../config/template.ts";
import { childEnvironment } from "../source/program.ts";
import { surveyFile } from "./capture/captured_file.ts";
import {
  InitAnswers,
  type InitFlags,
  type NewSecret,
  STAND_INS,
} from "./init/answers.ts";
import { askBoard } from "./init/board.ts";
import { askServers } from "./init/servers.ts";
import {
  describeSurvey,
  markerOf,
  metricTables,
  refuseUseless,
} from "./capture/survey_report.ts";
import { print } from "./terminal/terminal.ts";
import { UsageError } from "./usage_error.ts";

/** Options of the command. */
export interface InitOptions extends InitFlags {
  /** The file to make. */
  readonly config: string;
  /** Lines that the board printed, or a recording; `-`: stdin. */
  readonly from?: string | undefined;
}

/**
 * Asks, or takes the flags, and writes the configuration.
 *
 * @returns the exit code: 0, or 1 if it was ended at a question
 * @throws {UsageError} if the file is there already, or flags are missing or wrong
 * @throws {Error} if the captured lines hold nothing that can be used
 */
export async function init(options: InitOptions): Promise<number> {
  const { config, from, ...flags } = options;
  await refuseUnwritable(config);
  const survey = from === undefined ? undefined : await surveyFile(from);
  if (survey !== undefined) refuseUseless(survey, from!);
  const mayAsk = !flags.yes && Deno.stdin.isTerminal() &&
    Deno.stdout.isTerminal();
  const answers = new InitAnswers({
    config,
    flags,
    questions: mayAsk ? await import("./init/questions.ts") : undefined,
    environment: {
      env: (name) => Deno.env.get(name),
      hostname: () => Deno.hostname(),
    },
  });
  if (survey !== undefined) {
    answers.values.set("gateway.marker", markerOf(survey));
  }
  try {
    await askServers(answers);
    await askBoard(answers, {
      env: childEnvironment((name) => Deno.env.get(name)),
      signal: new AbortController().signal,
    });
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "Cancelled") throw error;
    print("Nothing was written.");
    return 1;
  }
  refuseIncomplete(answers);
  const text = fillTemplate({
    values: answers.values,
    without: answers.without,
    more: survey === undefined ? "" : metricTables(survey),
  });
  const loaded = await examine(text, config, answers);
  await write(text, config, answers.secrets);
  if (survey !== undefined) {
    for (const line of describeSurvey(survey, config, loaded)) print(line);
    print("");
  }
  say(options, answers);
  return 0;
}

/** Before anything is asked. @throws {UsageError} if the file is there, or cannot be made */
async function refuseUnwritable(config: string): Promise<void> {
  const isThere = await Deno.lstat(config).then(() => true, () => false);
  if (isThere) throw existing(config);
  const folder = dirname(resolve(config));
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: folder }));
  } catch (error) {
    const isMissing = await Deno.stat(folder).then(
      () => false,
      (why) => why instanceof Deno.errors.NotFound,
    );
    if (isMissing) {
      throw new UsageError(
        `Cannot write "${config}": there is no folder "${folder}": make it first`,
      );
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `Cannot write into the folder "${folder}" (${why}): name another one with --config, or be a user who may`,
    );
  }
}

function existing(file: string): UsageError {
  return new UsageError(
    `"${file}" is there already, and is never overwritten: name another file with --config, or move that one away`,
  );
}

/** @throws {UsageError} with all that is wrong or missing */
function refuseIncomplete({ faults, missing, flags }: InitAnswers): void {
  if (faults.length + missing.length === 0) return;
  const why = flags.yes
    ? "These have no default, and must be given"
    : "Nobody can be asked here, as there is no terminal: these must be given";
  throw new UsageError(
    [
      ...faults,
      ...(missing.length === 0
        ? []
        : [`${why}\n${missing.map((one) => `  ${one}`).join("\n")}`]),
    ].join("\n"),
  );
}

/**
 * What `text` says; nothing is written where it does not load.
 *
 * @throws {UsageError} with the flags whose values are the cause
 * @throws {ConfigError} if something else is
 */
async function examine(
  text: string,
  config: string,
  { secrets, flagOf }: InitAnswers,
): Promise<Config> {
  try {
    return await load(text, config, secrets);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The file is not there yet: its lines and columns name nothing that anybody could look at.
    const faults = error.faults.map(({ message }) => {
      const [, key = "", rest] = /^"([\w.]+)[^"]*" (.*)$/s.exec(message) ?? [];
      const flag = flagOf.get(key);
      return flag === undefined ? undefined : `${flag} ${rest}`;
    });
    if (faults.includes(undefined)) throw error;
    throw new UsageError(faults.join("\n"));
  }
}

function load(
  text: string,
  config: string,
  secrets: readonly NewSecret[],
): Promise<Config> {
  return loadText(text, config, {
    env: (name) => Deno.env.get(name) ?? STAND_INS.get(name),
    hostname: () => Deno.hostname(),
    readTextFile: (path) => {
      const typed = secrets.find(({ file }) => resolve(file) === resolve(path));
      return typed === undefined
        ? Deno.readTextFile(path)
        : Promise.resolve(typed.text);
    },
  });
}

/** Writes all of it, or nothing. */
async function write(
  text: string,
  config: string,
  secrets: readonly NewSecret[],
): Promise<void> {
  const made: string[] = [];
  const make = async (file: string, content: string, mode?: number) => {
    try {
      await Deno.writeTextFile(file, content, {
        createNew: true,
        ...(mode !== undefined && { mode }),
      });
      made.push(file);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw existing(file);
      throw error;
    }
  };
  try {
    for (const { file, text } of secrets) await make(file, `${text}\n`, 0o600);
    await make(config, text);
  } catch (error) {
    for (const file of made) await Deno.remove(file).catch(() => {});
    throw error;
  }
}

/** What was written, what is left to do, and the next commands. */
function say(
  { config, from }: InitOptions,
  { secrets, unset, remarks, without }: InitAnswers,
): void {
  const files = secrets.map(({ file }) => file).join(" and ");
  print(
    `Wrote ${config}${files && `, and ${files}, which only you can read`}.`,
  );
  for (const name of unset) {
    print(
      `To do: set the environment variable ${name} wherever it is started.`,
    );
  }
  for (const sentence of remarks) print(sentence);
  const name = config === "config.toml" ? "" : ` --config ${config}`;
  const steps: [command: string, what: string][] = [
    [`check${name}`, "says what is still missing"],
    ...(from === undefined || from === "-" ? [] : [
      [`parse ${from}${name}`, "shows what becomes of the captured lines"],
    ] as [string, string][]),
    [`run${name}`, "runs it"],
    ...(without.includes("mqtt") ? [] : [
      [`watch${name}`, "shows the values at the broker, in another terminal"],
    ] as [string, string][]),
  ];
  const width = Math.max(...steps.map(([command]) => command.length));
  // In the repository there is no program of that name.
  const program = Deno.build.standalone ? "iiot-gateway" : "deno task start";
  print("\nNext:");
  for (const [command, what] of steps) {
    print(`  ${program} ${command.padEnd(width)}   ${what}`);
  }
}
