/**
 * How probe-rs is started: its version first, because the flags depend on it.
 *
 * @module
 */

import { resolve } from "node:path";
import { getBoardLogger } from "./board_log.ts";
import type { Failure } from "./failure.ts";
import { verbatim } from "./firmware_text.ts";
import { type Launch, type Launcher, programNotFound } from "./launcher.ts";
import {
  isUnknown,
  NEWEST_MINOR,
  probeRsArguments,
  type ProbeRsCommand,
  type ProbeRsTarget,
} from "./probe_rs_flags.ts";
import { askVersion, type ProbeRsVersion } from "./probe_rs_version.ts";
import { findProgram, NEUTRAL_FOLDER } from "./program.ts";

/** Options for {@linkcode ProbeRsLauncher}. */
export interface ProbeRsLauncherOptions {
  readonly target: ProbeRsTarget;
  /** What the child sees; its PATH is searched for probe-rs. */
  readonly env: Readonly<Record<string, string>>;
  /** What is done with the board now. @default {"run"} */
  command?(): ProbeRsCommand;
}

const NAME = "probe-rs";

const log = getBoardLogger("source");

/** Starts the probe-rs that is installed, with the flags of its version. */
export class ProbeRsLauncher implements Launcher {
  readonly name = NAME;
  readonly #options: ProbeRsLauncherOptions;
  /** What was learned, and of which file: one that was replaced is asked again. */
  #known:
    | { readonly file: string; readonly version: ProbeRsVersion }
    | undefined;
  /** The unknown version that the log has heard of. */
  #unknown = "";

  constructor(options: ProbeRsLauncherOptions) {
    this.#options = options;
  }

  async prepare(signal: AbortSignal): Promise<Launch | Failure> {
    const { target, env, command } = this.#options;
    const path = env.PATH ?? "";
    const found = await findProgram(NAME, path);
    if (found === undefined) return programNotFound(NAME, path);
    const program = resolve(found);
    const version = await this.#versionOf(program, signal);
    if ("kind" in version) return version;
    if (isUnknown(version) && this.#unknown !== version.text) {
      this.#unknown = version.text;
      log.warning(verbatim(sayUnknown(version)));
    }
    return {
      command: [
        program,
        ...probeRsArguments(command?.() ?? "run", target, version),
      ],
      cwd: NEUTRAL_FOLDER,
    };
  }

  ended({ kind }: Failure): void {
    if (kind === "wrong usage") this.#known = undefined;
  }

  async #versionOf(
    program: string,
    signal: AbortSignal,
  ): Promise<ProbeRsVersion | Failure> {
    const file = await identify(program);
    if (this.#known?.file === file) return this.#known.version;
    this.#known = undefined;
    const { env } = this.#options;
    const version = await askVersion(program, { env, signal });
    if (!("kind" in version)) this.#known = { file, version };
    return version;
  }
}

/** What becomes of a version that is newer than what is known. */
export function sayUnknown({ text }: ProbeRsVersion): string {
  return `probe-rs ${text} is newer than 0.${NEWEST_MINOR}, the newest that is known: it is called with the flags of that one`;
}

/** Changes when the file is replaced. */
async function identify(program: string): Promise<string> {
  const { mtime, size } = await Deno.stat(program).catch(() => ({
    mtime: null,
    size: 0,
  }));
  return `${program} ${mtime?.getTime()} ${size}`;
}
