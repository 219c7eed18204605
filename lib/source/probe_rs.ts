/**
 * What has to be there for probe-rs, or for the program that runs instead of it.
 *
 * @module
 */

import { resolve } from "node:path";
import { counted } from "../counted.ts";
import type { Finding } from "../model.ts";
import { listChips, nearestChips } from "./chip_list.ts";
import { type Failure, recognizeFailure } from "./failure.ts";
import { INSTALL_PROBE_RS, programNotFound } from "./launcher.ts";
import {
  adviseProbe,
  freeProbes,
  listProbes,
  selectProbes,
} from "./probe_list.ts";
import { isUnknown, refusedInterface } from "./probe_rs_flags.ts";
import { sayUnknown } from "./probe_rs_launcher.ts";
import { askVersion, type ProbeRsVersion } from "./probe_rs_version.ts";
import { findProgram } from "./program.ts";
import { ask } from "./question.ts";

/** Options for {@linkcode checkProbeRs}: the keys of `[gateway]`, and what surrounds them. */
export interface ProbeRsCheckOptions {
  readonly probe_id?: string | undefined;
  readonly chip?: string | undefined;
  readonly firmware_path?: string | undefined;
  /** The probes of the other boards, by their `probe_id`. @default {none} */
  readonly otherProbes?: readonly string[] | undefined;
  /** Runs instead of probe-rs. */
  readonly command?: readonly string[] | undefined;
  /** What the children see; its PATH is searched. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Before it the firmware could freeze, and SIGTERM was no orderly end (probe-rs issue 3363). */
const WANTED_MINOR = 30;
const PLUG_IN =
  "plug it in; if it is, let this user see it: on Linux install deploy/69-probe-rs.rules";
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

/** Looks at everything the source needs; yields line by line as it learns. */
export async function* checkProbeRs(
  options: ProbeRsCheckOptions,
): AsyncIterable<Finding> {
  const { command, chip, firmware_path, env } = options;
  const name = command?.[0] ?? "probe-rs";
  const subject = command ? "command" : "probe-rs";
  const program = await findProgram(name, env.PATH ?? "");
  if (!program) {
    yield toFinding(subject, programNotFound(name, env.PATH ?? ""));
  }
  if (command) {
    if (program) yield { level: "ok", subject, detail: program };
    return;
  }
  if (program) {
    const version = await askVersion(resolve(program), options);
    if ("kind" in version) yield toFinding(subject, version);
    else {
      yield describeVersion(program, version);
      yield await checkProbe(program, version, options);
      if (chip !== undefined) yield await checkChip(program, chip, options);
    }
  }
  if (firmware_path !== undefined) yield await checkFirmware(firmware_path);
}

function describeVersion(program: string, version: ProbeRsVersion): Finding {
  const subject = "probe-rs";
  const detail = `version ${version.text} (${program})`;
  if (isUnknown(version)) {
    return {
      level: "ok",
      subject,
      detail: `${detail}. ${sayUnknown(version)}`,
    };
  }
  if (version.minor >= WANTED_MINOR) return { level: "ok", subject, detail };
  const hint =
    `Stopping it may freeze the firmware before 0.${WANTED_MINOR}: ${INSTALL_PROBE_RS}`;
  return { level: "warning", subject, detail, hint };
}

function toFinding(subject: string, { error = "", todo }: Failure): Finding {
  return { level: "failed", subject, detail: error, hint: todo };
}

async function checkProbe(
  program: string,
  version: ProbeRsVersion,
  options: ProbeRsCheckOptions,
): Promise<Finding> {
  const subject = "probe";
  const { probe_id, otherProbes = [] } = options;
  const refused = refusedInterface(probe_id, version);
  if (refused !== undefined) return toFinding(subject, refused);
  const listed = await listProbes(resolve(program), options);
  if (typeof listed === "string") {
    return {
      level: "warning",
      subject,
      detail: `"probe-rs list" does not tell which are connected: ${listed}`,
    };
  }
  const free = freeProbes(listed, otherProbes);
  const meant = selectProbes(free, probe_id);
  const [probe] = meant;
  if (probe !== undefined && meant.length === 1) {
    const detail = `${probe.name} (${probe.id}) is connected`;
    if (!probe.inaccessible) return { level: "ok", subject, detail };
    const { todo: hint } = recognizeFailure({
      code: 1,
      error: "access denied",
    });
    return {
      level: "failed",
      subject,
      detail: `${detail}, and this user may not open it`,
      hint,
    };
  }
  return {
    level: "failed",
    subject,
    detail: free.length === 0 && listed.length > 0
      ? "only the probes of other boards are connected"
      : describeChoice(free.length, meant.length, probe_id),
    hint: adviseProbe(free, probe_id) ?? PLUG_IN,
  };
}

/** Why it is not clear which probe is meant. */
function describeChoice(
  connected: number,
  meant: number,
  probe_id: string | undefined,
): string {
  if (connected === 0) return "no debug probe is connected";
  if (probe_id === undefined) {
    return `"probe_id" must name one of the ${connected} probes that are connected`;
  }
  return meant === 0
    ? `the probe "${probe_id}" is not connected, but ${
      counted(connected, "other is", "others are")
    }`
    : `"probe_id" must mean one probe: "${probe_id}" means ${meant} that are connected`;
}

async function checkChip(
  program: string,
  chip: string,
  options: ProbeRsCheckOptions,
): Promise<Finding> {
  const subject = "chip";
  const { success, text } = await ask(
    resolve(program),
    ["chip", "info", chip],
    options,
  );
  if (success) {
    return { level: "ok", subject, detail: `"${chip}" is known to probe-rs` };
  }
  const chips = await listChips(resolve(program), options);
  const near = typeof chips === "string" ? [] : nearestChips(chip, chips);
  return {
    level: "failed",
    subject,
    detail:
      `"chip" must be a chip that probe-rs knows: it is "${chip}" (${text})`,
    hint: near.length === 0
      ? 'find its name with "probe-rs chip list"'
      : `put the line of the right one into config.toml: ${
        near.map((name) => `chip = ${JSON.stringify(name)}`).join(" or ")
      }`,
  };
}

async function checkFirmware(path: string): Promise<Finding> {
  const subject = "firmware";
  const hint = 'build the firmware, or correct "firmware_path" in config.toml';
  try {
    using file = await Deno.open(path);
    const head = new Uint8Array(ELF_MAGIC.length);
    await file.read(head);
    if (ELF_MAGIC.every((byte, i) => head[i] === byte)) {
      return { level: "ok", subject, detail: path };
    }
    const detail = `"firmware_path" must name an ELF file: "${path}" is none`;
    return { level: "failed", subject, detail, hint };
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    return {
      level: "failed",
      subject,
      detail: `Cannot read "${path}": ${why}`,
      hint,
    };
  }
}
