/**
 * What probe-rs is: how it is called, and what has to be there for it.
 *
 * The flags are those that every version since 0.21 knows.
 *
 * @module
 */

import type { Finding } from "../model.ts";
import { escapeTricks, stripColours } from "./firmware_text.ts";
import { findProgram, signalGroup } from "./program.ts";

/** The board, its probe and its firmware, as `[gateway]` names them. */
export interface ProbeRsTarget {
  /** `VID:PID:SERIAL`, VID and PID in hex. */
  readonly probe_id: string;
  /** `STM32F446RETx` */
  readonly chip: string;
  /** The ELF file, which also says where RTT is and how defmt's messages read. */
  readonly firmware_path: string;
}

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

interface Answer {
  readonly success: boolean;
  /** The first line of what it printed, or why there is none. */
  readonly text: string;
}

const INSTALL = 'install it with "cargo install probe-rs-tools --locked"';
/** Before it the firmware could freeze, and SIGTERM was no orderly end (probe-rs issue 3363). */
const WANTED_VERSION = [0, 30] as const;
const ANSWER_WITHIN_MS = 10_000;
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

/** The command that flashes the firmware, starts it and prints what it logs, for ever. */
export function probeRsCommand(
  { probe_id, chip, firmware_path }: ProbeRsTarget,
): string[] {
  return [
    "probe-rs",
    "run",
    "--chip",
    chip,
    "--probe",
    probe_id,
    firmware_path,
  ];
}

/** What to say of a program that {@linkcode findProgram} does not find. */
export function programNotFound(
  name: string,
  path: string,
): { detail: string; hint: string } {
  const detail = /[/\\]/.test(name)
    ? `Cannot find the program "${name}": there is no such executable file`
    : `Cannot find the program "${name}": it is in no folder of PATH, "${path}"`;
  const hint = name === "probe-rs"
    ? INSTALL
    : 'install it or correct "gateway.command"';
  return { detail, hint };
}

/** Looks at everything the source needs but the probe itself; yields line by line as it learns. */
export async function* checkProbeRs(
  options: ProbeRsCheckOptions,
): AsyncIterable<Finding> {
  const { command, chip, firmware_path, env } = options;
  const name = command?.[0] ?? "probe-rs";
  const subject = command ? "gateway.command" : "probe-rs";
  const program = await findProgram(name, env.PATH ?? "");
  if (!program) {
    yield {
      level: "failed",
      subject,
      ...programNotFound(name, env.PATH ?? ""),
    };
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
  const { success, text } = await ask(program, ["--version"], options);
  const version = /(\d+)\.(\d+)\.\d+\S*/.exec(text);
  if (!success || !version) {
    const detail = `"${program} --version" does not tell its version: ${text}`;
    return { level: "failed", subject, detail, hint: INSTALL };
  }
  const detail = `version ${version[0]} (${program})`;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major > WANTED_VERSION[0] || minor >= WANTED_VERSION[1]) {
    return { level: "ok", subject, detail };
  }
  const hint = `Stopping it may freeze the firmware before ${
    WANTED_VERSION.join(".")
  }: ${INSTALL}`;
  return { level: "warning", subject, detail, hint };
}

async function checkChip(
  program: string,
  chip: string,
  options: ProbeRsCheckOptions,
): Promise<Finding> {
  const subject = "chip";
  const { success, text } = await ask(program, ["chip", "info", chip], options);
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

/** Runs probe-rs for an answer. Does not reject. */
async function ask(
  program: string,
  args: string[],
  { env, signal }: ProbeRsCheckOptions,
): Promise<Answer> {
  let late = false;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      env: { ...env },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (error) {
    return {
      success: false,
      text: error instanceof Error ? error.message : `${error}`,
    };
  }
  // Nothing is at stake in a question, so there is no need to end it gently.
  const kill = () => signalGroup(child.pid, "SIGKILL");
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, ANSWER_WITHIN_MS);
  signal.addEventListener("abort", kill);
  if (signal.aborted) kill();
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  signal.removeEventListener("abort", kill);
  if (late) {
    return {
      success: false,
      text: `no answer within ${ANSWER_WITHIN_MS / 1000} s`,
    };
  }
  const said = stripColours(
    new TextDecoder().decode(success ? stdout : stderr),
  );
  return {
    success,
    text: escapeTricks(said.trim().split("\n")[0] ?? "").slice(0, 200),
  };
}
