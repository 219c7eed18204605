/**
 * A program of the operator's own that prints a board's lines, instead of probe-rs (`gateway.command`).
 *
 * @module
 */

import { resolve } from "node:path";
import type { Failure } from "./failure.ts";
import {
  type Launch,
  type Launcher,
  programNotFound,
  type RestartRule,
} from "./launcher.ts";
import { findProgram } from "./program.ts";

/** How a command is run: the keys beside `command`. */
export interface CommandOptions {
  /** @default {"always"} */
  readonly restart?: RestartRule | undefined;
  /** Variables beside those of every child; its PATH is where the program is looked for. @default {none} */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** A folder, absolute; where it is given, a relative path of the program begins there. @default {our own} */
  readonly cwd?: string | undefined;
  /** Takes secrets out of what the program said: its failure goes to the broker and to status. @default {none} */
  readonly hide?: ((text: string) => string) | undefined;
}

/** Characters that are kept of what the program said last. */
const MAX_SAID = 200;

/** Starts a command as it is. */
export class CommandLauncher implements Launcher {
  readonly name: string;
  readonly restart: RestartRule;
  readonly #args: readonly string[];
  readonly #path: string;
  readonly #options: CommandOptions;
  /** The last line on stderr of the one that runs, or ran. */
  #said = "";

  /** @param path the folders that are searched for the program, as in PATH */
  constructor(
    [name = "", ...args]: readonly string[],
    path: string,
    options: CommandOptions = {},
  ) {
    this.name = name;
    this.restart = options.restart ?? "always";
    this.#args = args;
    this.#path = path;
    this.#options = options;
  }

  async prepare(): Promise<Launch | Failure> {
    const found = await findCommand(this.name, this.#path, this.#options);
    if (typeof found !== "string") return found;
    const { cwd, env } = this.#options;
    this.#said = "";
    return {
      command: [found, ...this.#args],
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { ownEnv: env }),
      onStderrLine: (line) => {
        if (line.trim() !== "") {
          this.#said = withoutStamp(this.#hide(line.trim()));
        }
      },
    };
  }

  /** Gives what the program said last where it named no error, as few programs begin with "Error:". */
  ended(failure: Failure): Promise<Failure> {
    const error = this.#hide(failure.error ?? this.#said);
    return Promise.resolve(
      error === "" ? failure : deviceFailure(error) ?? { ...failure, error },
    );
  }

  #hide(text: string): string {
    return this.#options.hide?.(text) ?? text;
  }
}

/** Where the program of a command is, as a path that exists; or why it cannot be run. */
export async function findCommand(
  name: string,
  path: string,
  { cwd, env }: CommandOptions,
): Promise<string | Failure> {
  if (cwd !== undefined && !await isFolder(cwd)) {
    return {
      kind: "not installed",
      error: `Cannot run "${name}" in "${cwd}": there is no such folder`,
      todo: 'make that folder, or correct "cwd" in config.toml',
      pace: "slow",
    };
  }
  const folders = env?.PATH ?? path;
  const isPath = /[/\\]/.test(name);
  const file = isPath && cwd !== undefined ? resolve(cwd, name) : name;
  return await findProgram(file, folders) ?? programNotFound(file, folders);
}

/** What is wrong with the device that the program names; undefined where it names none. */
function deviceFailure(error: string): Failure | undefined {
  const device = /\/dev\/[\w./:-]*\w/.exec(error)?.[0];
  if (device === undefined) return undefined;
  if (/permission denied/i.test(error)) {
    return {
      kind: "no permission",
      error,
      todo:
        `let the user of the gateway open ${device}: "iiot-gateway check" has the command`,
      pace: "slow",
    };
  }
  const isGone = /no such (?:file|device)|input\/output error|disconnected/i;
  return isGone.test(error)
    ? {
      kind: "device missing",
      error,
      todo:
        `plug ${device} in, or correct its name in "command": "ls -l /dev/serial/by-id" has the serial ports that are there`,
      pace: "fast",
    }
    : undefined;
}

/** Without the time and the process id that stand before it: the same failure shall read the same. */
function withoutStamp(line: string): string {
  return line.replace(/^\d[\d/:.,T -]*[Z ] */, "").replace(/\[\d+\]/, "")
    .slice(0, MAX_SAID);
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(
    ({ isDirectory }) => isDirectory,
    () => false,
  );
}
