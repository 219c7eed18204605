/**
 * The command line of probe-rs, version by version: what it takes, and how clap refuses the rest.
 *
 * Read from the definitions in the tags v0.24.0 to v0.32.0 of probe-rs/probe-rs. It knows nothing of how
 * the gateway calls probe-rs: a flag that is wrong there shall be refused here.
 *
 * @module
 */

/** Chooses a debug probe; undefined parts fit any. */
export interface Selector {
  readonly vendor: number;
  readonly product: number;
  readonly serial: string | undefined;
}

/** What probe-rs is asked to do. */
export type Invocation =
  | { readonly command: "version" | "meta" | "list" | "chip list" }
  | { readonly command: "chip info"; readonly name: string }
  | MonitorInvocation;

/** `run` and `attach`. */
export interface MonitorInvocation {
  readonly command: "run" | "attach";
  /** The ELF file; undefined: none was named, which `attach` takes from 0.32 on. */
  readonly path: string | undefined;
  readonly chip: string | undefined;
  readonly probe: Selector | undefined;
  /** The value of `--log-format`. */
  readonly logFormat: string | undefined;
  has(flag: string): boolean;
}

/** Refused by clap: what it says on stderr. The exit code is 2. */
export class WrongUsage extends Error {
  override name = "WrongUsage";
}

interface Flag {
  readonly name: string;
  /** `<CHIP>`, where it takes a value. */
  readonly value?: string;
  /** N of 0.N, the first version that knows it. @default {24} */
  readonly since?: number;
  /** N of 0.N, the last version that knows it. @default {32} */
  readonly until?: number;
  /** Not for `attach`, which until 0.31 takes all that `run` takes. */
  readonly runOnly?: boolean;
  /** For every subcommand. */
  readonly global?: boolean;
}

const FLAGS: readonly Flag[] = [
  ...everywhere("log-file=LOG_FILE log-to-folder preset=PRESET@28"),
  // Of the probe.
  ...flags("chip=CHIP chip-description-path=CHIP_DESCRIPTION_PATH"),
  ...flags("protocol=PROTOCOL probe=PROBE speed=SPEED connect-under-reset"),
  ...flags("dry-run allow-erase-all non-interactive@25 cycle-power@32"),
  // Of what is monitored.
  ...flags("catch-reset catch-hardfault no-catch-reset@28"),
  ...flags("no-catch-hardfault@28 no-catch-svc@32 no-catch-hlt@32"),
  ...flags("always-print-stacktrace stack-frame-limit=N@31 no-location"),
  ...flags("no-timestamps@30 log-format=LOG_FORMAT"),
  ...flags("target-output-file=TARGET_OUTPUT_FILE@28"),
  ...flags("semihosting-file=SEMIHOSTING_FILE@30 rtt-scan-memory@24-31"),
  ...flags("scan-region=SCAN_REGION@32 rtt-channel-mode=RTT_CHANNEL_MODE@32"),
  ...flags("rtt-up-channels=N@32 rtt-down-channel=N@32 list-rtt@32"),
  // Of the file's format.
  ...flags("binary-format=BINARY_FORMAT base-address=N skip=N"),
  ...flags("idf-bootloader=FILE idf-partition-table=FILE skip-section=NAME@28"),
  ...flags("idf-target-app-partition=NAME@28 idf-flash-mode=MODE@31"),
  ...flags("idf-flash-freq=FREQUENCY@31"),
  // Of the download.
  ...runOnly("disable-progressbars disable-double-buffering"),
  ...runOnly("restore-unwritten flash-layout=FILE verify chip-erase"),
  ...runOnly("preverify@25 read-flasher-rtt@31 reset@32"),
  ...runOnly("prefer-flash-algorithm=NAME@31"),
  // Of embedded-test.
  ...runOnly("list format=FORMAT exact skip-test=FILTER nocapture"),
  ...runOnly("show-output ignored@28 include-ignored@28"),
];

const SUBCOMMANDS = ["run", "attach", "list", "chip", "mi"] as const;
/** Others that probe-rs has, and that nobody needs of a stand-in. */
const OTHER_SUBCOMMANDS =
  "dap-server info reset gdb debug download verify erase trace itm benchmark profile read write complete serve"
    .split(" ");

/** From here on `attach` has flags of its own. */
const OWN_ATTACH_SINCE = 32;
/** From here on a selector may name an interface. */
const INTERFACE_SINCE = 31;

/**
 * Reads the arguments behind the program's name, as 0.`minor` does.
 *
 * @throws {WrongUsage} where that version ends with 2
 */
export function parseArguments(
  args: readonly string[],
  minor: number,
): Invocation {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") return { command: "version" };
  if (name === undefined) throw new WrongUsage(helpOf("probe-rs"));
  if (name.startsWith("-")) throw unexpected(name, usageOfParent("probe-rs"));
  const subcommand = SUBCOMMANDS.find((one) => one === name);
  switch (subcommand) {
    case "list":
      positionals(rest, minor, "list", 0);
      return { command: "list" };
    case "mi": {
      const [what] = positionals(rest, minor, "mi", 1);
      if (what === "meta") return { command: "meta" };
      throw noSubcommand(what, "probe-rs mi");
    }
    case "chip": {
      const [what, chip] = positionals(rest, minor, "chip", 2);
      if (what === "list") return { command: "chip list" };
      if (what !== "info") throw noSubcommand(what, "probe-rs chip");
      if (chip === undefined) throw missing("<NAME>", "chip info");
      return { command: "chip info", name: chip };
    }
    case "run":
    case "attach":
      return parseMonitor(subcommand, rest, minor);
    default:
      if (OTHER_SUBCOMMANDS.includes(name)) {
        throw new Error(`The stand-in for probe-rs cannot "${name}"`);
      }
      throw noSubcommand(name, "probe-rs");
  }
}

function parseMonitor(
  command: "run" | "attach",
  args: readonly string[],
  minor: number,
): MonitorInvocation {
  const { values, words } = split(args, minor, command);
  const selector = values.get("--probe");
  const probe = selector === undefined
    ? undefined
    : parseSelector(selector, minor);
  const own = command === "attach" && minor >= OWN_ATTACH_SINCE;
  const [path, second] = words;
  if (path === undefined && !own) throw missing("<PATH>", command);
  if (second !== undefined && own) throw unexpected(second, usageOf(command));
  return {
    command,
    path,
    chip: values.get("--chip"),
    probe,
    logFormat: values.get("--log-format"),
    has: (flag) => values.has(flag),
  };
}

/** The words that are no flags, of which there may be `most`. */
function positionals(
  args: readonly string[],
  minor: number,
  command: string,
  most: number,
): readonly string[] {
  const { words } = split(args, minor, command);
  const extra = words[most];
  if (extra !== undefined) throw unexpected(extra, usageOf(command));
  return words;
}

/** Flags with their values, and the other words. */
function split(args: readonly string[], minor: number, command: string) {
  const values = new Map<string, string>();
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("-")) {
      words.push(arg);
      continue;
    }
    const [name = "", ...rest] = arg.split("=");
    const flag = FLAGS.find((one) => one.name === name);
    if (flag === undefined || !knows(command, flag, minor)) {
      throw unexpected(arg.startsWith("--") ? name : arg, usageOf(command));
    }
    if (values.has(name)) {
      throw usageError(
        `the argument '${shown(flag)}' cannot be used multiple times`,
        usageOf(command),
      );
    }
    let value = rest.length > 0 ? rest.join("=") : undefined;
    if (flag.value !== undefined && value === undefined) {
      value = args[++i];
      if (value === undefined || value.startsWith("--")) {
        throw usageError(
          `a value is required for '${shown(flag)}' but none was supplied`,
        );
      }
    }
    values.set(name, value ?? "");
  }
  return { values, words };
}

function knows(
  command: string,
  { since = 24, until = 32, runOnly, global }: Flag,
  minor: number,
): boolean {
  if (minor < since || minor > until) return false;
  if (command === "run") return true;
  if (command !== "attach") return global === true;
  return !runOnly || minor < OWN_ATTACH_SINCE;
}

function parseSelector(text: string, minor: number): Selector {
  const [vendor = "", product, ...serial] = text.split(":");
  const [id = "", place] = product?.split(/-(.*)/s) ?? [];
  const form = minor >= INTERFACE_SINCE
    ? "`VID:PID<-Interface>:<Serial>`, where Serial  and Interface are optional."
    : "`VID:PID:<Serial>`, where Serial is optional.";
  const wrong = (why: string) =>
    usageError(`invalid value '${text}' for '--probe <PROBE>': ${why}`);
  if (product === undefined) {
    throw wrong(
      `The format of the selector is invalid. Please use a string in the form ${form}`,
    );
  }
  const numbers = [vendor, minor >= INTERFACE_SINCE ? id : product];
  const bad = numbers.find((one) => !/^[0-9a-f]{1,4}$/i.test(one)) ??
    (/^\d{0,3}$/.test(place ?? "") ? undefined : place);
  if (bad !== undefined) {
    throw wrong(
      `Could not parse VID or PID: ${
        bad === ""
          ? "cannot parse integer from empty string"
          : "invalid digit found in string"
      }`,
    );
  }
  const [vid = 0, pid = 0] = numbers.map((one) => parseInt(one, 16));
  return {
    vendor: vid,
    product: pid,
    serial: serial.length > 0 ? serial.join(":") : undefined,
  };
}

function unexpected(argument: string, usage: string): WrongUsage {
  return usageError(`unexpected argument '${argument}' found`, usage);
}

function missing(what: string, command: string): WrongUsage {
  return usageError(
    `the following required arguments were not provided:\n  ${what}`,
    usageOf(command).replace(" [OPTIONS]", "").replace("[PATH]", "<PATH>"),
  );
}

function noSubcommand(
  name: string | undefined,
  parent: string,
): WrongUsage {
  return name === undefined
    ? new WrongUsage(helpOf(parent))
    : usageError(`unrecognized subcommand '${name}'`, usageOfParent(parent));
}

function usageError(message: string, usage?: string): WrongUsage {
  const how = usage === undefined ? "" : `Usage: ${usage}\n\n`;
  return new WrongUsage(
    `error: ${message}\n\n${how}For more information, try '--help'.\n`,
  );
}

function usageOf(command: string): string {
  const words: Record<string, string> = {
    run: " <PATH> [TEST_FILTER]...",
    attach: " [PATH]",
    "chip info": " <NAME>",
  };
  return `probe-rs ${command} [OPTIONS]${words[command] ?? ""}`;
}

function usageOfParent(parent: string): string {
  return `${parent} [OPTIONS] <COMMAND>`;
}

/** What stands there when a subcommand is missing; the real one goes on with its options. */
function helpOf(parent: string): string {
  return `Usage: ${usageOfParent(parent)}\n`;
}

function shown({ name, value }: Flag): string {
  return value === undefined ? name : `${name} <${value}>`;
}

/** `name=VALUE@SINCE-UNTIL`, what is behind the name left out as often as not. */
function flags(texts: string): Flag[] {
  return texts.split(" ").map((text) => {
    const [named = "", versions] = text.split("@");
    const [name, value] = named.split("=");
    const [since, until] = versions?.split("-").map(Number) ?? [];
    return {
      name: `--${name}`,
      ...(value === undefined ? {} : { value }),
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
    };
  });
}

function runOnly(texts: string): Flag[] {
  return flags(texts).map((flag) => ({ ...flag, runOnly: true }));
}

function everywhere(texts: string): Flag[] {
  return flags(texts).map((flag) => ({ ...flag, global: true }));
}
