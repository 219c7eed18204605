/**
 * What has to be there for probe-rs, or for the program that runs instead of it.
 *
 * @module
 */

import { resolve } from "node:path";
import type { Finding } from "../model.ts";
import { checkChip } from "./chip_check.ts";
import { checkCommand } from "./command_check.ts";
import type { Failure } from "./failure.ts";
import { checkFirmware } from "./firmware_check.ts";
import { programNotFound } from "./launcher.ts";
import { checkProbe, type ProbeCheckOptions } from "./probe_check.ts";
import { isUnknown, refusedInterface } from "./probe_rs_flags.ts";
import { adviseInstall } from "./probe_rs_install.ts";
import { sayUnknown } from "./probe_rs_launcher.ts";
import { askVersion, type ProbeRsVersion } from "./probe_rs_version.ts";
import { findProgram } from "./program.ts";

/** Options for {@linkcode checkProbeRs}: the keys of `[gateway]`, and what surrounds them. */
export interface ProbeRsCheckOptions extends Omit<ProbeCheckOptions, "env"> {
  readonly chip?: string | undefined;
  readonly firmware_path?: string | undefined;
  /** Runs instead of probe-rs. */
  readonly command?: readonly string[] | undefined;
  /** Where it runs. */
  readonly cwd?: string | undefined;
  /** What its environment has beside that of all. */
  readonly ownEnv?: Readonly<Record<string, string>> | undefined;
  /** What the children see; its PATH is searched. */
  readonly env: Readonly<Record<string, string>>;
}

/** Before it the firmware could freeze, and SIGTERM was no orderly end (probe-rs issue 3363). */
const WANTED_MINOR = 30;
const SUBJECT = "probe-rs";

/** Looks at everything the source needs; yields line by line as it learns. */
export async function* checkProbeRs(
  options: ProbeRsCheckOptions,
): AsyncIterable<Finding> {
  const { command, chip, firmware_path, env, ownEnv } = options;
  if (command !== undefined) {
    yield* checkCommand({ ...options, command, own: ownEnv });
    return;
  }
  const found = await findProgram(SUBJECT, env.PATH ?? "");
  let cores: readonly string[] = [];
  if (found === undefined) {
    const { error = "" } = programNotFound(SUBJECT, env.PATH ?? "");
    const advice = await adviseInstall(env);
    yield { level: "failed", subject: SUBJECT, detail: error, ...advice };
  } else {
    const program = resolve(found);
    const version = await askVersion(program, options);
    if ("kind" in version) yield await cannotUse(version, env);
    else {
      yield await describeVersion(found, version, env);
      const refused = refusedInterface(options.probe_id, version);
      yield refused === undefined
        ? await checkProbe(program, options)
        : toFinding("probe", refused);
      if (chip !== undefined) {
        const known = await checkChip(program, chip, options);
        yield known.finding;
        ({ cores } = known);
      }
    }
  }
  if (firmware_path !== undefined) {
    yield await checkFirmware(firmware_path, cores);
  }
}

async function describeVersion(
  program: string,
  version: ProbeRsVersion,
  env: Readonly<Record<string, string>>,
): Promise<Finding> {
  const subject = SUBJECT;
  const detail = `version ${version.text} (${program})`;
  if (isUnknown(version)) {
    return {
      level: "ok",
      subject,
      detail: `${detail}. ${sayUnknown(version)}`,
    };
  }
  if (version.minor >= WANTED_MINOR) return { level: "ok", subject, detail };
  const { hint, fix } = await adviseInstall(env, { isThere: true });
  return {
    level: "warning",
    subject,
    detail:
      `${detail}: before 0.${WANTED_MINOR} the firmware can freeze when probe-rs ends`,
    hint,
    fix,
  };
}

/** A version that is too old, or another program of that name. */
async function cannotUse(
  failure: Failure,
  env: Readonly<Record<string, string>>,
): Promise<Finding> {
  const finding = toFinding(SUBJECT, failure);
  return failure.kind === "version too old"
    ? { ...finding, ...await adviseInstall(env, { isThere: true }) }
    : finding;
}

function toFinding(subject: string, { error = "", todo }: Failure): Finding {
  return { level: "failed", subject, detail: error, hint: todo };
}
