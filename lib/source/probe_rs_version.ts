/**
 * Which probe-rs is installed.
 *
 * @module
 */

import { ask, type AskOptions } from "./question.ts";

/** A version of probe-rs. */
export interface ProbeRsVersion {
  readonly major: number;
  readonly minor: number;
  /** Whole, as probe-rs says it: `0.32.0`. */
  readonly text: string;
}

/**
 * Asks the probe-rs at the path `program`: `mi meta`, which is made for programs, else `--version`.
 * Does not reject.
 *
 * @returns the version, or what it said instead
 */
export async function askVersion(
  program: string,
  options: AskOptions,
): Promise<ProbeRsVersion | string> {
  const meta = await ask(program, ["mi", "meta"], options);
  const told = meta.success ? versionIn(versionOf(meta.text)) : undefined;
  if (told) return told;
  const { success, text } = await ask(program, ["--version"], options);
  // Another program may well say a version of its own.
  const named = /^probe-rs .*/.exec(text)?.[0];
  return (success && named ? versionIn(named) : undefined) ?? text;
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
