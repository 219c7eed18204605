/**
 * The command line: which command, with which options, and what its end means to the caller.
 *
 * Each command is a file of its own, loaded when it is asked for, so that `version`, `help` and the
 * simulated board start without the libraries of the gateway.
 *
 * @module
 */

import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { MAX_RELEASE_MINUTES } from "../control/release.ts";
import { describeError } from "../error_text.ts";
import { parseMoment, TIMES } from "./moment.ts";
import { wholeNumber } from "./numbers.ts";
import { addRejectsCommands } from "./rejects_commands.ts";
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

const TOP_HELP = `
Without a command it runs: "iiot-gateway --config FILE" is "iiot-gateway run --config FILE".

Examples:
  iiot-gateway init --config my.toml            make a configuration, asking for what it needs
  iiot-gateway --config config.toml             run the gateway
  iiot-gateway run --simulate --embedded-broker try it without a board and without a broker
  iiot-gateway check                            see what is wrong with this installation
  iiot-gateway status                           see what waits and what was delivered
  iiot-gateway watch                            see the values arrive at the broker
  iiot-gateway parse FILE                       see what captured lines would become
  iiot-gateway release --minutes 15             lend the probe to a debugger
  iiot-gateway rewind --sink influxdb --to 2h   send the last two hours again
  iiot-gateway rejects                          see what could not be used
  iiot-gateway export --from 1d                 the last day as CSV
  iiot-gateway record --output FILE             what the board's program prints, as a file
  iiot-gateway replay FILE --embedded-broker    play that file as if a board spoke

Exit codes:
  0  stopped as asked, or all is well
  1  failed
  2  wrong usage or configuration

IIOT_DEBUG=1 in the environment shows where an error comes from.`;

const INIT_HELP = `
Asks at the terminal for what no flag gives, and writes FILE: the repository's config.toml, every key with
its comment, with your values. It never overwrites a file, and connects to no server: "iiot-gateway check"
does. Where there is no terminal, or with --yes, it asks nothing; what is then missing it names.
"--broker none" or "--influxdb none" leaves one out.

Secrets are no flags, since others on this machine can see those. Typed at the terminal they go into
mqtt_password and influxdb_token beside FILE, which only you can read; --password-file and --token-file
name files that are there already; else they are taken from MQTT_PASSWORD and INFLUXDB_TOKEN.

Names of probes and chips come from probe-rs, where it is installed. --command is run instead of it: its
words as they are, or by "sh -c" where it has quotes, pipes or the like.

--from looks through lines that your firmware printed, or what "iiot-gateway record" wrote: it finds the
marker before the JSON, and writes a [[metric]] table for each field, whose node, name and unit are guessed
from the field's name.

Examples:
  iiot-gateway init --config my.toml
  probe-rs attach --chip STM32F446RETx fw.elf > lines.txt      some seconds, then Ctrl-C
  iiot-gateway init --config my.toml --from lines.txt
  iiot-gateway init --config my.toml --yes --influxdb none \\
    --command "exec < /dev/ttyACM0 && stty 115200 raw -echo && exec cat"
  iiot-gateway init --config /etc/iiot-gateway/config.toml --broker mqtts://broker:8883 \\
    --username gw --password-file /etc/iiot-gateway/mqtt_password --influxdb none \\
    --chip STM32F446RETx --firmware firmware.elf`;

const RUN_HELP = `
SIGINT (Ctrl-C), SIGTERM and SIGHUP end it in order; a second one ends it at once, with exit code 1:
what is in the journal goes out at the next start.

Examples:
  iiot-gateway run --config /etc/iiot-gateway/config.toml
  iiot-gateway run --simulate --embedded-broker
  iiot-gateway run --simulate --embedded-broker --scenario bench.toml

A scenario is a TOML file, see "iiot-gateway simulate --help". Its clock begins with the gateway.`;

const SIMULATE_HELP = `
Examples:
  iiot-gateway simulate                                   a packet every second until Ctrl-C
  iiot-gateway simulate --count 3 --seed 1 --interval 0   the same three packets every time
  iiot-gateway simulate --recording FILE --speed max      what was recorded, as it was printed

With --as-probe-rs it is called as probe-rs is, behind "--", and does what probe-rs does:

  iiot-gateway simulate --as-probe-rs -- list
  iiot-gateway simulate --as-probe-rs --scenario bench.toml --state bench -- run --chip STM32F446RETx fw.elf

All calls with one --state folder are one bench: who holds which probe, what is in the flash, when the
scenario began. A scenario is a TOML file; every key has a default:

  version = "0.32.0"    what it pretends to be, 0.24 to 0.32
  speed = 1             seconds of the scenario in a second
  interval_s = 1        from one packet to the next
  layout = "defmt"      or defmt-time, defmt-two-line, println, rtt, channels
  flash_s = 1           how long programming takes
  programmed = true     false: the board is blank until a run programs it
  noise = false         true: damaged lines now and then
  seed = 1              the same seed, the same values
  record = false        true: a copy of all that was printed is kept in the state folder
  [[probe]]             id = "VID:PID:SERIAL", chip, name; "probe = []" for none
  [[event]]             at_s, do, and probe if it happens to one only

What an event can do:

  unplug plug               the probe
  power_off power_on        the board
  busy free                 another program holds the probe
  no_permission permission  it may not be opened
  erase_fails erase_works   the flash
  reset                     the board begins anew
  panic                     its firmware panics
  blank                     another board in its place, with an empty flash
  silence speak             the firmware logs nothing
  no_telemetry telemetry    it logs no packets
  radio_off radio_on        packets without node 1
  no_rtt rtt                RTT cannot be found
  stall go_on               probe-rs hangs, and hears no signal
  truncated_json            a packet without its end
  replacement_character     a character that a poll cut in two
  hex                       a long line of bytes, without a newline`;

const CHECK_HELP = `
Looks at all that a start needs, a line each, and says what to do, with the commands or the lines of
config.toml that do it: the configuration; the journal and its disk; broker and database, up to a
password that is wanted, a token of another organization, or TLS where none is spoken; the clock;
probe-rs, the probe and who may open it, the chip's name, and whether the firmware is an ELF file for
that chip which logs by RTT; or the program of gateway.command and the devices that it names. Exit code
1 if anything failed.

Where a gateway runs and its own session with the broker stands, that is what it says, and it connects
with no second client.

What it does: it makes the journal's folder where that is missing, publishes an empty message that
is not retained to PREFIX/check, and writes nothing to InfluxDB, except by --write-test-point. At a
server that does not answer it asks the port in TLS and in MQTT what it speaks.

Examples:
  iiot-gateway check
  iiot-gateway check --config /etc/iiot-gateway/config.toml --write-test-point`;

const STATUS_HELP = `
Asks the gateway that runs; where none does, the journal tells.

Examples:
  iiot-gateway status
  iiot-gateway status --json | jq .`;

const REWIND_HELP = `
For a server that lost its data: what happened from that time on goes out again, as far as the journal
still has it. InfluxDB has each point once all the same; MQTT subscribers get the values again, and
the retained ones stay the newest. A gateway that runs goes on meanwhile.
${TIMES}

Examples:
  iiot-gateway rewind --sink influxdb --to 2026-11-23T10:00:00Z --dry-run
  iiot-gateway rewind --sink influxdb --to oldest --yes`;

const RELEASE_HELP = `
The gateway ends its program in order, and the command comes back when the probe is free. It need not
stay: the gateway takes the probe back when the time is over. Given again, the time runs from then on.
What the board says meanwhile is not read; a gateway that is started anew takes the probe at once.

Examples:
  iiot-gateway release --minutes 15   and then: probe-rs gdb …, an IDE
  iiot-gateway release --end          take it back before its time`;

const EXPORT_HELP = `
Writes a line for each reading: csv and jsonl with time, board, topic, measurement, node, unit, value,
path and packet; lp as InfluxDB takes it at /api/v2/write?precision=us. A gateway may run meanwhile.
${TIMES}

Examples:
  iiot-gateway export --from 1d --format csv --output day.csv
  iiot-gateway export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --format jsonl | gzip > november.gz
  iiot-gateway export --format lp | influx write --bucket telemetry --precision us`;

const RECORD_HELP = `
Writes all that the board's program prints, on stdout and stderr, byte for byte and with times, and when
it starts and ends. A gateway that runs goes on meanwhile; where none runs, the board's program is
started for it, and nothing of it goes to a server. Ctrl-C ends it.

FILE holds what the board printed, whole: look through it before you mail it. It never overwrites a file.
Once FILE has half of gateway.record_max_megabytes it becomes FILE.1, and the recording goes on in
FILE; "cat FILE.1 FILE" is one recording again. A key in config.toml, gateway.record, records always.

Examples:
  iiot-gateway record --output fault.recording
  iiot-gateway record --output fault.recording --minutes 30`;

const REPLAY_HELP = `
Plays what "iiot-gateway record" wrote through the whole gateway, as if a board spoke: pauses, errors and
exit codes too. It ends by itself when everything is delivered, or nothing was delivered for 30 s.
Values get the time of now. They go into a journal of their own, .dev/replay beside the
configuration, which begins empty each time, under a client id of its own, with the tag replayed=true,
and to servers on this machine only, unless --force is given.

At --speed max the file waits for the journal: nothing is dropped.

Examples:
  iiot-gateway replay fault.recording --embedded-broker
  iiot-gateway replay fault.recording --speed max`;

const PARSE_HELP = `
Reads lines from FILE, or from stdin, as the gateway reads them from the board's program, and shows what
each would become: MQTT messages and InfluxDB points, or why not. Touches no server and no journal, and
needs no token and no password. A recording of "iiot-gateway record" is read too: what was printed on
stdout. Without --config and without a config.toml here, what is built in is taken.

At a terminal in columns; into a pipe lines with a tab between their fields, of which the first says
what the others are:

  packet   ts, the line
  value    topic, payload, unit, "retained", the point without its time
  dropped  path in the JSON, value, why
  unknown  path, value: a field that no [[metric]] names, with the first line of its kind
  log      level, why it is no telemetry, text
  reject   why it cannot be used, the line

With --json an object for each line, and a last one with the counts. On stderr a sum at the end, and
[[metric]] lines to paste for fields that none names. Exit code 0 if there was a packet, 1 if there was
none; then it says what would help.

Examples:
  iiot-gateway parse captured.txt
  probe-rs run --chip STM32F446RETx fw.elf | iiot-gateway parse
  iiot-gateway parse fault.recording --board hall-3
  iiot-gateway parse --json < captured.txt | jq 'select(.kind == "reject")'`;

const WATCH_HELP = `
Subscribes at the broker of mqtt.broker_url to all below mqtt.topic_prefix, the states of gateway and
boards too, or to what a FILTER says: below the prefix, "+" for any one level, "#" for all below. Reads
only, with a session of its own (the client id with "-watch" behind it), so it neither disturbs nor asks
the gateway, and works where none runs. One who watches with a client id throws out another.

At a terminal a table, which Ctrl-C or q ends; into a pipe a line for each message: time, topic, value,
unit and flags, a tab between them.

  retained     the broker keeps the value for who subscribes later
  stored       it is from before this command began, so its age is not known
  historical   the gateway sent it late, after an outage; the age is since it happened

Examples:
  iiot-gateway watch
  iiot-gateway watch 'node1/#' '+/temperature'
  iiot-gateway watch --board hall-3
  iiot-gateway watch --json | jq 'select(.value > 30)'`;

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
  const program = createProgram((code) => exitCode = code);
  try {
    await program.parseAsync(inFull(args, program), { from: "user" });
    return exitCode;
  } catch (error) {
    return explain(error);
  }
}

function createProgram(end: (exitCode: number) => void) {
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
    .addHelpText("after", TOP_HELP);

  program.command("run")
    .description("Runs the gateway; this is what no command means")
    .option(...CONFIG)
    .option("--simulate", "a simulated board instead of the real one")
    .option("--scenario <file>", "what happens to the simulated board")
    .option("--embedded-broker", "an MQTT broker of its own, see [broker]")
    .option("--force", "let simulated values leave this machine")
    .addHelpText("after", RUN_HELP)
    .action(async ({ config, simulate, scenario, embeddedBroker, force }) => {
      if (scenario !== undefined && simulate !== true) {
        throw new UsageError("--scenario is for --simulate");
      }
      const { run } = await import("./run.ts");
      end(
        await run({
          config,
          simulate: simulate === true,
          scenario,
          embeddedBroker: embeddedBroker === true,
          force: force === true,
        }),
      );
    });

  program.command("init")
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
    .option("--command <line>", "prints the board's lines instead of probe-rs")
    .option("--from <lines>", 'what the board printed, "-" for stdin')
    .option("--yes", "ask nothing: what has a default takes it")
    .addHelpText("after", INIT_HELP)
    .action(async ({ yes, ...options }) => {
      const { init } = await import("./init.ts");
      end(await init({ ...options, yes: yes === true }));
    });

  program.command("simulate")
    .description("Prints what probe-rs prints of a board, for tests and trials")
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
    .addHelpText("after", SIMULATE_HELP)
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
    });

  program.command("check")
    .description("Says what is wrong with this installation")
    .option(...CONFIG)
    .option("--write-test-point", "also write one point to InfluxDB")
    .addHelpText("after", CHECK_HELP)
    .action(async ({ config, writeTestPoint }) => {
      const { check } = await import("./check.ts");
      end(await check({ config, writeTestPoint: writeTestPoint === true }));
    });

  program.command("status")
    .description("Says how things stand: newest packet, waiting, delivered")
    .option(...CONFIG)
    .option("--json", "for programs")
    .addHelpText("after", STATUS_HELP)
    .action(async ({ config, json }) => {
      const { status } = await import("./status.ts");
      end(await status({ config, json: json === true }));
    });

  program.command("release")
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
    .addHelpText("after", RELEASE_HELP)
    .action(async ({ config, minutes, end: isEnd, board }) => {
      const { release } = await import("./release.ts");
      end(
        await release({
          config,
          minutes: isEnd === true ? 0 : minutes,
          board,
        }),
      );
    });

  program.command("rewind")
    .description("Gives a sink again what its server has lost")
    .option(...CONFIG)
    .option("--sink <name>", "mqtt or influxdb")
    .option("--to <time>", "what happened from here on", parseMoment)
    .option("--dry-run", "only say what would go out again")
    .option("--yes", "do not ask")
    .addHelpText("after", REWIND_HELP)
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
    });

  addRejectsCommands(program.command("rejects"), CONFIG, end);

  program.command("export")
    .description("Writes the journal's readings as CSV, JSON or line protocol")
    .option(...CONFIG)
    .addOption(
      new Option("--format <name>", "what a line is")
        .choices(["csv", "jsonl", "lp"] as const).default("csv" as const),
    )
    .option("--from <time>", "from here on", parseMoment)
    .option("--to <time>", "before here", parseMoment)
    .option("--output <file>", "a file to make, instead of stdout")
    .addHelpText("after", EXPORT_HELP)
    .action(async ({ from = -Infinity, to = Infinity, ...options }) => {
      const { exportJournal } = await import("./export.ts");
      end(await exportJournal({ ...options, from, to }));
    });

  program.command("record")
    .description("Records what the board's program prints")
    .option(...CONFIG)
    .option("--output <file>", "the file to make")
    .option("--board <name>", "which, where there are several")
    .option("--minutes <n>", "end after so many", wholeNumber(1, 100_000))
    .addHelpText("after", RECORD_HELP)
    .action(async ({ output, ...options }) => {
      if (output === undefined) {
        throw new UsageError("--output must name the file to make");
      }
      const { record } = await import("./record.ts");
      end(await record({ ...options, output }));
    });

  program.command("replay")
    .description("Plays a recording as if a board spoke")
    .argument("<file>", 'what "iiot-gateway record" wrote')
    .option(...CONFIG)
    .addOption(SPEED())
    .option("--embedded-broker", "an MQTT broker of its own, see [broker]")
    .option("--force", "let replayed values leave this machine")
    .addHelpText("after", REPLAY_HELP)
    .action(async (file, { embeddedBroker, force, ...options }) => {
      const { replay } = await import("./replay.ts");
      end(
        await replay(file, {
          ...options,
          embeddedBroker: embeddedBroker === true,
          force: force === true,
        }),
      );
    });

  program.command("watch")
    .description("Shows the values at the broker, as they come")
    .argument("[filters...]", "topics below the prefix, such as 'node1/#'")
    .option(...CONFIG)
    .option("--board <name>", "only this one, where there are several boards")
    .option(
      "--embedded-broker",
      "the broker of [broker], not of mqtt.broker_url",
    )
    .option("--json", "for programs: an object a line")
    .addHelpText("after", WATCH_HELP)
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
    });

  program.command("parse")
    .description("Shows what lines of a board would become, without a server")
    .argument("[file]", "lines, or a recording; none or -: stdin")
    .option(...CONFIG)
    .option("--board <name>", "whose they are, where there are several boards")
    .option("--json", "for programs: an object a line")
    .addHelpText("after", PARSE_HELP)
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
    });

  program.command("version")
    .description("Shows the version, and that of Deno")
    .action(async () => {
      const { version } = await import("./version.ts");
      end(version());
    });

  return program;
}

/** Flags that the program itself takes; any other one in front belongs to `run`. */
const OWN_FLAGS = ["-h", "--help", "-V", "--version"];

/**
 * `args` with the command that they leave out. commander's own default command would take a mistyped
 * one for an argument, and its `help` does not know the nearest.
 */
function inFull(
  args: readonly string[],
  { commands }: { readonly commands: readonly { name(): string }[] },
): readonly string[] {
  const [first, second] = args;
  if (first === "help" && second !== undefined && second !== "help") {
    const isKnown = commands.some((one) => one.name() === second);
    return isKnown ? [second, "--help"] : [second];
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
