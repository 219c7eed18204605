/**
 * What probe-rs says when something is wrong, version by version.
 *
 * Texts are those of the sources, in the order in which the errors cause each other; those of a lost
 * target are inferred from them.
 *
 * @module
 */

import type { Loss, ScenarioProbe } from "./scenario.ts";

/** probe-rs ends with an error: 1, and `Error: …` on stderr. */
export class ProbeRsError extends Error {
  override name = "ProbeRsError";
  /** Why, in a few words, for the bench's log. */
  readonly why: string;
  /** What caused it, the nearest first. */
  readonly causes: readonly string[];

  constructor(why: string, message: string, causes: readonly string[] = []) {
    super(message);
    this.why = why;
    this.causes = causes;
  }
}

const NO_FILE = "No such file or directory (os error 2)";
const DENIED = "Permission denied (os error 13)";
const BUSY = "Device or resource busy (os error 16)";
const GONE = "No such device (os error 19)";

/** The error as anyhow prints it: with `RUST_BACKTRACE` a backtrace stands below. */
export function printError(
  { message, causes }: ProbeRsError,
  { backtrace }: { readonly backtrace: boolean },
): string {
  const numbered = causes.length === 1
    ? `    ${causes[0]}\n`
    : causes.map((cause, i) => `    ${i}: ${cause}\n`).join("");
  const why = causes.length === 0 ? "" : `\nCaused by:\n${numbered}`;
  return `Error: ${message}\n${why}${backtrace ? BACKTRACE : ""}`;
}

const BACKTRACE = `
Stack backtrace:
   0: <E as anyhow::context::ext::StdError>::ext_context
   1: probe_rs::cmd::run::Cmd::run::{{closure}}
   2: probe_rs::Cli::run::{{closure}}
   3: probe_rs::main::{{closure}}
   4: tokio::runtime::park::CachedParkThread::block_on
   5: probe_rs::main
   6: std::sys::backtrace::__rust_begin_short_backtrace
   7: std::rt::lang_start::{{closure}}
   8: main
   9: __libc_start_main
`;

/** The ELF file cannot be read. */
export function firmwareUnreadable(
  minor: number,
  command: "run" | "attach",
  path: string,
  cause: unknown,
): ProbeRsError {
  const why = cause instanceof Deno.errors.NotFound
    ? NO_FILE
    : cause instanceof Deno.errors.IsADirectory
    ? "Is a directory (os error 21)"
    : DENIED;
  const error = (message: string, ...causes: string[]) =>
    new ProbeRsError("firmware missing", message, causes);
  const reading = "An IO error has occurred while reading the firmware file.";
  if (minor < 28) return error("Failed to open binary file.", reading, why);
  if (command === "run") {
    // It opens a folder, and fails at reading it.
    return why.startsWith("Is a") ? error(why) : error(reading, why);
  }
  return error(`Failed to read firmware from ${path}`, why);
}

/** No probe is there, or none that was asked for. */
export function noProbe(minor: number, selected: boolean): ProbeRsError {
  return minor < 28 && selected
    ? new ProbeRsError("probe missing", "Failed to open the debug probe.", [
      "The debug probe could not be created.",
      "The selected debug probe was not found.\n       This can be due to permissions.",
    ])
    : new ProbeRsError("probe missing", "No connected probes were found.");
}

/** Several probes are there, and nobody is asked which. */
export function severalProbes(probes: readonly ScenarioProbe[]): ProbeRsError {
  const list = probes.map((one, i) => `\n    ${i + 1}. ${printProbe(one)}`);
  return new ProbeRsError(
    "ambiguous probe",
    `${probes.length} probes were found: ${list.join("")}`,
  );
}

/** What was typed is no number. */
export function noProbeIndex(minor: number, typed: string): ProbeRsError {
  return new ProbeRsError(
    "ambiguous probe",
    minor < 28
      ? "Failed to parse interactive probe index selection"
      : "Failed to parse probe index",
    [
      typed === ""
        ? "cannot parse integer from empty string"
        : "invalid digit found in string",
    ],
  );
}

/** The probe is there and cannot be opened. */
export function probeNotOpened(
  minor: number,
  why: "probe busy" | "no permission",
): ProbeRsError {
  const opening = "Failed to open the debug probe.";
  const causes = [
    "The debug probe could not be created.",
    "A USB error occurred.",
    why === "probe busy" ? BUSY : DENIED,
  ];
  if (minor < 28) return new ProbeRsError(why, opening, causes);
  return minor < 30
    ? new ProbeRsError(why, "Probe not found")
    : new ProbeRsError(why, `Failed to open probe: ${opening}`, causes);
}

/** `--chip` names none. */
export function chipUnknown(chip: string): ProbeRsError {
  return new ProbeRsError(
    "chip unknown",
    `The chip '${chip}' was not found in the database.`,
    [chipNotListed(chip).message],
  );
}

/** `chip info` is asked about none. */
export function chipNotListed(chip: string): ProbeRsError {
  return new ProbeRsError(
    "chip unknown",
    `The requested chip '${chip}' was not found in the list of known targets.`,
  );
}

/** The board has no power when probe-rs starts. */
export function notAttached(): ProbeRsError {
  return new ProbeRsError(
    "target lost",
    "Connecting to the chip was unsuccessful.",
    [ARM, PROBE, SPECIFIC, "Command failed with status JtagGetIdcodeError."],
  );
}

/** The board loses its power, or the probe its cable. */
export function targetLost(cause: Loss): ProbeRsError {
  return new ProbeRsError("target lost", ARM, [
    PROBE,
    SPECIFIC,
    ...(cause === "unplug"
      ? ["USB error.", GONE]
      : ["Command failed with status SwdDpError."]),
  ]);
}

const ARM = "An ARM specific error occurred.";
const PROBE = "The debug probe encountered an error.";
const SPECIFIC =
  "An error which is specific to the debug probe in use occurred.";

/** Something goes wrong while the flash is compared or written; a lost target is no other matter then. */
export function flashingFailed(
  minor: number,
  path: string,
  cause: "erase" | Loss,
): ProbeRsError {
  const lost = cause === "erase" ? undefined : targetLost(cause);
  return new ProbeRsError(
    "flashing failed",
    minor < 28
      ? `The flashing procedure failed for '${path}'.`
      : "An error with the flashing procedure has occurred.",
    lost === undefined
      ? [
        "Failed to erase flash sector at address 0x08000000.",
        "The execution of 'erase_sector' failed with code 1. This might indicate a problem with the flash algorithm.",
      ]
      : [
        "Something during the interaction with the core went wrong",
        lost.message,
        ...lost.causes,
      ],
  );
}

/** There is no RTT control block, which only 0.24 minds. */
export function noControlBlock(): ProbeRsError {
  return new ProbeRsError("no RTT", "Failed to attach to RTT", [
    "Error attempting to attach to RTT: RTT control block not found in target memory.",
  ]);
}

/** The core halted where nobody expected it. */
export function crashed(minor: number): ProbeRsError {
  return new ProbeRsError(
    "firmware crashed",
    minor < 28 ? "CPU halted unexpectedly." : "Exception",
  );
}

/** The stack of a core that waits in its fault handler, on stdout. */
export function stackTrace(minor: number): string {
  const registry =
    "/home/dev/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/cortex-m-rt-0.7.5/src/lib.rs:1103:1";
  if (minor < 28) {
    return `Frame 0: HardFault_ @ 0x0800254a\n       ${registry}\nFrame 1: main @ 0x08000c14 inline\n       /home/dev/wk5-gateway-firmware/src/main.rs:389:9\n`;
  }
  const indent = " ".repeat(minor < 32 ? 7 : 8);
  return `Core 0\n    Frame 0: HardFault_ @ 0x800254a\n${indent}${registry}\n    Frame 1: main @ 0x8000c14 inline\n${indent}/home/dev/wk5-gateway-firmware/src/main.rs:389:9\n`;
}

/** A probe as `list` shows it. */
export function printProbe({ id, name }: ScenarioProbe): string {
  return `${name} -- ${id} (ST-LINK)`;
}
