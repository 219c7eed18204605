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

import { getLogger } from "@logtape/logtape";
import { catalogueOf } from "../catalogue.ts";
import { type Boot, readBoot } from "../clock/boot.ts";
import { Clock } from "../clock/clock.ts";
import { askSystem } from "../clock/synchronization.ts";
import type { Config } from "../config/schema.ts";
import { isLoopback } from "../config/url.ts";
import { keepListening } from "../control/listening.ts";
import { counted } from "../counted.ts";
import { Forwarder } from "../forwarder/forwarder.ts";
import { delivered } from "../journal/delivery.ts";
import type { Journal } from "../journal/journal.ts";
import { SpareDisk } from "../journal/spare_disk.ts";
import { BoardStates } from "../monitor/board_states.ts";
import { Backoff } from "../sink/backoff.ts";
import type { Sink } from "../sink/sink.ts";
import { Sources } from "../source/sources.ts";
import { wait } from "../wait.ts";
import { type BoardPrograms, createSource, createTaps } from "./boards.ts";
import { JournalStart } from "./journal_start.ts";
import { createOperations } from "./operations.ts";
import { createSinks, openJournal } from "./sinks.ts";

/** Options for {@linkcode runGateway}. */
export interface GatewayOptions extends BoardPrograms {
  readonly config: Config;
  /** The journal, to be closed by the gateway. @default {it begins now} */
  readonly journal?: JournalStart;
  /** The operating system's run. @default {it is looked up} */
  readonly boot?: Boot;
  /** Aborted to stop in order. */
  readonly signal: AbortSignal;
  /** What could help while a server does not answer, by the sink's name. */
  readonly hints?: Readonly<Record<string, string>>;
  /** Is told a secret that was changed in its file, before it is used. */
  hideSecret?(secret: string): void;
}

/**
 * Runs the gateway until `signal` is aborted, or a recording is played and delivered; comes back when
 * all is stopped and closed.
 *
 * @throws {Error} if the journal cannot be opened
 */
export async function runGateway(options: GatewayOptions): Promise<void> {
  const { config } = options;
  const begun = options.journal ?? await JournalStart.begin(config);
  let end = await runOnce(options, begun);
  while (end !== "end") {
    end = await runOnce(
      options,
      await JournalStart.begin(config),
      end,
    );
  }
}

/** To connect takes tens of milliseconds of this thread: a board that speaks at once is heard before. */
const HEAD_START_MS = 100;

/** It has to begin anew; these probes stay released, and these programs have ended for good. */
type Again = Pick<Sources, "released" | "ended">;

/** Runs until the end, or until it has to begin anew to join two journals. */
async function runOnce(
  options: GatewayOptions,
  begun: JournalStart,
  before: Again = { released: new Map(), ended: new Set() },
): Promise<"end" | Again> {
  const { config, signal } = options;
  const log = getLogger(["gateway"]);
  const catalogue = catalogueOf(config);
  await using stack = new AsyncDisposableStack();

  const { folder } = stack.use(begun);
  const boot = options.boot ?? await readBoot();
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
  const worker = begun.takeDisk();
  const disk = new SpareDisk({
    disk: worker,
    prepare: () => folder.take(),
    now: () => clock.timeUs,
  });
  // Whenever that comes: while the journal is opened, too, and while two are joined.
  const hurry = () =>
    disk.hurry(AbortSignal.timeout(config.gateway.stop_timeout_s * 1000));
  if (signal.aborted) hurry();
  signal.addEventListener("abort", hurry);
  stack.defer(() => signal.removeEventListener("abort", hurry));
  const journal: Journal = await openJournal(config, sinks, disk, {
    boot,
    now: () => clock.timeUs,
  });
  stack.use(journal);
  stack.use(clock).start(journal.epochs);

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
  sources.release(before.released);
  sources.leaveOut(before.ended);
  const ran = sources.run(signal)
    // Programs may have ended for good: what they printed still goes out, and status tells of them.
    .then(() => options.isReplay ? undefined : aborted(signal))
    .then(() => "end" as const);
  ran.catch(() => {}); // It is waited for below.

  const forwarders = sinks.map(({ sink }) =>
    new Forwarder({
      sink,
      cursor: journal.cursor(sink.name),
      backoff: new Backoff(Math.random),
      onCommit: (listener) => journal.onCommit(listener),
      ...hintFor(sink, options.hints),
    })
  );
  const forwarding = headStart(journal, signal)
    .then(() => Promise.all(forwarders.map((one) => one.run())));
  stack.defer(async () => {
    for (const one of forwarders) one.stop(AbortSignal.abort());
    await forwarding;
  });
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
    ran,
    broken.promise,
    disk.foreign.then((): Again => ({
      released: sources.released,
      ended: sources.ended,
    })),
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
  await sources.stop();
  await Promise.race([journal.flush(), aborted(deadline)]);
  for (const one of forwarders) one.stop(deadline);
  await forwarding;
  log.info("Stopped: {waiting}", {
    waiting: sayWaiting(journal, options),
  });
  return signal.aborted ? "end" : reason;
}

/** Comes when a board is heard, or has had its time for that. */
async function headStart(journal: Journal, signal: AbortSignal): Promise<void> {
  const heard = new AbortController();
  const stop = journal.onCommit(() => heard.abort());
  await wait(HEAD_START_MS, AbortSignal.any([signal, heard.signal]));
  stop();
}

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
