/**
 * `iiot-gateway replay`: a recording through the whole gateway, as if a board spoke.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { getLogger } from "@logtape/logtape";
import { secretsOf } from "../config/config.ts";
import { runGateway } from "../gateway/gateway.ts";
import { makeJournalFolder } from "../journal/folder.ts";
import { lockFolder } from "../journal/lock.ts";
import { configureLog } from "../log.ts";
import { childEnvironment } from "../source/program.ts";
import {
  readRecordingFile,
  RecordingSummary,
} from "../source/recording_reader.ts";
import { ReplayLauncher } from "../source/replay_launcher.ts";
import { loadConfigFile } from "./config.ts";
import { useLocalBroker } from "./local_broker.ts";
import { sayRecorded } from "./record.ts";
import { showValues } from "./run.ts";
import { selfCommand, selfEnvironment } from "./self.ts";
import { simulatedConfig } from "./simulation.ts";
import { stopSignal } from "./stop_signal.ts";
import { print } from "./terminal/terminal.ts";

/** How much faster than it was; `max`: as fast as the journal takes it. */
export type Speed = "1" | "10" | "max";

/** Options of the command. */
export interface ReplayOptions {
  /** Path of config.toml. */
  readonly config: string;
  readonly speed: Speed;
  readonly embeddedBroker: boolean;
  /** Replayed values may leave this machine. */
  readonly force: boolean;
}

/**
 * Plays the recording in `file` until its end, and waits until everything is delivered.
 *
 * @returns the exit code, 0
 * @throws {ConfigError} if the configuration is wrong
 * @throws {Error} if the recording cannot be read, or the gateway cannot start
 */
export async function replay(
  file: string,
  options: ReplayOptions,
): Promise<number> {
  const { speed, embeddedBroker } = options;
  const loaded = await loadConfigFile(options.config, { simulate: true });
  const { board, runs, about } = await survey(file);
  await using stack = new AsyncDisposableStack();
  const log = stack.use(
    await configureLog({ ...loaded.log, secrets: secretsOf(loaded) }),
  );
  const stop = stack.use(stopSignal());
  const { config, leftOut } = simulatedConfig(
    embeddedBroker ? await useLocalBroker(loaded, stack) : loaded,
    options.config,
    { ...options, as: "replayed" },
  );
  for (const sentence of leftOut) getLogger(["gateway"]).warn(sentence);
  print(about);
  print(
    "It is REPLAYED: own journal, own client id, points tagged replayed=true; values get the time of now.",
  );
  await emptyJournal(config.journal.folder);
  const get = (name: string) => Deno.env.get(name);
  const launcher = new ReplayLauncher(runs, (run) =>
    selfCommand(
      [
        ...["simulate", "--recording", resolve(file)],
        ...["--run", `${run}`, "--speed", speed],
      ],
      ["--allow-read"],
    ));
  const { boards } = config;
  const own = boards.filter(({ name }) => name === board);
  await runGateway({
    // One that comes from elsewhere is played as the first board here.
    config: { ...config, boards: [...own, ...boards].slice(0, 1) },
    launcherFor: () => launcher,
    isReplay: true,
    env: { ...childEnvironment(get), ...selfEnvironment(get) },
    signal: stop.signal,
    hideSecret: log.hide,
    ...(Deno.stdout.isTerminal() ? showValues(config, "REPLAYED") : {}),
  });
  return 0;
}

/** What the replay before has left goes: this one begins with nothing. */
async function emptyJournal(folder: string): Promise<void> {
  await makeJournalFolder(folder);
  using _held = await lockFolder(folder);
  for await (const { name } of Deno.readDir(folder)) {
    if (name.startsWith("journal.db")) await Deno.remove(join(folder, name));
  }
}

/** Looks through a recording: whose it is, how many runs of the board's program it holds, what to say. */
async function survey(
  file: string,
): Promise<{ board: string; runs: number; about: string }> {
  let name = "";
  const summary = new RecordingSummary();
  let runs = 0;
  let origin = "";
  for await (const entry of readRecordingFile(file)) {
    summary.add(entry);
    runs = entry.run + 1;
    if (entry.kind === "header" && origin === "") {
      const { board, time, clock, program } = entry;
      name = board;
      const which = board === "" ? "" : ` of the board ${board}`;
      const known = clock === "known" ? "" : " (the clock was not known)";
      origin =
        `Recorded${which} on ${time}${known} by iiot-gateway ${program}.`;
    }
  }
  if (runs === 0) {
    throw new Error(
      `The recording "${file}" is empty: the board's program neither ran nor printed anything`,
    );
  }
  return {
    board: name,
    runs,
    about: `${sayRecorded(file, summary)} ${origin}`,
  };
}
