/**
 * One run of the gateway: the recipe of `lib/gateway/gateway.ts` with the simulated world in the place of
 * worker, child and servers.
 *
 * @module
 */

import type { Boot } from "../../lib/clock/boot.ts";
import { Clock } from "../../lib/clock/clock.ts";
import { createCatalogue } from "../../lib/catalogue.ts";
import type { Config } from "../../lib/config/schema.ts";
import { Forwarder } from "../../lib/forwarder/forwarder.ts";
import { createSinks } from "../../lib/gateway/sinks.ts";
import type { AsyncDisk } from "../../lib/journal/disk.ts";
import {
  type BoardLog,
  Journal,
  type TimedPacket,
} from "../../lib/journal/journal.ts";
import type { TelemetryPacket } from "../../lib/model.ts";
import { Backoff } from "../../lib/sink/backoff.ts";
import type { ConnectClient } from "../../lib/sink/mqtt_connection.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import type { Swarm } from "./swarm.ts";
import type { Owner } from "./virtual_time.ts";

/** `gateway.stop_timeout_s` */
export const STOP_TIMEOUT_S = 5;

/** What a run is given. */
export interface SimulatedGatewayOptions {
  readonly owner: Owner;
  readonly swarm: Swarm;
  readonly disk: AsyncDisk;
  readonly connect: ConnectClient;
  /** The run of the operating system. */
  readonly boot: Boot;
  /** Asks the system who synchronises its clock. */
  ask(): Promise<string | null>;
  readonly config: Pick<Config, "mqtt" | "influxdb">;
  random(): number;
}

/** See the module's text. */
export class SimulatedGateway {
  readonly owner: Owner;
  /** Comes when it has stopped; with the error that ended it, where one did. */
  readonly ended: Promise<Error | undefined>;
  journal: Journal | undefined;
  readonly #options: SimulatedGatewayOptions;
  readonly #stop = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  readonly #boards = new Map<string, BoardLog>();
  readonly #eventClocks = new Map<string, EventClock>();

  constructor(options: SimulatedGatewayOptions) {
    this.#options = options;
    this.owner = options.owner;
    this.ended = this.#run().then(
      () => undefined,
      (error) => error as Error,
    );
  }

  /** Asks it to stop in order. */
  stop(): void {
    this.#stop.resolve();
  }

  /** Aborted when it begins to stop. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Whether a board's packets are read. */
  get reads(): boolean {
    return this.#boards.size > 0;
  }

  /** A board has printed packets. */
  read(board: string, packets: readonly TelemetryPacket[]): void {
    const clock = this.#eventClocks.get(board);
    if (clock === undefined) return;
    const stamps = clock.stamp(packets.map(({ boardTs }) => boardTs));
    const timed = packets.map((packet, index): TimedPacket => ({
      packet,
      at: stamps[index]!,
    }));
    void this.#boards.get(board)?.append(timed, 1000);
  }

  async #run(): Promise<void> {
    const { config, disk, connect, boot, swarm, random, ask } = this.#options;
    await using stack = new AsyncDisposableStack();
    const { monotonicUs } = boot;
    const { trust, holdS } = swarm.clock;
    const clock = new Clock({ trust, holdS, monotonicUs, ask });
    const nowUs = () => clock.timeUs;
    const sinks = createSinks(config, {
      catalogue: createCatalogue(),
      isNewest: (row, path) => journal.isNewest(row, path),
      latest: () => journal.latest(),
      now: nowUs,
      ageUs: (row) => journal.ageUs(row),
      connect,
    });
    const journal = await Journal.open({
      disk,
      path: "journal.db",
      maxBytes: swarm.journal.maxBytes,
      historyS: swarm.journal.historyS,
      maxRecentReadings: swarm.journal.recentReadings,
      maxPendingBytes: swarm.journal.pendingBytes,
      sinks: sinks.map(({ sink: { name, target, needsTime }, startAt }) => ({
        name,
        target,
        startAt,
        needsTime: needsTime ?? false,
      })),
      bootId: boot.id,
      monotonicUs,
      now: nowUs,
      retryMs: 200,
    });
    stack.use(journal);
    stack.use(clock).start(journal.epochs);
    this.journal = journal;
    const forwarders = sinks.map(({ sink }) =>
      new Forwarder({
        sink,
        cursor: journal.cursor(sink.name),
        backoff: new Backoff(random, { firstMs: 200, longestMs: 3000 }),
        onCommit: (listener) => journal.onCommit(listener),
        slowRetryMs: 2000,
        longestPauseMs: 4000,
        parkedRetryMs: 3000,
      })
    );
    const forwarding = Promise.all(forwarders.map((one) => one.run()));
    stack.defer(async () => {
      for (const one of forwarders) one.stop(AbortSignal.abort());
      await forwarding;
    });
    const counts = {
      lines: 0,
      packets: 0,
      rejects: 0,
      other: 0,
      truncated: 0,
    };
    for (const board of swarm.boards) {
      const clockOfBoard = new EventClock({ now: () => clock.now() });
      this.#eventClocks.set(board, clockOfBoard);
      this.#boards.set(
        board,
        journal.board(board, counts, clockOfBoard.board.counts),
      );
    }

    await Promise.race([this.#stop.promise, forwarding]);

    this.#boards.clear();
    this.#stopping.abort();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), STOP_TIMEOUT_S * 500);
    const late = new Promise((resolve) =>
      deadline.signal.addEventListener("abort", resolve, { once: true })
    );
    await Promise.race([journal.flush(), late]);
    for (const one of forwarders) one.stop(deadline.signal);
    await forwarding;
    clearTimeout(timer);
  }
}
