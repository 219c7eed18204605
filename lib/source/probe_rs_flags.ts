/**
 * How probe-rs is called: which flag it knows from which version on.
 *
 * The versions are those of the tags v0.24.0 to v0.32.0 of probe-rs/probe-rs, read from its command
 * line's definition. A flag that a version does not know ends it with exit code 2.
 *
 * @module
 */

import type { Failure } from "./failure.ts";
import { namesInterface } from "./probe_list.ts";
import type { ProbeRsVersion } from "./probe_rs_version.ts";

/** What probe-rs is asked to do: `run` programs, resets and prints; `attach` only prints. */
export type ProbeRsCommand = "run" | "attach";

/** The board, its probe and its firmware, as `[gateway]` names them. */
export interface ProbeRsTarget {
  /** `VID:PID:SERIAL`, VID and PID in hex; without it the only probe that is connected. */
  readonly probe_id?: string | undefined;
  /** `STM32F446RETx` */
  readonly chip: string;
  /** The ELF file, which also says where RTT is and how defmt's messages read; absolute. */
  readonly firmware_path: string;
}

interface Flag {
  readonly name: string;
  /** The first version that knows it: N of 0.N. */
  readonly since: number;
  readonly commands: readonly ProbeRsCommand[];
}

/** N of 0.N, the oldest version that is called: 0.23 breaks lines where a poll ended. */
export const OLDEST_MINOR = 24;
/** N of 0.N, the newest version whose flags are known. */
export const NEWEST_MINOR = 32;

/** Programs only what differs: flash wears out. */
const PREVERIFY: Flag = { name: "--preverify", since: 25, commands: ["run"] };

const FLAGS: readonly Flag[] = [
  // From 0.32 on "attach" rejects what is about programming.
  { name: "--disable-progressbars", since: 21, commands: ["run"] },
  PREVERIFY,
  { name: "--non-interactive", since: 25, commands: ["run", "attach"] },
  // Else a board that resets itself ends probe-rs (its issue 3469).
  { name: "--no-catch-reset", since: 28, commands: ["run", "attach"] },
  { name: "--no-catch-hardfault", since: 28, commands: ["run", "attach"] },
  { name: "--no-timestamps", since: 30, commands: ["run", "attach"] },
];

/** Whether `version` is one that the gateway cannot work with. */
export function isTooOld({ major, minor }: ProbeRsVersion): boolean {
  return major === 0 && minor < OLDEST_MINOR;
}

/** Whether `version` is newer than what is known here; it gets the newest flags that are known. */
export function isUnknown({ major, minor }: ProbeRsVersion): boolean {
  return major > 0 || minor > NEWEST_MINOR;
}

/** Whether `run` compares first, and programs only what differs. */
export function comparesFirst(version: ProbeRsVersion): boolean {
  return isUnknown(version) || version.minor >= PREVERIFY.since;
}

/** N of 0.N, from which on a selector may name an interface: `VID:PID-1:SERIAL`. */
const INTERFACE_SINCE = 31;

/** Why `version` does not take the selector `probe_id`; undefined where it does. */
export function refusedInterface(
  probe_id: string | undefined,
  version: ProbeRsVersion,
): Failure | undefined {
  if (isUnknown(version) || version.minor >= INTERFACE_SINCE) return undefined;
  if (probe_id === undefined || !namesInterface(probe_id)) return undefined;
  return {
    kind: "wrong usage",
    error:
      `"probe_id" names a USB interface, which probe-rs takes from 0.${INTERFACE_SINCE} on: it is "${probe_id}", and probe-rs is ${version.text}`,
    todo:
      `leave out the "-" and the number behind it, or install 0.${INTERFACE_SINCE} or later`,
    pace: "slow",
  };
}

/** The arguments with which `version` does `command`. */
export function probeRsArguments(
  command: ProbeRsCommand,
  { chip, probe_id, firmware_path }: ProbeRsTarget,
  version: ProbeRsVersion,
): string[] {
  const minor = isUnknown(version) ? NEWEST_MINOR : version.minor;
  const flags = FLAGS.filter(({ since, commands }) =>
    minor >= since && commands.includes(command)
  );
  return [
    command,
    "--chip",
    chip,
    ...(probe_id === undefined ? [] : ["--probe", probe_id]),
    ...flags.map(({ name }) => name),
    firmware_path,
  ];
}
