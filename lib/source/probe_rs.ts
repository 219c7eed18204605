/**
 * What has to be there for probe-rs, or for the program that runs instead of it.
 *
 * @module
 */

import { resolve } from "node:path";
import type { Finding } from "../model.ts";
import { INSTALL_PROBE_RS, programNotFound } from "./launcher.ts";
import { isUnknown } from "./probe_rs_flags.ts";
import { sayUnknown } from "./probe_rs_launcher.ts";
import { askVersion } from "./probe_rs_version.ts";
import { findProgram } from "./program.ts";
import { ask } from "./question.ts";

/** Options for {@linkcode checkProbeRs}: the keys of `[gateway]`, and what surrounds them. */
export interface ProbeRsCheckOptions {
  readonly probe_id?: string | undefined;
  readonly chip?: string | undefined;
  readonly firmware_path?: string | undefined;
  /** Runs instead of probe-rs. */
  readonly command?: readonly string[] | undefined;
  /** What the children see; its PATH is searched. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Before it the firmware could freeze, and SIGTERM was no orderly end (probe-rs issue 3363). */
const WANTED_MINOR = 30;
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

/** Looks at everything the source needs but the probe itself; yields line by line as it learns. */
export async function* checkProbeRs(
  options: ProbeRsCheckOptions,
): AsyncIterable<Finding> {
  const { command, chip, firmware_path, env } = options;
  const name = command?.[0] ?? "probe-rs";
  const subject = command ? "gateway.command" : "probe-rs";
  const program = await findProgram(name, env.PATH ?? "");
  if (!program) {
    const { error = "", todo } = programNotFound(name, env.PATH ?? "");
    yield { level: "failed", subject, detail: error, hint: todo };
  }
  if (command) {
    if (program) yield { level: "ok", subject, detail: program };
    return;
  }
  if (program) {
    yield await checkVersion(program, options);
    if (chip !== undefined) yield await checkChip(program, chip, options);
  }
  if (firmware_path !== undefined) yield await checkFirmware(firmware_path);
}

async function checkVersion(
  program: string,
  options: ProbeRsCheckOptions,
): Promise<Finding> {
  const subject = "probe-rs";
  const version = await askVersion(resolve(program), options);
  if ("kind" in version) {
    const { error = "", todo } = version;
    return { level: "failed", subject, detail: error, hint: todo };
  }
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
  return {
    level: "failed",
    subject,
    detail:
      `"gateway.chip" must be a chip that probe-rs knows: it is "${chip}" (${text})`,
    hint: 'find its name with "probe-rs chip list"',
  };
}

async function checkFirmware(path: string): Promise<Finding> {
  const subject = "firmware";
  const hint = 'build the firmware, or correct "gateway.firmware_path"';
  try {
    using file = await Deno.open(path);
    const head = new Uint8Array(ELF_MAGIC.length);
    await file.read(head);
    if (ELF_MAGIC.every((byte, i) => head[i] === byte)) {
      return { level: "ok", subject, detail: path };
    }
    const detail =
      `"gateway.firmware_path" must name an ELF file: "${path}" is none`;
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
