/**
 * `iiot-gateway record`: all that the board's program prints, as a file.
 *
 * A gateway that runs hands it out, for as long as this command holds its connection; where none runs,
 * this command starts the board's program itself.
 *
 * @module
 */

import { secretsOf } from "../config/config.ts";
import type { BoardConfig, Config } from "../config/schema.ts";
import { askSystem } from "../clock/synchronization.ts";
import { Unreachable } from "../control/client.ts";
import { counted } from "../counted.ts";
import { formatDuration } from "../duration.ts";
import { configureLog } from "../log.ts";
import { Backoff } from "../sink/backoff.ts";
import { ChildTaps } from "../source/child_taps.ts";
import type { RecordingTarget } from "../source/recorder.ts";
import { parseEntry } from "../source/recording.ts";
import { RecordingFile } from "../source/recording_file.ts";
import { RecordingSummary } from "../source/recording_reader.ts";
import { Supervisor } from "../source/supervisor.ts";
import { chooseBoard } from "./board_choice.ts";
import { askRunning } from "./by_hand.ts";
import { loadConfigFile, WITHOUT_LOGIN } from "./config.ts";
import { boardPrograms } from "./run.ts";
import { stopSignal } from "./stop_signal.ts";
import { complain } from "./terminal/terminal.ts";
import { UsageError } from "./usage_error.ts";

/** Options of the command. */
export interface RecordOptions {
  /** Path of config.toml. */
  readonly config: string;
  /** The file to make. */
  readonly output: string;
  /** The board's name. @default {the only one} */
  readonly board?: string | undefined;
  /** @default {until it is told to stop} */
  readonly minutes?: number | undefined;
}

/** From one look of the terminal to the next, in milliseconds. */
const SHOW_MS = 1000;

/**
 * Records until it is told to stop, or the time is over.
 *
 * @returns the exit code: 0, or 1 if the gateway ended before
 * @throws {ConfigError} if the configuration is wrong
 * @throws {UsageError} if the file is there already
 */
export async function record(options: RecordOptions): Promise<number> {
  const { output, minutes } = options;
  const config = await loadConfigFile(options.config, WITHOUT_LOGIN);
  const board = chooseBoard(config, options.board);
  using stop = stopSignal();
  const signal = minutes === undefined
    ? stop.signal
    : AbortSignal.any([stop.signal, AbortSignal.timeout(minutes * 60_000)]);
  const summary = new RecordingSummary();
  using file = await makeFile(output, board);
  const target: RecordingTarget = {
    name: output,
    async write(entries) {
      await file.write(entries);
      for (const entry of entries) summary.add(entry);
    },
  };
  let exitCode = 0;
  try {
    using _shown = show(summary);
    const isHere = await recordRunning(config, board, target, signal);
    if (!isHere) await recordOnOurOwn(config, board, target, signal);
  } catch (error) {
    if (!summary.isBegun) await Deno.remove(output).catch(() => {});
    if (!(error instanceof Unreachable)) throw error;
    complain("The gateway has ended, and the recording with it");
    exitCode = 1;
  }
  complain(sayRecorded(output, summary));
  return exitCode;
}

async function makeFile(
  path: string,
  { record_max_megabytes }: BoardConfig,
): Promise<RecordingFile> {
  const maxBytes = record_max_megabytes * 1e6;
  const file = new RecordingFile(path, { maxBytes, isNew: true });
  try {
    await file.open();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new UsageError(error.message);
  }
  return file;
}

/** Records what the gateway hands out. @returns whether one runs @throws {Unreachable} when it ends */
async function recordRunning(
  { journal: { folder } }: Config,
  { name }: BoardConfig,
  target: RecordingTarget,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const answer = await askRunning(folder, { do: "record", board: name }, {
      signal,
      onPart: async (line) => {
        const entry = parseEntry(line);
        if (entry !== null) await target.write([entry]);
      },
    });
    return answer !== null;
  } catch (error) {
    // Hanging up is how it is told to stop.
    if (signal.aborted && error instanceof Unreachable) return true;
    throw error;
  }
}

async function recordOnOurOwn(
  config: Config,
  board: BoardConfig,
  target: RecordingTarget,
  signal: AbortSignal,
): Promise<void> {
  await using _log = await configureLog({
    ...config.log,
    secrets: secretsOf(config),
  });
  const isKnown = config.clock.trust || await askSystem({ signal }) !== null;
  const taps = new ChildTaps({
    board: board.name,
    timeOfDay: () => ({ us: Date.now() * 1000, isKnown }),
  });
  await using _recording = taps.record(target);
  await using stack = new AsyncDisposableStack();
  const { launcherFor, env } = await boardPrograms(config, stack);
  await new Supervisor({
    launcher: launcherFor(board),
    env,
    tap: taps,
    backoff: (bounds) => new Backoff(Math.random, bounds),
    stopTimeoutMs: config.gateway.stop_timeout_s * 1000,
    onStdout: (stdout) => stdout.pipeTo(new WritableStream()),
  }).run(signal);
}

/** Shows at a terminal how much there is. */
function show(summary: RecordingSummary): Disposable {
  if (!Deno.stderr.isTerminal()) return { [Symbol.dispose]() {} };
  const write = (text: string) =>
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  const startedMs = performance.now();
  const timer = setInterval(() => {
    const time = formatDuration(performance.now() - startedMs);
    // What is logged meanwhile is written over it, and longer.
    write(`${formatBytes(summary.bytes)} in ${time}, Ctrl-C ends it\x1b[K\r`);
  }, SHOW_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      write("\x1b[K");
    },
  };
}

/** What was recorded, in a sentence. */
export function sayRecorded(file: string, summary: RecordingSummary): string {
  if (!summary.isBegun) return "Nothing was recorded.";
  const { bytes, missingBytes, exitCode, starts } = summary;
  const parts = [
    bytes === 0
      ? `${file} holds nothing that the board's program printed`
      : `${file} holds ${formatBytes(bytes)} of ${formatDuration(summary.ms)}`,
    starts > 0 && `the program was started ${counted(starts, "time")}`,
    exitCode !== undefined && `it ended last with exit code ${exitCode}`,
    missingBytes > 0 && `${formatBytes(missingBytes)} are missing`,
  ].filter((part) => part !== false);
  return `${parts.join(", ")}.`;
}

/** `850 bytes`, `12.3 kB`, `4.5 MB` */
function formatBytes(bytes: number): string {
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(1)} kB` : `${bytes} bytes`;
}
