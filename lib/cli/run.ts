/**
 * `iiot-gateway run`
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { catalogueOf } from "../catalogue.ts";
import { readBoot } from "../clock/boot.ts";
import { probesBeside } from "../config/board_schema.ts";
import { secretsOf } from "../config/config.ts";
import type { BoardConfig, Config } from "../config/schema.ts";
import { runGateway } from "../gateway/gateway.ts";
import { JournalStart } from "../gateway/journal_start.ts";
import { configureLog } from "../log.ts";
import { hideSecrets } from "../log_line.ts";
import { FlashMemory } from "../source/flash_memory.ts";
import { CommandLauncher } from "../source/command_launcher.ts";
import { ProbeRsLauncher } from "../source/probe_rs_launcher.ts";
import { childEnvironment } from "../source/program.ts";
import { loadConfigFile } from "./config.ts";
import { LiveValues } from "./live_values.ts";
import { simulatedConfig } from "./simulation.ts";
import { stopSignal } from "./stop_signal.ts";
import { print, wantsColor, writeToStdout } from "./terminal/terminal.ts";

/** Options of the command. */
export interface RunOptions {
  /** Path of config.toml. */
  readonly config: string;
  readonly simulate: boolean;
  readonly embeddedBroker: boolean;
  /** A file that says what happens to the simulated boards. @default {they work} */
  readonly scenario?: string | undefined;
  /** Simulated values may leave this machine. */
  readonly force: boolean;
}

/**
 * Runs the gateway until it is told to stop.
 *
 * @returns the exit code, 0
 * @throws {ConfigError} if the configuration is wrong
 * @throws {Error} if the gateway cannot start
 */
export async function run(options: RunOptions): Promise<number> {
  const loaded = await loadConfigFile(options.config, options);
  await using stack = new AsyncDisposableStack();
  const log = stack.use(
    await configureLog({ ...loaded.log, secrets: secretsOf(loaded) }),
  );
  const stop = stack.use(stopSignal());

  let config = loaded;
  if (options.embeddedBroker) {
    const { useLocalBroker } = await import("./local_broker.ts");
    config = await useLocalBroker(loaded, stack);
  }
  let env: Readonly<Record<string, string>> = environment();
  if (options.simulate) {
    const simulated = simulatedConfig(config, options.config, {
      ...options,
      as: "simulated",
    });
    for (const sentence of simulated.leftOut) {
      getLogger(["gateway"]).warn(sentence);
    }
    const { setUpBench } = await import("./simulated_bench.ts");
    ({ config, env } = await setUpBench(simulated.config, {
      configPath: options.config,
      env,
      scenario: options.scenario,
    }));
    print(welcome(config, options));
  }
  const [boot, journal] = await Promise.all([
    readBoot(),
    JournalStart.begin(config),
  ]);
  stack.use(journal);
  await runGateway({
    config,
    journal,
    boot,
    ...await boardPrograms(config, stack, env),
    signal: stop.signal,
    hideSecret: log.hide,
    ...(options.simulate ? { hints: DATABASE_HINT } : {}),
    ...(options.simulate || Deno.stdout.isTerminal()
      ? showValues(config, options.simulate ? "SIMULATED" : "")
      : {}),
  });
  return 0;
}

const DATABASE_HINT = {
  influxdb: '"docker compose up -d influxdb" starts one',
};

/** What the programs that print the boards' lines may know. */
function environment(): Record<string, string> {
  return childEnvironment((name) => Deno.env.get(name));
}

/** How the programs that print the boards' lines are started, and what they may know; as long as `stack` lives. */
export async function boardPrograms(
  config: Config,
  stack: AsyncDisposableStack,
  env: Readonly<Record<string, string>> = environment(),
) {
  const { boards, journal } = config;
  const secrets = secretsOf(config);
  const memory = stack.use(await FlashMemory.open(journal.folder));
  const launcherFor = (board: BoardConfig) => {
    const { name, command, probe_id, chip = "", firmware_path = "" } = board;
    if (command !== undefined) {
      return new CommandLauncher(command, env.PATH ?? "", {
        ...board,
        hide: (text) => hideSecrets(text, secrets),
      });
    }
    return new ProbeRsLauncher({
      target: { probe_id, chip, firmware_path },
      env,
      mode: board.flash,
      reflashOnChange: board.reflash_on_change,
      flash: memory.board(name),
      otherProbes: probesBeside(board, boards),
    });
  };
  return { launcherFor, env };
}

/** Shows packets on stdout, each line marked with `mark`. */
export function showValues(config: Config, mark: string) {
  const encoder = new TextEncoder();
  const live = new LiveValues(catalogueOf(config), {
    mark,
    write: (line) => writeToStdout(encoder.encode(`${line}\n`)),
    columns: () =>
      // A terminal that does not know its width says 0.
      Deno.stdout.isTerminal() && Deno.consoleSize().columns || Infinity,
    color: wantsColor(Deno.stdout),
    now: () => performance.now(),
  });
  return { onPacket: live.show.bind(live) };
}

/** What to do with a simulated board. */
function welcome(
  { mqtt, influxdb, boards }: Config,
  { config: configPath, force, embeddedBroker }: RunOptions,
): string {
  const who = boards.length === 1
    ? "A SIMULATED board speaks"
    : `${boards.length} SIMULATED boards speak`;
  const [check, start] = Deno.build.standalone
    ? ["iiot-gateway check", "iiot-gateway"]
    : ["deno task check", "deno task start"];
  const lines = [
    `${who}: own journal, own client id, points tagged simulated=true;`,
    `the topics are the real ones${
      force ? "" : ", on this machine's broker only"
    }.`,
    "",
  ];
  if (mqtt !== undefined) {
    const { hostname, port } = new URL(mqtt.broker_url[0] ?? "");
    const where = `-h ${hostname} -p ${
      port || 1883
    } -t '${mqtt.topic_prefix}/#' -v`;
    const broker = embeddedBroker ? " --embedded-broker" : "";
    lines.push(
      "See its values arrive, in another terminal:",
      `  ${start} watch --config ${configPath}${broker}`,
      `  mosquitto_sub ${where}`,
    );
  }
  if (influxdb !== undefined) {
    lines.push(
      `InfluxDB at ${influxdb.url} gets every point; while none answers, the journal keeps them.`,
    );
  }
  lines.push(
    "Try next:",
    "  stop the broker or the database for a while: nothing is missing afterwards",
    `  connect your board: set probe_id, chip and firmware_path in ${configPath}, then`,
    `  ${check} --config ${configPath} and ${start} --config ${configPath}`,
    "Ctrl-C ends it.",
    "",
  );
  return lines.join("\n");
}
