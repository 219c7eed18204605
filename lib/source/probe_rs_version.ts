/**
 * Which probe-rs is installed.
 *
 * @module
 */

import { type Failure, recognizeFailure } from "./failure.ts";
import { INSTALL_PROBE_RS } from "./launcher.ts";
import { isTooOld, OLDEST_MINOR } from "./probe_rs_flags.ts";
import { ask, type AskOptions } from "./question.ts";

/** A version of probe-rs. */
export interface ProbeRsVersion {
  readonly major: number;
  readonly minor: number;
  /** Whole, as probe-rs says it: `0.32.0`. */
  readonly text: string;
}

/**
 * Asks the probe-rs at the absolute path `program`: `mi meta`, which is made for programs, else
 * `--version`. Does not reject.
 *
 * @returns the version, or why this program cannot be used
 */
export async function askVersion(
  program: string,
  options: AskOptions,
): Promise<ProbeRsVersion | Failure> {
  const meta = await ask(program, ["mi", "meta"], options);
  const told = meta.success ? versionIn(versionOf(meta.text)) : undefined;
  if (told) return usable(program, told);
  const { success, text } = await ask(program, ["--version"], options);
  // Another program may well say a version of its own.
  const version = success && text.startsWith("probe-rs ")
    ? versionIn(text)
    : undefined;
  if (version) return usable(program, version);
  // What else its words could mean is said of a probe, and none was asked for.
  const { kind, todo } = recognizeFailure({ code: 1, error: text });
  const isUsage = kind === "wrong usage";
  return {
    kind: isUsage ? kind : "unknown",
    error: `"${program}" does not tell its version: ${text}`,
    todo: isUsage ? todo : INSTALL_PROBE_RS,
    pace: "slow",
  };
}

function usable(
  program: string,
  version: ProbeRsVersion,
): ProbeRsVersion | Failure {
  return isTooOld(version)
    ? {
      kind: "version too old",
      error:
        `probe-rs must be of version 0.${OLDEST_MINOR} or later: "${program}" is ${version.text}`,
      todo: INSTALL_PROBE_RS,
      pace: "slow",
    }
    : version;
}

function versionOf(meta: string): string {
  try {
    return String(JSON.parse(meta)?.version);
  } catch {
    return "";
  }
}

function versionIn(text: string): ProbeRsVersion | undefined {
  const [whole, major, minor] = /(\d+)\.(\d+)\.\d+[\w.+-]*/.exec(text) ?? [];
  return whole === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor), text: whole };
}
