/**
 * The boards that the configuration has: each with its program, its stamps, its place in the journal,
 * its recordings.
 *
 * @module
 */

import { join } from "node:path";
import type { Catalogue } from "../catalogue.ts";
import type { Clock } from "../clock/clock.ts";
import { secretsOf } from "../config/config.ts";
import type { BoardConfig, Config } from "../config/schema.ts";
import type { Journal } from "../journal/journal.ts";
import { hideSecrets } from "../log_line.ts";
import type { Row } from "../model.ts";
import type { BoardStates } from "../monitor/board_states.ts";
import { Backoff } from "../sink/backoff.ts";
import { HISTORY_LEVEL, MqttTopics } from "../sink/mqtt_topics.ts";
import { ChildTaps } from "../source/child_taps.ts";
import { EventClock } from "../source/event_clock.ts";
import type { Launcher } from "../source/launcher.ts";
import { Leftover } from "../source/leftover.ts";
import { RecordingFile } from "../source/recording_file.ts";
import { dropReason } from "../source/second_reading.ts";
import { Source } from "../source/source.ts";
import { UnknownFields } from "../source/unknown_fields.ts";
import type { SourcedPacket } from "../source/telemetry_stream.ts";

/** The programs that print the boards' lines, and who sees what they print. */
export interface BoardPrograms {
  /** What starts the program that prints a board's lines. */
  launcherFor(board: BoardConfig): Launcher;
  /** The environment of these programs. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * These programs play recordings: they wait for whoever reads them, so nothing of them is left out,
   * keep the pauses between their starts by themselves, and end. @default {false}
   */
  readonly isReplay?: boolean;
  /** Sees each packet as it is read. */
  onPacket?(packet: Pick<Row, "board" | "timeUs" | "readings">): void;
}

/** A node that has been silent for longer is not missed after a start, nor has a field its place: a week. */
const OF_LATE_US = 7 * 86_400e6;

/**
 * Characters of a recording's lines that may wait for the disk. As rows they take five times that at the
 * most: less than the 8 MiB beyond which packets are dropped.
 */
const MAX_AHEAD = 512 * 1024;

const NO_PAUSE = { next: () => 0, reset() {} };

/** The taps of all boards; what is recorded always is as long as `stack` lives. */
export function createTaps(
  { boards }: Config,
  clock: Clock,
  stack: AsyncDisposableStack,
): Record<string, ChildTaps> {
  const timeOfDay = () => ({
    us: clock.timeUs,
    isKnown: clock.knownBy !== null,
  });
  return Object.fromEntries(
    boards.map(({ name: board, record, record_max_megabytes }) => {
      const taps = new ChildTaps({ board, timeOfDay });
      if (record !== undefined) {
        const maxBytes = record_max_megabytes * 1e6;
        const file = stack.use(new RecordingFile(record, { maxBytes }));
        stack.use(taps.record(file));
      }
      return [board, taps];
    }),
  );
}

/** What becomes of the fields of a board's packets that no metric names; `knownPaths`: of those that came before. */
export function createUnknownFields(
  { boards }: Pick<Config, "boards">,
  { name, unknown_fields: mode }: Pick<BoardConfig, "name" | "unknown_fields">,
  catalogue: Catalogue,
  knownPaths: readonly string[] = [],
): UnknownFields {
  // The topics of the board without a name begin where the other boards' names, and the past, stand.
  const foreignLevels = name === ""
    ? [...boards.map((board) => board.name), HISTORY_LEVEL]
    : [];
  return new UnknownFields({ mode, catalogue, foreignLevels, knownPaths });
}

/** What a source needs from the rest of the gateway. */
interface SourceNeeds extends BoardPrograms {
  readonly config: Config;
  readonly tap: ChildTaps | undefined;
  readonly catalogue: Catalogue;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly states: BoardStates;
}

/** The source of one board, with its own stamps and its own place in the journal. */
export function createSource(
  config: BoardConfig,
  needs: SourceNeeds,
): Source {
  const { name: board, marker, max_line_bytes, channel_capacity } = config;
  const { launcherFor, env, isReplay, onPacket, catalogue, journal, clock } =
    needs;
  const { tap, states } = needs;
  const { stop_timeout_s } = needs.config.gateway;
  const secrets = secretsOf(needs.config);
  const eventClock = new EventClock({ now: () => clock.now() });
  const { silence_timeout_s } = config;
  /** What was given since the disk had all. */
  let ahead = 0;
  /** A recording can wait, so nothing of it is dropped. */
  const waitForDisk = async (packets: readonly SourcedPacket[]) => {
    for (const { line } of packets) ahead += line.length;
    if (ahead < MAX_AHEAD) return;
    ahead = 0;
    await journal.flush();
  };
  const knownPaths = isReplay ? [] : pathsOf(board, journal, clock.timeUs);
  const source: Source = new Source({
    launcher: launcherFor(config),
    env,
    tap,
    marker,
    hide: (text) => hideSecrets(text, secrets),
    topicOf: (path) => topicNameOf(needs.config, board, catalogue, path),
    unknownFields: createUnknownFields(
      needs.config,
      config,
      catalogue,
      knownPaths,
    ),
    maxLineBytes: max_line_bytes,
    catalogue,
    // What was recorded of a silence has its end there as well, and may be of another board than the journal.
    ...(isReplay ? { silenceTimeoutMs: 0 } : silence_timeout_s !== undefined &&
      { silenceTimeoutMs: silence_timeout_s * 1000 }),
    knownPaths,
    leftover: new Leftover(childPath(needs.config, board)),
    stopTimeoutMs: stop_timeout_s * 500,
    backoff: (bounds) => isReplay ? NO_PAUSE : new Backoff(Math.random, bounds),
    clock: eventClock,
    onStateChange: () => states.set(board, source.state),
    write: async (packets) => {
      for (const { packet: { readings }, at } of onPacket ? packets : []) {
        onPacket?.({ board, timeUs: journal.epochs.time(at).timeUs, readings });
      }
      await boardLog.append(packets, channel_capacity);
      if (isReplay) await waitForDisk(packets);
    },
    // Stamped like packets, so that each can become one with a time of its own.
    onReject: (line, reason) =>
      boardLog.reject(line, reason, eventClock.stampReject()),
    onDropped: (dropped, line) => {
      for (const one of dropped) {
        boardLog.reject(line, dropReason(one), eventClock.stampReject());
      }
    },
  });
  const { counts } = eventClock.board;
  const boardLog = journal.board(board, source.counters, counts);
  return source;
}

/** Where values of `path` go, as a broker has it. */
function topicNameOf(
  { mqtt }: Pick<Config, "mqtt">,
  board: string,
  catalogue: Catalogue,
  path: string,
): string {
  const topics = new MqttTopics(mqtt?.topic_prefix ?? "", false, catalogue);
  return topics.of(board, path)?.name.replace(/^\//, "") ?? path;
}

/**
 * Where the readings stood that came of a board of late, in the week before `nowUs`: a node that was taken
 * away is not missed for ever, and a field that is gone keeps no place. Without it, those of ever.
 */
export function pathsOf(
  board: string,
  journal: Journal,
  nowUs = -Infinity,
): string[] {
  return [...journal.latest()]
    .filter((one) => one.board === board && nowUs - one.timeUs < OF_LATE_US)
    .map(({ path }) => path);
}

/** The file that names a board's program while it runs. */
function childPath({ journal }: Config, board: string): string {
  return join(journal.folder, `child${board && "-"}${board}.json`);
}
