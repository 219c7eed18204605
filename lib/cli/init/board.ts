/**
 * What `iiot-gateway init` has to know of the board: which program prints its lines, and for probe-rs which
 * probe, chip and firmware. What probe-rs knows is asked of the one that is installed.
 *
 * @module
 */

import { resolve } from "node:path";
import type { Finding } from "../../model.ts";
import { findChip, listChips, mayMean } from "../../source/chip_list.ts";
import { programNotFound } from "../../source/launcher.ts";
import { type DebugProbe, listProbes } from "../../source/probe_list.ts";
import {
  checkProbeRs,
  type ProbeRsCheckOptions,
} from "../../source/probe_rs.ts";
import { findProgram } from "../../source/program.ts";
import type { AskOptions } from "../../source/question.ts";
import { doubleDollars } from "../../toml_string.ts";
import type { InitAnswers, Questions } from "./answers.ts";

/** Asks for all that is about the board. */
export async function askBoard(
  answers: InitAnswers,
  options: AskOptions,
): Promise<void> {
  const { flags, questions } = answers;
  const ofProbeRs = [flags.probe, flags.chip, flags.firmware]
    .some((flag) => flag !== undefined);
  if (flags.command !== undefined && ofProbeRs) {
    answers.faults.push(
      "--command runs instead of probe-rs: --probe, --chip and --firmware must not stand beside it",
    );
    return;
  }
  const program = await findProgram("probe-rs", options.env.PATH ?? "");
  const isCommand = flags.command !== undefined ||
    (!ofProbeRs && questions !== undefined &&
      await questions.askChoice("What prints the board's lines?", [
          { value: "probe-rs", label: "probe-rs, over a debug probe" },
          {
            value: "command",
            label: "Another program: a serial port, OpenOCD, a script",
          },
        ]) === "command");
  if (isCommand) return await askCommand(answers, options);
  if (questions !== undefined && program === undefined) {
    const { error, todo } = programNotFound("probe-rs", options.env.PATH ?? "");
    questions.remark(
      `${error}. To do: ${todo}. Until then its names cannot be looked up here.`,
    );
  }
  const probeRs = program && resolve(program);
  await askProbe(answers, probeRs, options);
  await askChip(answers, probeRs, options);
  await askFirmware(answers, options);
}

async function askCommand(
  answers: InitAnswers,
  options: AskOptions,
): Promise<void> {
  const { flags: { command }, questions } = answers;
  const line = command ?? await questions?.askText(
    "The command, such as: exec < /dev/ttyACM0 && stty 115200 raw -echo && exec cat",
    "",
    (typed) =>
      Promise.resolve(typed.trim() === "" ? "must be given" : undefined),
  ) ?? "";
  if (line.trim() === "") {
    return void answers.faults.push("--command must be given");
  }
  const words = commandOf(line);
  for (const key of ["probe_id", "chip", "firmware_path"]) {
    answers.values.set(`gateway.${key}`, undefined);
  }
  // What a shell is to see is not for the loader.
  answers.values.set("gateway.command", words.map(doubleDollars));
  const missing = await find({ command: words, ...options }, "command");
  if (missing !== undefined) answers.remarks.push(say(missing));
}

/** The words of a command line; where a shell would see more in it than words, a shell runs it. */
export function commandOf(line: string): string[] {
  const plain = line.trim();
  return /[^\w\s./:,=@%+-]/.test(plain) || /^\w+=/.test(plain)
    ? ["sh", "-c", plain]
    : plain.split(/\s+/);
}

async function askProbe(
  answers: InitAnswers,
  program: string | undefined,
  options: AskOptions,
): Promise<void> {
  const { flags, questions, values } = answers;
  values.set("gateway.probe_id", undefined);
  if (flags.probe !== undefined) {
    await answers.value({
      flag: "--probe",
      given: flags.probe,
      key: "gateway.probe_id",
      what: "",
      fallback: "",
    });
  }
  const listed = program === undefined
    ? []
    : await listProbes(program, options);
  if (typeof listed === "string") {
    const sentence =
      `"probe-rs list" does not tell which probes there are: ${listed}`;
    answers.remarks.push(sentence);
    return;
  }
  if (flags.probe !== undefined) return;
  if (questions !== undefined) {
    const id = await chooseProbe(questions, listed, program !== undefined);
    if (id !== undefined) values.set("gateway.probe_id", id);
  } else if (listed.length > 1) {
    answers.missing.push(
      `${"--probe".padEnd(16)} One of the probes that are connected: ${
        listed.map(({ name, id }) => `${id} (${name})`).join(", ")
      }`,
    );
  }
}

async function chooseProbe(
  questions: Questions,
  listed: readonly DebugProbe[],
  isAsked: boolean,
): Promise<string | undefined> {
  if (listed.length === 0) {
    if (isAsked) {
      questions.remark(
        "No debug probe is connected: the only one that is connected later will be taken.",
      );
    }
    return undefined;
  }
  return await questions.askChoice<string | undefined>("Which debug probe?", [
    ...listed.map(({ name, id, inaccessible }) => ({
      value: id,
      label: `${name} (${id})${
        inaccessible ? ", which this user may not open: see check" : ""
      }`,
    })),
    ...(listed.length === 1
      ? [{ value: undefined, label: "Whichever is the only one" }]
      : []),
  ]);
}

async function askChip(
  answers: InitAnswers,
  program: string | undefined,
  options: AskOptions,
): Promise<void> {
  const { flags, questions, values } = answers;
  const listed = program === undefined
    ? undefined
    : await listChips(program, options);
  const chips = Array.isArray(listed) ? listed : [];
  if (
    flags.chip === undefined && questions !== undefined && chips.length > 0
  ) {
    values.set(
      "gateway.chip",
      await questions.askName(
        `The board's chip: one of ${chips.length} that probe-rs knows`,
        chips,
        mayMean,
      ),
    );
    return;
  }
  const chip = await answers.value({
    flag: "--chip",
    given: flags.chip,
    key: "gateway.chip",
    what: "The board's chip, as `probe-rs chip list` names it (or --command)",
    fallback: "",
    examine: async (name) => {
      const unknown = program === undefined || findChip(name, chips)
        ? undefined
        : await find({ chip: name, ...options }, "chip");
      return unknown &&
        `must be a chip that probe-rs knows: it is "${name}"${
          unknown.hint === undefined ? "" : `. To do: ${advice(unknown)}`
        }`;
    },
  });
  if (program === undefined && chip !== "") {
    answers.remarks.push(
      "Whether there is such a chip is not known: probe-rs is not installed",
    );
  }
  const known = findChip(chip, chips);
  if (known !== undefined) values.set("gateway.chip", known);
}

async function askFirmware(
  answers: InitAnswers,
  options: AskOptions,
): Promise<void> {
  const look = (path: string) =>
    find({
      firmware_path: resolve(answers.folder, answers.pathInConfig(path)),
      // Only the file is looked at.
      env: { PATH: "" },
      signal: options.signal,
    }, "firmware");
  const path = await answers.value({
    flag: "--firmware",
    given: answers.flags.firmware,
    key: "gateway.firmware_path",
    what: "The firmware's ELF file: what `cargo build` or the IDE made",
    fallback: "",
    examine: async (path) => {
      const found = await look(path);
      return found?.level === "failed"
        ? `must be the firmware's ELF file: ${found.detail}`
        : undefined;
    },
  });
  if (path === "") return;
  const found = await look(path);
  if (found?.level === "warning") answers.remarks.push(say(found));
  answers.values.set("gateway.firmware_path", answers.pathInConfig(path));
}

/** What `check` finds wrong with this alone. */
async function find(
  options: ProbeRsCheckOptions,
  subject: string,
): Promise<Finding | undefined> {
  for await (const finding of checkProbeRs(options)) {
    if (finding.subject === subject && finding.level !== "ok") return finding;
  }
  return undefined;
}

function say(finding: Finding): string {
  const { detail, hint } = finding;
  return hint === undefined ? detail : `${detail}. To do: ${advice(finding)}`;
}

/** What to do, in one line. */
function advice({ hint = "", fix = [] }: Finding): string {
  return fix.length === 0 ? hint : `${hint}: ${fix.join(" or ")}`;
}
