/**
 * Journal, forwarders and sinks in one process, as the gateway wires them, for what servers and the way
 * to them do. Deadlines and pauses are short; everything else is real.
 *
 * @module
 */

import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import { createCatalogue } from "../../lib/catalogue.ts";
import type { InfluxdbConfig, MqttConfig } from "../../lib/config/schema.ts";
import { Forwarder, type Pauses } from "../../lib/forwarder/forwarder.ts";
import type { Journal, SinkStanding } from "../../lib/journal/journal.ts";
import { Backoff } from "../../lib/sink/backoff.ts";
import { InfluxdbSink } from "../../lib/sink/influxdb.ts";
import { MqttSink } from "../../lib/sink/mqtt.ts";
import type { Secret } from "../../lib/sink/secret.ts";
import type { Sink } from "../../lib/sink/sink.ts";
import { makeFolder, openJournal, START_US } from "../journal/world.ts";
import { influxdbConfig, mqttConfig, NOW_US } from "../sink/given.ts";

/** Where the sinks of the rig go; one that is not named is not there. */
export interface RigOptions {
  readonly mqtt?: Partial<MqttConfig> & { readonly url: string };
  readonly influxdb?: Partial<InfluxdbConfig> & { readonly url: string };
  readonly token?: Secret;
  readonly password?: Secret;
  /** Milliseconds between attempts at what will not pass by itself. @default {50} */
  readonly slowRetryMs?: number;
  /** The pauses between attempts. @default {5 to 50 ms, with full jitter} */
  readonly backoff?: Pauses;
  /** Keeps the journal in a worker, as the gateway does. @default {false} */
  readonly worker?: boolean;
}

/** A running gateway without a board. */
export interface Rig extends AsyncDisposable {
  readonly journal: Journal;
  /** What the gateway has logged: `influxdb warning: …`. */
  readonly log: readonly string[];
  /** Appends packets of these readings, a millisecond apart, and comes when they are committed. */
  append(...packets: Readonly<Record<string, number>>[]): Promise<void>;
  /** Appends so many packets of all nine readings; `sts.rx` counts them from 1. */
  appendNumbered(count: number): Promise<void>;
  standing(sink: string): SinkStanding;
  /** Comes when `condition` holds. @throws {Error} if it does not within `withinMs`, by default 15 s */
  until(
    condition: () => boolean | Promise<boolean>,
    withinMs?: number,
  ): Promise<void>;
  /** Comes when nothing waits for a sink, for any without a name; the ledgers balance. */
  delivered(sink?: string): Promise<void>;
}

/** Where the rig's packets happen: the clocks of its sinks stand still at `NOW_US`, a little later. */
const FIRST_US = START_US - 1_000_000_000;

/** Starts a gateway without a board. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const stack = new AsyncDisposableStack();
  const log: string[] = [];
  await configure({
    reset: true,
    sinks: {
      memory: ({ category, level, message }) =>
        void log.push(`${category.at(-1)} ${level}: ${message.join("")}`),
    },
    loggers: [
      { category: "gateway", sinks: ["memory"], lowestLevel: "info" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  stack.defer(reset);
  const folder = stack.use(await makeFolder());
  const sinks = createSinks(options, () => journal);
  const journal: Journal = stack.use(
    await openJournal(folder.path, {
      sinks: sinks.map(({ name, target }) => ({
        name,
        target,
        startAt: "oldest",
      })),
      worker: options.worker ?? false,
    }),
  );
  const forwarders = sinks.map((sink) =>
    new Forwarder({
      sink,
      cursor: journal.cursor(sink.name),
      backoff: options.backoff ??
        new Backoff(Math.random, { firstMs: 5, longestMs: 50 }),
      onCommit: (listener) => journal.onCommit(listener),
      slowRetryMs: options.slowRetryMs ?? 50,
      // A link that is cut again and again looks like a duel over the client id.
      ...(sink.name === "mqtt" ? { longestPauseMs: 50 } : {}),
    })
  );
  const running = forwarders.map((one) => one.run());
  stack.defer(async () => {
    for (const one of forwarders) one.stop(AbortSignal.abort());
    await Promise.all(running);
  });
  return new RunningRig(journal, log, stack);
}

function createSinks(
  { mqtt, influxdb, token, password }: RigOptions,
  journal: () => Journal,
): Sink[] {
  const common = { catalogue: createCatalogue(), now: () => NOW_US };
  const sinks: Sink[] = [];
  if (mqtt !== undefined) {
    const { url, ...config } = mqtt;
    sinks.push(
      new MqttSink(mqttConfig(url, config), {
        ...common,
        isNewest: (row, path) => journal().isNewest(row, path),
        latest: () => journal().latest(),
        ...(password && { password }),
      }),
    );
  }
  if (influxdb !== undefined) {
    const { url, ...config } = influxdb;
    sinks.push(
      new InfluxdbSink(influxdbConfig(url, config), {
        ...common,
        ...(token && { token }),
      }),
    );
  }
  return sinks;
}

class RunningRig implements Rig {
  readonly journal: Journal;
  readonly log: readonly string[];
  readonly #stack: AsyncDisposableStack;
  readonly #board;
  readonly #epoch: number;
  #packets = 0;
  #numbered = 0;

  constructor(
    journal: Journal,
    log: readonly string[],
    stack: AsyncDisposableStack,
  ) {
    this.journal = journal;
    this.log = log;
    this.#stack = stack;
    this.#board = journal.board("", {
      lines: 0,
      packets: 0,
      rejects: 0,
      other: 0,
      truncated: 0,
    });
    this.#epoch = journal.epochs.open({ offsetUs: FIRST_US, monoUs: 0 });
  }

  async append(
    ...packets: Readonly<Record<string, number>>[]
  ): Promise<void> {
    const timed = packets.map((values) => ({
      packet: {
        boardTs: null,
        readings: Object.entries(values).map(([path, value]) => ({
          path,
          value,
        })),
        dropped: [],
      },
      at: { epoch: this.#epoch, monoUs: ++this.#packets * 1_000 },
    }));
    await this.#board.append(timed, 1e9);
    await this.journal.flush();
  }

  async appendNumbered(count: number): Promise<void> {
    await this.append(...Array.from({ length: count }, () => {
      const number = ++this.#numbered;
      return {
        "n1.t": number / 100,
        "n1.h": number / 100,
        "n1.g": number,
        "n2.t": number / 100,
        "n2.p": number / 100,
        "sig.rssi": -number,
        "sig.snr": number,
        "sts.rx": number,
        "sts.err": number,
      };
    }));
  }

  standing(sink: string): SinkStanding {
    const found = this.journal.standings().find(({ name }) => name === sink);
    assert.ok(found !== undefined);
    assert.equal(found.imbalance, 0);
    return found;
  }

  async until(
    condition: () => boolean | Promise<boolean>,
    withinMs = 15_000,
  ): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!await condition()) {
      if (performance.now() > deadline) {
        throw new Error(
          `It did not come about within ${withinMs} ms: ${condition}; the log:\n${
            this.log.join("\n")
          }\n${JSON.stringify(this.journal.standings())}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async delivered(sink?: string): Promise<void> {
    await this.until(() =>
      this.journal.standings().every(({ name, waiting, imbalance }) =>
        imbalance === 0 && (waiting === 0 || (sink ?? name) !== name)
      )
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
