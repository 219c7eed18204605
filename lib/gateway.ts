/**
 * The wiring, and nothing else.
 *
 *     board → child → lines → packets → JOURNAL ─cursor→ forwarder → MqttSink     → broker
 *                                               ─cursor→ forwarder → InfluxdbSink → InfluxDB
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Catalogue, createCatalogue } from "./catalogue.ts";
import type { Config } from "./config/schema.ts";
import { Forwarder } from "./forwarder/forwarder.ts";
import { journalPath, makeJournalFolder } from "./journal/folder.ts";
import { Journal } from "./journal/journal.ts";
import { lockFolder } from "./journal/lock.ts";
import { WorkerDisk } from "./journal/worker_disk.ts";
import type { Row } from "./model.ts";
import { Backoff } from "./sink/backoff.ts";
import { InfluxdbSink } from "./sink/influxdb.ts";
import { MqttSink, type MqttSinkOptions } from "./sink/mqtt.ts";
import type { Sink } from "./sink/sink.ts";
import { EventClock } from "./source/event_clock.ts";
import { Source } from "./source/source.ts";

/** Options for {@linkcode runGateway}. */
export interface GatewayOptions {
  readonly config: Config;
  /** The program that prints the board's lines, and its arguments. */
  readonly command: readonly string[];
  /** The environment of that program. */
  readonly env: Readonly<Record<string, string>>;
  /** Aborted to stop in order. */
  readonly signal: AbortSignal;
  /** What could help while a server does not answer, by the sink's name. */
  readonly hints?: Readonly<Record<string, string>>;
  /** Sees each packet as it is read. */
  onPacket?(packet: Pick<Row, "board" | "timeUs" | "readings">): void;
}

/**
 * Runs the gateway until `signal` is aborted; comes back when all is stopped and closed.
 *
 * @throws {Error} if the journal cannot be opened
 */
export async function runGateway(options: GatewayOptions): Promise<void> {
  const { config, signal } = options;
  const log = getLogger(["gateway"]);
  const catalogue = createCatalogue(config.metrics);
  await using stack = new AsyncDisposableStack();

  await makeJournalFolder(config.journal.folder);
  stack.use(await lockFolder(config.journal.folder));
  const sinks = createSinks(config, {
    catalogue,
    isNewest: (row, path) => journal.isNewest(row, path),
    latest: () => journal.latest(),
    now: nowUs,
  });
  const disk = new WorkerDisk();
  const journal: Journal = await Journal.open({
    disk,
    path: journalPath(config.journal.folder),
    maxBytes: config.journal.max_megabytes * 1e6,
    historyS: config.journal.history_s,
    sinks: sinks.map(({ sink: { name, target }, startAt }) => ({
      name,
      target,
      startAt,
    })),
    bootId: await readBootId(),
    now: nowUs,
  });
  stack.use(journal);

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
  const source = stack.use(createSource(options, catalogue, journal));

  const broken = Promise.withResolvers<never>();
  forwarding.catch(broken.reject);
  disk.died.then(broken.reject);

  log.info("Starting telemetry processor");
  signal.addEventListener("abort", () => log.info("Stopping"));
  await Promise.race([source.run(signal), broken.promise]);

  // Half of the time was the child's, the other half is the disk's and the sinks'.
  const deadline = AbortSignal.timeout(config.gateway.stop_timeout_s * 500);
  await source.stop();
  await Promise.race([journal.flush(), aborted(deadline)]);
  for (const one of forwarders) one.stop(deadline);
  await forwarding;
  log.info("Stopped: {waiting}", { waiting: sayWaiting(journal) });
}

/** The sinks that the configuration has, and where a new one's cursor begins. */
export function createSinks(
  { mqtt, influxdb }: Pick<Config, "mqtt" | "influxdb">,
  options: MqttSinkOptions,
): { sink: Sink; startAt: "now" | "oldest" }[] {
  const log = (name: string) => getLogger(["gateway", name]);
  const sinks: { sink: Sink; startAt: "now" | "oldest" }[] = [];
  if (mqtt !== undefined) {
    log("mqtt").info("Creating MQTT client");
    sinks.push({ sink: new MqttSink(mqtt, options), startAt: mqtt.start_at });
  }
  if (influxdb !== undefined) {
    log("influxdb").info("Creating InfluxDB client");
    sinks.push({
      sink: new InfluxdbSink(influxdb, options),
      startAt: influxdb.start_at,
    });
  }
  return sinks;
}

function createSource(
  { config, command, env, onPacket }: GatewayOptions,
  catalogue: Catalogue,
  journal: Journal,
): Source {
  const board = "";
  const { marker, max_line_bytes, channel_capacity, stop_timeout_s } =
    config.gateway;
  const source: Source = new Source({
    command,
    env,
    marker,
    maxLineBytes: max_line_bytes,
    catalogue,
    stopTimeoutMs: stop_timeout_s * 500,
    backoff: new Backoff(Math.random),
    clock: new EventClock({
      monotonic: () => performance.now(),
      wall: Date.now,
      nextEpoch: (epoch) => journal.openEpoch(epoch),
    }),
    write: (packets) => {
      for (const { packet: { readings }, at } of onPacket ? packets : []) {
        onPacket?.({ board, timeUs: journal.timeUs(at), readings });
      }
      return boardLog.append(packets, channel_capacity);
    },
    onReject: (line, reason) => boardLog.reject(line, reason),
    onDropped: (dropped, line) => {
      for (const { path, value, reason } of dropped) {
        boardLog.reject(line, `${reason}: ${path} = ${value}`);
      }
    },
  });
  const boardLog = journal.board(board, source.counters);
  return source;
}

/** Comes when `signal` is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
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

function sayWaiting(journal: Journal): string {
  const waiting = journal.standings().filter((sink) => sink.waiting > 0);
  if (waiting.length === 0) return "everything is delivered";
  const parts = waiting.map(({ name, waiting }) =>
    `${waiting} readings wait for ${name}`
  );
  return `${parts.join(", ")}; they go out at the next start`;
}

function nowUs(): number {
  return Date.now() * 1000;
}

/** Identifies this run of the operating system; empty where there is no such id. */
async function readBootId(): Promise<string> {
  return await Deno.readTextFile("/proc/sys/kernel/random/boot_id")
    .then((id) => id.trim(), () => "");
}
