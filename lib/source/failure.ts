/**
 * Why the board's program failed: what it is called, how it is recognised, what to do, how soon to
 * try again.
 *
 * The texts are those of probe-rs 0.24 to 0.32; each is also tried on what any other program prints.
 *
 * @module
 */

/** What went wrong, in words for people and for programs. */
export type FailureKind =
  | "not installed"
  | "version too old"
  | "wrong usage"
  | "firmware missing"
  | "probe missing"
  | "ambiguous probe"
  | "no permission"
  | "probe busy"
  | "chip unknown"
  | "flashing failed"
  | "firmware crashed"
  /** It ended by itself, as a test or an example does. */
  | "firmware ended"
  | "no RTT"
  | "target lost"
  /** The device that `gateway.command` reads is not there. */
  | "device missing"
  | "unknown";

/**
 * How soon it is tried again: `fast` what comes back by itself, `slow` what somebody has to mend,
 * `usual` what may be either.
 */
export type Pace = "fast" | "usual" | "slow";

/** Bounds of the pauses between tries; see {@linkcode PACES}. */
export interface PauseBounds {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** The pauses of each pace, in milliseconds. */
export const PACES: Readonly<Record<Pace, PauseBounds>> = {
  // A probe that is plugged in again is used within seconds; a try without one takes 50 ms.
  fast: { firstMs: 1_000, longestMs: 10_000 },
  usual: { firstMs: 1_000, longestMs: 60_000 },
  slow: { firstMs: 10_000, longestMs: 120_000 },
};

/** Why the board's program does not run. */
export interface Failure {
  readonly kind: FailureKind;
  /** What the program said itself: its `Error:` with what caused it, in one line. */
  readonly error?: string;
  /** What the operator can do, one sentence. */
  readonly todo: string;
  readonly pace: Pace;
}

/** What is known of a program that ended. */
export interface Ending {
  /** Its exit code. */
  readonly code: number;
  /** Its `Error: …` on stderr, with the causes. */
  readonly error?: string | undefined;
  /** What stdout said of the end: see {@linkcode tellsOfTheEnd}. */
  readonly said?: string | undefined;
}

interface Row extends Omit<Failure, "error"> {
  readonly error?: RegExp;
  readonly said?: RegExp;
  readonly code?: number;
}

const FIRMWARE_CRASHED =
  "look in the log for what the firmware printed last, with the stack trace behind it";

/** The first row that fits counts, so what is specific stands first. */
const ROWS: readonly Row[] = [
  {
    kind: "wrong usage",
    code: 2,
    error: /^error: .*'--probe\b/,
    todo:
      'correct "probe_id" in config.toml: it is VID:PID:SERIAL as "probe-rs list" shows it',
    pace: "slow",
  },
  {
    kind: "wrong usage",
    code: 2,
    error: /^error: /,
    todo:
      "nothing if probe-rs was just replaced, its version is asked for again; else install a version of 0.30 to 0.32",
    pace: "usual",
  },
  {
    kind: "wrong usage",
    error: /^Error: Failed to load configuration/,
    todo:
      "mend or remove .probe-rs.toml in the home folder or beside the executable",
    pace: "slow",
  },
  {
    kind: "firmware missing",
    error:
      /reading the (?:firmware|object) file|Failed to read firmware from|Failed to (?:load|read or decode) the ELF|No loadable segments|Failed to open the ELF|^Error: Is a directory/i,
    todo:
      'build the firmware or correct "firmware_path" in config.toml, and let the user of the gateway read the file',
    pace: "slow",
  },
  {
    kind: "ambiguous probe",
    error:
      /The following devices were found|multiple probes|Failed to parse (?:interactive )?probe index|probes were found:/i,
    todo:
      'give "probe_id" in config.toml with the serial number, VID:PID:SERIAL as "probe-rs list" shows it',
    pace: "slow",
  },
  {
    kind: "probe missing",
    // Up to 0.27 it is opened without a look whether it is there.
    error:
      /No (?:connected )?probes? (?:were|was) found|^Error: Failed to open the debug probe\..*probe was not found/i,
    todo:
      'plug the probe in, compare "probe_id" in config.toml with "probe-rs list", and on Linux install deploy/69-probe-rs.rules',
    pace: "fast",
  },
  {
    kind: "version too old",
    error: /firmware on the probe is outdated/,
    todo:
      "update the firmware of the probe itself with the tool of its maker, and plug it in again",
    pace: "slow",
  },
  {
    kind: "no permission",
    error: /lacked the permission|required permissions were not given/,
    todo:
      'unlock the chip, which erases it: "probe-rs erase --allow-erase-all" with its "--chip"',
    pace: "slow",
  },
  {
    kind: "no permission",
    error:
      /permission denied|access denied|insufficient permissions?|operation not permitted|LIBUSB_ERROR_ACCESS/i,
    todo:
      "let the user of the gateway open the probe: on Linux install deploy/69-probe-rs.rules and plug the probe in again",
    pace: "slow",
  },
  {
    kind: "probe busy",
    // From 0.28 on what is opened was listed before, so one that is "not found" cannot be opened.
    error:
      /Failed to open (?:the debug )?probe|^Error: Probe not found|already in use|(?:resource|interface|device) (?:is )?busy/i,
    todo:
      "end the debugger, IDE or second probe-rs that holds the probe; if there is none, plug the probe in again, and on Linux install deploy/69-probe-rs.rules",
    pace: "fast",
  },
  {
    kind: "chip unknown",
    error:
      /not found in the (?:database|list of known targets)|multiple chips matching|elf_chip does not match/i,
    todo: 'correct "chip" in config.toml: "probe-rs chip list" has the names',
    pace: "slow",
  },
  {
    kind: "flashing failed",
    error:
      /flashing procedure|Failed to (?:flash|erase|program|verify)|page write|flash algorithm|error occurred during download|not compatible with the (?:target|image)/i,
    todo:
      'check that "chip" and "firmware_path" in config.toml fit the board, its power and its wiring, and that its flash is not write protected',
    pace: "slow",
  },
  {
    kind: "firmware crashed",
    error:
      /^Error: (?:Exception|CPU halted unexpectedly|The core is locked up|Run loop exited due to a locked up core|Semihosting indicate[sd] exit)/,
    todo: FIRMWARE_CRASHED,
    pace: "usual",
  },
  {
    kind: "target lost",
    error:
      /\bUSB\b|debug probe in use|specific to a probe|usage of the probe|attach to the target|Connecting to the chip|(?:ARM|RISC-?V|Xtensa) specific error|while attaching|handle to the first core|core status|No such device|disconnected|\b(?:read|write)(?:ing)? register|target device/i,
    todo: "check the board's power, and the cables to the board and the probe",
    pace: "fast",
  },
  {
    kind: "no RTT",
    error: /control block|attach to RTT/i,
    todo:
      'check that the firmware logs through RTT and that "firmware_path" in config.toml is the ELF file of the firmware on the board',
    pace: "slow",
  },
  {
    kind: "firmware crashed",
    // 0.28.0 to 0.29.1 exit with 0 then, and this is all they say.
    said: /^Firmware exited (?:unexpectedly: |with: )/,
    todo: FIRMWARE_CRASHED,
    pace: "usual",
  },
  {
    kind: "firmware ended",
    said: /^Firmware exited successfully/,
    todo:
      "let the firmware run for ever: it told the debugger by semihosting that it has ended",
    pace: "usual",
  },
];

const UNKNOWN: Failure = {
  kind: "unknown",
  todo:
    'look in the log for what it printed before, and run "iiot-gateway check"',
  pace: "usual",
};

/** Whether a line of stdout tells of the program's end. */
export function tellsOfTheEnd(line: string): boolean {
  return ROWS.some(({ said }) => said?.test(line));
}

/** What the end of the board's program means: it shall run for ever, so exit code 0 is a failure too. */
export function recognizeFailure(ending: Ending): Failure {
  const { kind, todo, pace } = ROWS.find((row) => fits(row, ending)) ?? UNKNOWN;
  const error = describeEnd(kind, ending);
  return { kind, todo, pace, ...(error === undefined ? {} : { error }) };
}

/** Of a crash stdout says more than the error, where it says anything: the reason, and the place. */
function describeEnd(
  kind: FailureKind,
  { error, said }: Ending,
): string | undefined {
  return kind === "firmware crashed" && error !== undefined &&
      said !== undefined
    ? `${error} (${said})`
    : error ?? said;
}

/** What ends a `run` before it programs: without a probe and a chip that answers there is nothing to program. */
const BEFORE_PROGRAMMING: readonly FailureKind[] = [
  "not installed",
  "version too old",
  "wrong usage",
  "firmware missing",
  "probe missing",
  "ambiguous probe",
  "no permission",
  "probe busy",
  "chip unknown",
  "target lost",
];

/**
 * Whether a `run` that failed so, and had not said that it finished, has certainly programmed nothing.
 *
 * From 0.24 to 0.32 all that goes wrong while the flash is written, a probe that is pulled out among
 * it, stands below a sentence about "the flashing procedure".
 */
export function endedBeforeProgramming({ kind, error = "" }: Failure): boolean {
  return BEFORE_PROGRAMMING.includes(kind) &&
    !/flashing procedure/i.test(error);
}

/** Every condition that the row has must hold. */
function fits({ code, error, said }: Row, ending: Ending): boolean {
  return (code === undefined || code === ending.code) &&
    (error === undefined || error.test(ending.error ?? "")) &&
    (said === undefined || said.test(ending.said ?? ""));
}
