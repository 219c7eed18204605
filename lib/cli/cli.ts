/**
 * The command line: which command, with which options, and what its end means to the caller.
 *
 * Each command is a file of its own, loaded when it is asked for; only `run` comes with the command line:
 * the executable keeps compiled what it loads first, and nothing that is loaded later. A start is a quarter
 * shorter by that (`deno task bench --executable --points start`), and every other command loads what it does
 * not need: from source, where nothing is kept compiled, 0.25 s and 25 MB.
 *
 * @module
 */

import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { MAX_RELEASE_MINUTES } from "../control/release.ts";
import { describeError } from "../error_text.ts";
import * as help from "./help.ts";
import { parseMoment } from "./moment.ts";
import { wholeNumber } from "./numbers.ts";
import { addRejectsCommands } from "./rejects_commands.ts";
import { run } from "./run.ts";
import { complain } from "./terminal/terminal.ts";
import { UsageError } from "./usage_error.ts";
import { VERSION } from "./version.ts";

const FAILED = 1;
const WRONG_USAGE = 2;

const CONFIG = [
  "-c, --config <file>",
  "the configuration",
  "config.toml",
] as const;

const SPEED = () =>
  new Option("--speed <factor>", "how much faster than it was")
    .choices(["1", "10", "max"] as const).default("1" as const);

/**
 * Runs the command that `args` name.
 *
 * @returns the exit code: 0 stopped as asked, 1 failed, 2 wrong usage or configuration
 */
export async function cli(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const full = inFull(args);
  const program = createProgram(full[0], (code) => exitCode = code);
  try {
    await program.parseAsync(full, { from: "user" });
    return exitCode;
  } catch (error) {
    return explain(error);
  }
}

/** What each command takes and does, by its name: so that one can be made without the others. */
const COMMANDS: Readonly<
  Record<string, (command: Command, end: (exitCode: number) => void) => void>
> = {
  run: (command, end) =>
    command
      .description("Runs the gateway; this is what no command means")
      .option(...CONFIG)
      .option("--simulate", "a simulated board instead of the real one")
      .option("--scenario <file>", "what happens to the simulated board")
      .option("--embedded-broker", "an MQTT broker of its own, see [broker]")
      .option("--force", "let simulated values leave this machine")
      .addHelpText("after", help.RUN_HELP)
      .action(async ({ config, simulate, scenario, embeddedBroker, force }) => {
        if (scenario !== undefined && simulate !== true) {
          throw new UsageError("--scenario is for --simulate");
        }
        end(
          await run({
            config,
            simulate: simulate === true,
            scenario,
            embeddedBroker: embeddedBroker === true,
            force: force === true,
          }),
        );
      }),

  init: (command, end) =>
    command
      .description("Makes a configuration, asking for what it needs")
      .option("-c, --config <file>", "the file to make", "config.toml")
      .option("--broker <url>", 'the MQTT broker, or "none"')
      .option("--username <name>", "the user name at the broker")
      .option("--password-file <file>", "a file with the password")
      .option("--topic-prefix <prefix>", "what all topics begin with")
      .option("--client-id <id>", "the gateway's name at the broker")
      .option("--influxdb <url>", 'InfluxDB, or "none"')
      .option("--org <name>", "its organization")
      .option("--bucket <name>", "its bucket")
      .option("--token-file <file>", "a file with its token")
      .option("--probe <id>", "the debug probe, where there are several")
      .option("--chip <name>", "the board's chip")
      .option("--firmware <file>", "the firmware's ELF file")
      .option(
        "--command <line>",
        "prints the board's lines instead of probe-rs",
      )
      .option("--from <lines>", 'what the board printed, "-" for stdin')
      .option("--yes", "ask nothing: what has a default takes it")
      .addHelpText("after", help.INIT_HELP)
      .action(async ({ yes, ...options }) => {
        const { init } = await import("./init.ts");
        end(await init({ ...options, yes: yes === true }));
      }),

  simulate: (command, end) =>
    command
      .description(
        "Prints what probe-rs prints of a board, for tests and trials",
      )
      .option(
        "--interval <ms>",
        "from one packet to the next, 0: as fast as it is read",
        wholeNumber(0, 86_400_000),
        1000,
      )
      .option("--count <n>", "end after so many", wholeNumber(1, 1_000_000_000))
      .option(
        "--seed <n>",
        "the same seed, the same values",
        wholeNumber(0, 4_294_967_295),
      )
      .option("--recording <file>", "a recording instead")
      .option(
        "--run <n>",
        "which run of the recorded program, from 0",
        wholeNumber(0, 1_000_000_000),
        0,
      )
      .addOption(SPEED())
      .addOption(
        new Option("--as-probe-rs", "stand in for probe-rs, called as that is")
          .conflicts(["interval", "count", "seed", "recording"]),
      )
      .option("--scenario <file>", "what happens, for --as-probe-rs")
      .option("--state <folder>", "what its calls share, for --as-probe-rs")
      .argument("[arguments...]", "those of probe-rs, behind --")
      .addHelpText("after", help.SIMULATE_HELP)
      .action(async (args, options) => {
        const { asProbeRs, scenario, state, recording, run, speed, ...board } =
          options;
        if (asProbeRs === true) {
          const { standIn } = await import("./stand_in.ts");
          return end(await standIn({ args, scenario, state }));
        }
        if (args.length > 0 || scenario !== undefined || state !== undefined) {
          throw new UsageError(
            "Arguments, --scenario and --state are for --as-probe-rs",
          );
        }
        if (recording !== undefined) {
          const { playRecording } = await import("./play.ts");
          return end(await playRecording({ recording, run, speed }));
        }
        const { simulate } = await import("./simulate.ts");
        end(await simulate(board));
      }),

  check: (command, end) =>
    command
      .description("Says what is wrong with this installation")
      .option(...CONFIG)
      .option("--write-test-point", "also write one point to InfluxDB")
      .addHelpText("after", help.CHECK_HELP)
      .action(async ({ config, writeTestPoint }) => {
        const { check } = await import("./check.ts");
        end(await check({ config, writeTestPoint: writeTestPoint === true }));
      }),

  status: (command, end) =>
    command
      .description("Says how things stand: newest packet, waiting, delivered")
      .option(...CONFIG)
      .option("--json", "for programs")
      .addHelpText("after", help.STATUS_HELP)
      .action(async ({ config, json }) => {
        const { status } = await import("./status.ts");
        end(await status({ config, json: json === true }));
      }),

  release: (command, end) =>
    command
      .description("Frees the probe for a debugger, for a while")
      .option(...CONFIG)
      .addOption(
        new Option("--minutes <n>", "for so long")
          .argParser(wholeNumber(1, MAX_RELEASE_MINUTES)).default(15),
      )
      .addOption(
        new Option("--end", "take the probe back now").conflicts("minutes"),
      )
      .option("--board <name>", "whose probe, where there are several boards")
      .addHelpText("after", help.RELEASE_HELP)
      .action(async ({ config, minutes, end: isEnd, board }) => {
        const { release } = await import("./release.ts");
        end(
          await release({
            config,
            minutes: isEnd === true ? 0 : minutes,
            board,
          }),
        );
      }),

  rewind: (command, end) =>
    command
      .description("Gives a sink again what its server has lost")
      .option(...CONFIG)
      .option("--sink <name>", "mqtt or influxdb")
      .option("--to <time>", "what happened from here on", parseMoment)
      .option("--dry-run", "only say what would go out again")
      .option("--yes", "do not ask")
      .addHelpText("after", help.REWIND_HELP)
      .action(async ({ config, sink, to, dryRun, yes }) => {
        if (sink === undefined || to === undefined) {
          throw new UsageError("--sink and --to must say what is sent again");
        }
        const { rewind } = await import("./rewind.ts");
        end(
          await rewind({
            config,
            sink,
            to,
            dryRun: dryRun === true,
            yes: yes === true,
          }),
        );
      }),

  rejects: (command, end) => addRejectsCommands(command, CONFIG, end),

  export: (command, end) =>
    command
      .description(
        "Writes the journal's readings as CSV, JSON or line protocol",
      )
      .option(...CONFIG)
      .addOption(
        new Option("--format <name>", "what a line is")
          .choices(["csv", "jsonl", "lp"] as const).default("csv" as const),
      )
      .option("--from <time>", "from here on", parseMoment)
      .option("--to <time>", "before here", parseMoment)
      .option("--output <file>", "a file to make, instead of stdout")
      .addHelpText("after", help.EXPORT_HELP)
      .action(async ({ from = -Infinity, to = Infinity, ...options }) => {
        const { exportJournal } = await import("./export.ts");
        end(await exportJournal({ ...options, from, to }));
      }),

  record: (command, end) =>
    command
      .description("Records what the board's program prints")
      .option(...CONFIG)
      .option("--output <file>", "the file to make")
      .option("--board <name>", "which, where there are several")
      .option("--minutes <n>", "end after so many", wholeNumber(1, 100_000))
      .addHelpText("after", help.RECORD_HELP)
      .action(async ({ output, ...options }) => {
        if (output === undefined) {
          throw new UsageError("--output must name the file to make");
        }
        const { record } = await import("./record.ts");
        end(await record({ ...options, output }));
      }),

  replay: (command, end) =>
    command
      .description("Plays a recording as if a board spoke")
      .argument("<file>", 'what "iiot-gateway record" wrote')
      .option(...CONFIG)
      .addOption(SPEED())
      .option("--embedded-broker", "an MQTT broker of its own, see [broker]")
      .option("--force", "let replayed values leave this machine")
      .addHelpText("after", help.REPLAY_HELP)
      .action(async (file, { embeddedBroker, force, ...options }) => {
        const { replay } = await import("./replay.ts");
        end(
          await replay(file, {
            ...options,
            embeddedBroker: embeddedBroker === true,
            force: force === true,
          }),
        );
      }),

  watch: (command, end) =>
    command
      .description("Shows the values at the broker, as they come")
      .argument("[filters...]", "topics below the prefix, such as 'node1/#'")
      .option(...CONFIG)
      .option("--board <name>", "only this one, where there are several boards")
      .option(
        "--embedded-broker",
        "the broker of [broker], not of mqtt.broker_url",
      )
      .option("--json", "for programs: an object a line")
      .addHelpText("after", help.WATCH_HELP)
      .action(async (filters, { config, board, embeddedBroker, json }) => {
        const { watch } = await import("./watch.ts");
        end(
          await watch(filters, {
            config,
            board,
            embeddedBroker: embeddedBroker === true,
            json: json === true,
          }),
        );
      }),

  parse: (command, end) =>
    command
      .description("Shows what lines of a board would become, without a server")
      .argument("[file]", "lines, or a recording; none or -: stdin")
      .option(...CONFIG)
      .option(
        "--board <name>",
        "whose they are, where there are several boards",
      )
      .option("--json", "for programs: an object a line")
      .addHelpText("after", help.PARSE_HELP)
      .action(async (file, { config, board, json }, command) => {
        const { parse } = await import("./parse.ts");
        const isConfigNamed =
          command.getOptionValueSource("config") !== "default";
        end(
          await parse(file, {
            config,
            isConfigNamed,
            board,
            json: json === true,
          }),
        );
      }),

  version: (command, end) =>
    command
      .description("Shows the version, and that of Deno")
      .action(async () => {
        const { version } = await import("./version.ts");
        end(version());
      }),
};

/**
 * The program with the command `name`; with all, where it has none of that name. To make all takes 4 % of a
 * start (`deno task bench --executable --points start --against` a checkout that does).
 */
function createProgram(
  name: string | undefined,
  end: (exitCode: number) => void,
) {
  const program = new Command("iiot-gateway")
    .description(
      "Takes the telemetry of a board from probe-rs to MQTT and InfluxDB, and loses nothing in between.",
    )
    .version(VERSION, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .showHelpAfterError('Try "iiot-gateway help"')
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "Error: ")),
    })
    .exitOverride()
    .addHelpText("after", help.TOP_HELP);

  const all = Object.entries(COMMANDS);
  const named = all.filter(([one]) => one === name);
  for (const [one, define] of named.length > 0 ? named : all) {
    define(program.command(one), end);
  }

  return program;
}

/** Flags that the program itself takes; any other one in front belongs to `run`. */
const OWN_FLAGS = ["-h", "--help", "-V", "--version"];

/**
 * `args` with the command that they leave out. commander's own default command would take a mistyped
 * one for an argument, and its `help` does not know the nearest.
 */
function inFull(args: readonly string[]): readonly string[] {
  const [first, second] = args;
  if (first === "help" && second !== undefined && second !== "help") {
    return Object.hasOwn(COMMANDS, second) ? [second, "--help"] : [second];
  }
  if (first === "rejects" && (second?.startsWith("-") ?? true)) {
    const isOwn = second !== undefined && OWN_FLAGS.includes(second);
    return isOwn ? args : ["rejects", "list", ...args.slice(1)];
  }
  const isRun = first === undefined ||
    (first.startsWith("-") && !OWN_FLAGS.includes(first));
  return isRun ? ["run", ...args] : args;
}

/** Says on stderr why a command ended, if that has not been said; returns the exit code. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : WRONG_USAGE;
  }
  // By its name: the class would bring the whole configuration with it.
  if (error instanceof Error && error.name === "ConfigError") {
    complain(error.message);
    return WRONG_USAGE;
  }
  if (error instanceof UsageError) {
    complain(`Error: ${error.message}`);
    return WRONG_USAGE;
  }
  complain(`Error: ${describeError(error, { stack: wantsStack() })}`);
  return FAILED;
}

function wantsStack(): boolean {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: "IIOT_DEBUG",
  });
  return state === "granted" && Deno.env.get("IIOT_DEBUG") === "1";
}
