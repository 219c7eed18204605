/**
 * What stands below each command's options in its `--help`: what it does beyond its one line, and examples.
 *
 * @module
 */

import { TIMES } from "./moment.ts";

export const TOP_HELP = `
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

export const INIT_HELP = `
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

export const RUN_HELP = `
SIGINT (Ctrl-C), SIGTERM and SIGHUP end it in order; a second one ends it at once, with exit code 1:
what is in the journal goes out at the next start.

Examples:
  iiot-gateway run --config /etc/iiot-gateway/config.toml
  iiot-gateway run --simulate --embedded-broker
  iiot-gateway run --simulate --embedded-broker --scenario bench.toml

A scenario is a TOML file, see "iiot-gateway simulate --help". Its clock begins with the gateway.`;

export const SIMULATE_HELP = `
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

export const CHECK_HELP = `
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

export const STATUS_HELP = `
Asks the gateway that runs; where none does, the journal tells.

Examples:
  iiot-gateway status
  iiot-gateway status --json | jq .`;

export const REWIND_HELP = `
For a server that lost its data: what happened from that time on goes out again, as far as the journal
still has it. InfluxDB has each point once all the same; MQTT subscribers get the values again, and
the retained ones stay the newest. A gateway that runs goes on meanwhile.
${TIMES}

Examples:
  iiot-gateway rewind --sink influxdb --to 2026-11-23T10:00:00Z --dry-run
  iiot-gateway rewind --sink influxdb --to oldest --yes`;

export const RELEASE_HELP = `
The gateway ends its program in order, and the command comes back when the probe is free. It need not
stay: the gateway takes the probe back when the time is over. Given again, the time runs from then on.
What the board says meanwhile is not read; a gateway that is started anew takes the probe at once.

Examples:
  iiot-gateway release --minutes 15   and then: probe-rs gdb …, an IDE
  iiot-gateway release --end          take it back before its time`;

export const EXPORT_HELP = `
Writes a line for each reading: csv and jsonl with time, board, topic, measurement, node, unit, value,
path and packet; lp as InfluxDB takes it at /api/v2/write?precision=us. A gateway may run meanwhile.
${TIMES}

Examples:
  iiot-gateway export --from 1d --format csv --output day.csv
  iiot-gateway export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --format jsonl | gzip > november.gz
  iiot-gateway export --format lp | influx write --bucket telemetry --precision us`;

export const RECORD_HELP = `
Writes all that the board's program prints, on stdout and stderr, byte for byte and with times, and when
it starts and ends. A gateway that runs goes on meanwhile; where none runs, the board's program is
started for it, and nothing of it goes to a server. Ctrl-C ends it.

FILE holds what the board printed, whole: look through it before you mail it. It never overwrites a file.
Once FILE has half of gateway.record_max_megabytes it becomes FILE.1, and the recording goes on in
FILE; "cat FILE.1 FILE" is one recording again. A key in config.toml, gateway.record, records always.

Examples:
  iiot-gateway record --output fault.recording
  iiot-gateway record --output fault.recording --minutes 30`;

export const REPLAY_HELP = `
Plays what "iiot-gateway record" wrote through the whole gateway, as if a board spoke: pauses, errors and
exit codes too. It ends by itself when everything is delivered, or nothing was delivered for 30 s.
Values get the time of now. They go into a journal of their own, .dev/replay beside the
configuration, which begins empty each time, under a client id of its own, with the tag replayed=true,
and to servers on this machine only, unless --force is given.

At --speed max the file waits for the journal: nothing is dropped.

Examples:
  iiot-gateway replay fault.recording --embedded-broker
  iiot-gateway replay fault.recording --speed max`;

export const PARSE_HELP = `
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

export const WATCH_HELP = `
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
