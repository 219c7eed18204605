/**
 * The wiring, and nothing else.
 *
 *     board → child → lines → packets → JOURNAL ─cursor→ forwarder → MqttSink     → broker
 *                                               ─cursor→ forwarder → InfluxdbSink → InfluxDB
 *
 *     commands ⇄ control ⇄ operations on the journal
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { type Catalogue, createCatalogue } from "./catalogue.ts";
import { type Boot, readBoot } from "./clock/boot.ts";
import { Clock } from "./clock/clock.ts";
import { askSystem } from "./clock/synchronization.ts";
import { rereadSecret, TOKEN_CHARACTERS } from "./config/config.ts";
import type { BoardConfig, Config } from "./config/schema.ts";
import { isLoopback } from "./config/url.ts";
import { keepListening } from "./control/listening.ts";
import { Operations } from "./control/operations.ts";
import { counted } from "./counted.ts";
import { Forwarder } from "./forwarder/forwarder.ts";
import { journalPath } from "./journal/folder.ts";
import { delivered } from "./journal/delivery.ts";
import { HeldFolder } from "./journal/held_folder.ts";
import { Journal } from "./journal/journal.ts";
import { SpareDisk } from "./journal/spare_disk.ts";
import { WorkerDisk } from "./journal/worker_disk.ts";
import type { AsyncDisk } from "./journal/disk.ts";
import type { Row } from "./model.ts";
import { BoardStates } from "./monitor/board_states.ts";
import { Backoff } from "./sink/backoff.ts";
import { InfluxdbSink, type InfluxdbSinkOptions } from "./sink/influxdb.ts";
import { MqttSink, type MqttSinkOptions } from "./sink/mqtt.ts";
import { Secret } from "./sink/secret.ts";
import type { Sink } from "./sink/sink.ts";
import { EventClock } from "./source/event_clock.ts";
import { dropReason, readAgain } from "./source/second_reading.ts";
import { ChildTaps } from "./source/child_taps.ts";
import type { Launcher } from "./source/launcher.ts";
import { Leftover } from "./source/leftover.ts";
import { RecordingFile } from "./source/recording_file.ts";
import { Source } from "./source/source.ts";
import type { SourcedPacket } from "./source/telemetry_stream.ts";
import { Sources } from "./source/sources.ts";

/** Options for {@linkcode runGateway}. */
export interface GatewayOptions {
  readonly config: Config;
  /** What starts the program that prints a board's lines. */
  launcherFor(board: BoardConfig): Launcher;
  /** The environment of these programs. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * These programs play recordings: they wait for whoever reads them, so nothing of them is left out,
   * keep the pauses between their starts by themselves, and end. @default {false}
   */
  readonly isReplay?: boolean;
  /** Aborted to stop in order. */
  readonly signal: AbortSignal;
  /** What could help while a server does not answer, by the sink's name. */
  readonly hints?: Readonly<Record<string, string>>;
  /** Is told a secret that was changed in its file, before it is used. */
  hideSecret?(secret: string): void;
  /** Sees each packet as it is read. */
  onPacket?(packet: Pick<Row, "board" | "timeUs" | "readings">): void;
}

/**
 * Runs the gateway until `signal` is aborted, or a recording is played and delivered; comes back when
 * all is stopped and closed.
 *
 * @throws {Error} if the journal cannot be opened
 */
export async function runGateway(options: GatewayOptions): Promise<void> {
  let end = await runOnce(options);
  while (end !== "end") end = await runOnce(options, end.released);
}

/** It has to begin anew; these probes stay released. */
type Again = Pick<Sources, "released">;

/** Runs until the end, or until it has to begin anew to join two journals. */
async function runOnce(
  options: GatewayOptions,
  released: Sources["released"] = new Map(),
): Promise<"end" | Again> {
  const { config, signal } = options;
  const log = getLogger(["gateway"]);
  const catalogue = createCatalogue(config.metrics);
  await using stack = new AsyncDisposableStack();

  const folder = stack.use(new HeldFolder(config.journal.folder));
  const boot = await readBoot();
  const clock = new Clock({
    trust: config.clock.trust,
    holdS: config.clock.hold_s,
    monotonicUs: boot.monotonicUs,
    ask: async (question) => {
      const by = await askSystem(question);
      // While points wait for the clock no other request would bring an answer.
      if (by === null) {
        await Promise.all(
          sinks.map(({ sink }) => sink.askTime?.(question.signal)),
        );
      }
      return by;
    },
  });
  const states = new BoardStates({
    now: () => clock.knownBy === null ? undefined : clock.timeUs,
  });
  const sinks = createSinks(config, {
    catalogue,
    states,
    isNewest: (row, path) => journal.isNewest(row, path),
    // The topics of a board that is taken away are not made anew at a broker that has lost them.
    latest: () =>
      Iterator.from(journal.latest()).filter(({ board }) =>
        config.boards.some(({ name }) => name === board)
      ),
    now: () => clock.timeUs,
    ageUs: (row) => journal.ageUs(row),
    serverTime: ({ url, ...heard }) =>
      clock.hear("influxdb", {
        ...heard,
        isHere: isLoopback(new URL(url).hostname),
      }),
    hideSecret: (secret) => options.hideSecret?.(secret),
  });
  const worker = new WorkerDisk();
  const disk = new SpareDisk({
    disk: worker,
    prepare: () => folder.take(),
    now: () => clock.timeUs,
  });
  const journal: Journal = await openJournal(config, sinks, disk, {
    boot,
    now: () => clock.timeUs,
  });
  stack.use(journal);
  stack.use(clock).start(journal.epochs);

  const forwarders = sinks.map(({ sink }) =>
    new Forwarder({
      sink,
      cursor: journal.cursor(sink.name),
      backoff: new Backoff(Math.random),
      onCommit: (listener) => journal.onCommit(listener),
      ...hintFor(sink, options.hints),
    })
  );
  const forwarding = Promise.all(forwarders.map((one) => one.run()));
  stack.defer(async () => {
    for (const one of forwarders) one.stop(AbortSignal.abort());
    await forwarding;
  });
  const taps = createTaps(config, clock, stack);
  const byBoard = new Map(
    config.boards.map((board) => [
      board.name,
      createSource(board, {
        ...{ ...options, catalogue, journal, clock, states },
        tap: taps[board.name],
      }),
    ]),
  );
  const sources = stack.use(new Sources(byBoard));
  sources.release(released);
  stack.use(
    await keepListening(
      config.journal.folder,
      createOperations(config, journal, { forwarders, sources, taps }),
    ),
  );

  const broken = Promise.withResolvers<never>();
  forwarding.catch(broken.reject);
  worker.died.then(broken.reject);

  log.info("Starting telemetry processor");
  const sayStopping = () => log.info("Stopping");
  signal.addEventListener("abort", sayStopping);
  stack.defer(() => signal.removeEventListener("abort", sayStopping));
  const reason = await Promise.race([
    sources.run(signal).then(() => "end" as const),
    broken.promise,
    disk.foreign.then((): Again => ({ released: sources.released })),
  ]);
  if (reason === "end" && options.isReplay && !signal.aborted) {
    for (const { counters } of byBoard.values()) {
      const { packets, rejects, other } = counters;
      log.info(
        "The recording is played: {packets} packets, {rejects} rejects, {other} other lines",
        { packets, rejects, other },
      );
    }
    await delivered(journal, { signal });
  }

  // Half of the time was the children's, the other half is the disk's and the sinks'.
  const deadline = AbortSignal.timeout(config.gateway.stop_timeout_s * 500);
  if (signal.aborted) disk.hurry(deadline);
  await sources.stop();
  await Promise.race([journal.flush(), aborted(deadline)]);
  for (const one of forwarders) one.stop(deadline);
  await forwarding;
  log.info("Stopped: {waiting}", {
    waiting: sayWaiting(journal, options),
  });
  return signal.aborted ? "end" : reason;
}

/** The taps of all boards; what is recorded always is as long as `stack` lives. */
function createTaps(
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

/** Opens the journal, or makes it; the folder's lock is the caller's. */
export async function openJournal(
  { journal }: Pick<Config, "journal">,
  sinks: ReturnType<typeof createSinks>,
  disk: AsyncDisk,
  { boot, now }: { readonly boot: Boot; now(): number },
): Promise<Journal> {
  return await Journal.open({
    disk,
    path: journalPath(journal.folder),
    maxBytes: journal.max_megabytes * 1e6,
    historyS: journal.history_s,
    reserve: journal.reserve,
    sinks: sinks.map(({ sink: { name, target, needsTime }, startAt }) => ({
      name,
      target,
      startAt,
      needsTime: needsTime ?? false,
    })),
    bootId: boot.id,
    monotonicUs: boot.monotonicUs,
    now,
  });
}

/** What a gateway that runs can tell and be told beside its journal. */
interface Running {
  readonly forwarders: readonly Forwarder[];
  readonly sources?: Sources;
  /** By the board's name. */
  readonly taps: Readonly<Record<string, ChildTaps>>;
}

/** What commands can have done; by a command itself nothing is `running`. */
export function createOperations(
  config: Config,
  journal: Journal,
  { forwarders, sources, taps }: Running = { forwarders: [], taps: {} },
): Operations {
  const catalogue = createCatalogue(config.metrics);
  return new Operations({
    journal,
    links: () =>
      Object.fromEntries(forwarders.map((one) => [one.name, one.link])),
    boards: sources?.boards ?? {},
    readAgain: ({ board, body, reason }) =>
      readAgain(body, reason, { marker: markerOf(config, board), catalogue }),
    reading: readingOf(config),
    taps,
    onResent: () => {
      for (const one of forwarders) one.tryParkedNow();
    },
  });
}

/** Stands for the configuration by which lines are read. */
export function readingOf({ boards, metrics }: Config): string {
  const markers = boards.map(({ name, marker }) => [name, marker]).toSorted();
  return createHash("sha256")
    .update(JSON.stringify([markers, metrics]))
    .digest("hex");
}

/** What stands before the JSON of a board; of one that is not there any more, that of the first. */
function markerOf({ boards }: Config, board: string): string {
  const own = boards.find(({ name }) => name === board) ?? boards[0];
  return own?.marker ?? "";
}

/** What the sinks need from the rest of the gateway. */
export interface SinkNeeds
  extends
    Omit<MqttSinkOptions, "password">,
    Omit<InfluxdbSinkOptions, "token"> {
  /** Is told a secret that was changed in its file, before it is used. @default {nobody needs to know} */
  hideSecret?(secret: string): void;
}

/** The sinks that the configuration has, and where a new one's cursor begins. */
export function createSinks(
  { mqtt, influxdb }: Pick<Config, "mqtt" | "influxdb">,
  { hideSecret: hide = () => {}, ...options }: SinkNeeds,
): { sink: Sink; startAt: "now" | "oldest" }[] {
  const log = (name: string) => getLogger(["gateway", name]);
  const sinks: { sink: Sink; startAt: "now" | "oldest" }[] = [];
  if (mqtt !== undefined) {
    log("mqtt").info("Creating MQTT client");
    const { password: value, password_file: file } = mqtt;
    const password = value === undefined
      ? {}
      : { password: new Secret({ value, file, read: rereadSecret, hide }) };
    const sink = new MqttSink(mqtt, { ...options, ...password });
    sinks.push({ sink, startAt: mqtt.start_at });
  }
  if (influxdb !== undefined) {
    log("influxdb").info("Creating InfluxDB client");
    const { token: value, token_file: file } = influxdb;
    const read = (file: string) => rereadSecret(file, TOKEN_CHARACTERS);
    const token = new Secret({ value, file, read, hide });
    const sink = new InfluxdbSink(influxdb, { ...options, token });
    sinks.push({ sink, startAt: influxdb.start_at });
  }
  return sinks;
}

/** What a source needs from the rest of the gateway. */
interface SourceNeeds extends
  Pick<
    GatewayOptions,
    "config" | "launcherFor" | "env" | "isReplay" | "onPacket"
  > {
  readonly tap: ChildTaps | undefined;
  readonly catalogue: Catalogue;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly states: BoardStates;
}

/** The source of one board, with its own stamps and its own place in the journal. */
function createSource(
  config: BoardConfig,
  needs: SourceNeeds,
): Source {
  const { name: board, marker, max_line_bytes, channel_capacity } = config;
  const { launcherFor, env, isReplay, onPacket, catalogue, journal, clock } =
    needs;
  const { tap, states } = needs;
  const { stop_timeout_s } = needs.config.gateway;
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
  const source: Source = new Source({
    launcher: launcherFor(config),
    env,
    tap,
    marker,
    maxLineBytes: max_line_bytes,
    catalogue,
    // What was recorded of a silence has its end there as well.
    ...(isReplay ? { silenceTimeoutMs: 0 } : silence_timeout_s !== undefined &&
      { silenceTimeoutMs: silence_timeout_s * 1000 }),
    knownPaths: pathsOf(board, journal, clock),
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

/** Where the readings stood that came of a board of late: a node that was taken away is not missed for ever. */
function pathsOf(board: string, journal: Journal, clock: Clock): string[] {
  return [...journal.latest()]
    .filter((one) =>
      one.board === board && clock.timeUs - one.timeUs < OF_LATE_US
    )
    .map(({ path }) => path);
}

/** A week. */
const OF_LATE_US = 7 * 86_400e6;

/** The file that names a board's program while it runs. */
function childPath({ journal }: Config, board: string): string {
  return join(journal.folder, `child${board && "-"}${board}.json`);
}

/**
 * Characters of a recording's lines that may wait for the disk. As rows they take five times that at the
 * most: less than the 8 MiB beyond which packets are dropped.
 */
const MAX_AHEAD = 512 * 1024;

const NO_PAUSE = { next: () => 0, reset() {} };

/** Comes when `signal` is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}

function hintFor(
  { name }: Sink,
  hints: Readonly<Record<string, string>> = {},
): { hint?: string } {
  const hint = hints[name];
  return hint === undefined ? {} : { hint };
}

function sayWaiting(
  journal: Journal,
  { isReplay }: Pick<GatewayOptions, "isReplay">,
): string {
  const waiting = journal.standings().filter((sink) => sink.waiting > 0);
  if (waiting.length === 0) return "everything is delivered";
  const parts = waiting.map(({ name, waiting }) =>
    `${counted(waiting, "reading waits", "readings wait")} for ${name}`
  );
  const then = isReplay
    ? "replay the recording again once that is mended"
    : "they go out at the next start";
  return `${parts.join(", ")}; ${then}`;
}
