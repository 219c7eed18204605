/**
 * How probe-rs is started: its version first, because the flags depend on it.
 *
 * @module
 */

import { resolve } from "node:path";
import { getBoardLogger } from "./board_log.ts";
import type { Failure } from "./failure.ts";
import { verbatim } from "./firmware_text.ts";
import type { FlashReport } from "./flash_memory.ts";
import {
  type Launch,
  type Launcher,
  programNotFound,
  type StartReason,
} from "./launcher.ts";
import { adviseProbe, freeProbes, listProbes } from "./probe_list.ts";
import {
  comparesFirst,
  isUnknown,
  NEWEST_MINOR,
  probeRsArguments,
  refusedInterface,
} from "./probe_rs_flags.ts";
import { Programming, type ProgrammingOptions } from "./programming.ts";
import { askVersion, type ProbeRsVersion } from "./probe_rs_version.ts";
import { findProgram, NEUTRAL_FOLDER } from "./program.ts";

/** Options for {@linkcode ProbeRsLauncher}. */
export interface ProbeRsLauncherOptions extends ProgrammingOptions {
  /** What the child sees; its PATH is searched for probe-rs. */
  readonly env: Readonly<Record<string, string>>;
  /** The probes of the other boards, by their `probe_id`. @default {none} */
  readonly otherProbes?: readonly string[] | undefined;
}

/** What was found out about probes that fail to be found. */
interface Advice {
  /** The failure that it explains. */
  readonly about: string;
  readonly atMs: number;
  readonly todo: string | undefined;
}

/** The probes are listed so often while the same failure goes on. */
const LIST_AGAIN_MS = 60_000;

const NAME = "probe-rs";

const log = getBoardLogger("source");

/** Starts the probe-rs that is installed, with the flags of its version. */
export class ProbeRsLauncher implements Launcher {
  readonly name = NAME;
  readonly #options: ProbeRsLauncherOptions;
  /** The absolute path of the one that was started last. */
  #program: string | undefined;
  /** What was learned, and of which file: one that was replaced is asked again. */
  #known:
    | { readonly file: string; readonly version: ProbeRsVersion }
    | undefined;
  /** The unknown version that the log has heard of. */
  #unknown = "";
  #advice: Advice | undefined;
  readonly #programming: Programming;

  constructor(options: ProbeRsLauncherOptions) {
    this.#options = options;
    this.#programming = new Programming(options);
  }

  get flash(): FlashReport {
    return this.#programming.report;
  }

  get isProgramming(): boolean {
    return this.#programming.isUnderWay;
  }

  async prepare(
    signal: AbortSignal,
    { silentRestarts }: StartReason,
  ): Promise<Launch | Failure> {
    const { target, env } = this.#options;
    const path = env.PATH ?? "";
    const found = await findProgram(NAME, path);
    if (found === undefined) return programNotFound(NAME, path);
    const program = resolve(found);
    this.#program = program;
    const version = await this.#versionOf(program, signal);
    if ("kind" in version) return version;
    if (isUnknown(version) && this.#unknown !== version.text) {
      this.#unknown = version.text;
      log.warning(verbatim(sayUnknown(version)));
    }
    const refused = refusedInterface(target.probe_id, version);
    if (refused !== undefined) return refused;
    const programming = this.#programming;
    const command = await programming.begin({
      comparesFirst: comparesFirst(version),
      silentRestarts,
    }, signal);
    if (typeof command !== "string") return command;
    return {
      command: [program, ...probeRsArguments(command, target, version)],
      cwd: NEUTRAL_FOLDER,
      onStarted: () => programming.started(),
      onStdoutChunk: (chunk) => programming.takeStdout(chunk),
      onStderrLine: (line) => programming.takeStderr(line),
    };
  }

  async ended(failure: Failure, signal: AbortSignal): Promise<Failure> {
    this.#programming.ended(failure);
    const { kind } = failure;
    if (kind === "wrong usage") this.#known = undefined;
    if (kind !== "probe missing" && kind !== "ambiguous probe") {
      this.#advice = undefined;
      return failure;
    }
    const about = `${kind} ${failure.error}`;
    const atMs = this.#options.now?.() ?? performance.now();
    const before = this.#advice;
    // A missing probe is tried again every few seconds, and most times nothing has changed.
    if (before?.about !== about || atMs - before.atMs >= LIST_AGAIN_MS) {
      const todo = await this.#advise(signal);
      this.#advice = signal.aborted ? undefined : { about, atMs, todo };
    }
    const todo = this.#advice?.todo;
    return todo === undefined ? failure : { ...failure, todo };
  }

  async watch(
    restart: (why: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#programming.watch(restart, signal);
  }

  /** Which of the probes that are connected could be meant. */
  async #advise(signal: AbortSignal): Promise<string | undefined> {
    const { env, target, otherProbes } = this.#options;
    const program = this.#program;
    if (program === undefined) return undefined;
    const probes = await listProbes(program, { env, signal });
    return typeof probes === "string"
      ? undefined
      : adviseProbe(freeProbes(probes, otherProbes), target.probe_id);
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
