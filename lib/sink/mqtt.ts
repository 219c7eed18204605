/**
 * The MQTT sink: each reading to its topic, retained where later subscribers shall see it at once.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import type { MqttConfig } from "../config/schema.ts";
import type { Finding, Row, TimeQuality, Value } from "../model.ts";
import type { MqttBroker } from "./mqtt_broker.ts";
import { checkBroker } from "./mqtt_check.ts";
import type { ConnectClient, MqttConnection } from "./mqtt_connection.ts";
import { type LastWills, MqttDialer } from "./mqtt_dialer.ts";
import { whatAnswers } from "./port_look.ts";
import { MqttSession } from "./mqtt_session.ts";
import { MqttStates, type StateFeed } from "./mqtt_states.ts";
import { MqttTrial } from "./mqtt_trial.ts";
import { HISTORY_LEVEL, MqttTopics } from "./mqtt_topics.ts";
import type { Secret } from "./secret.ts";
import { SessionLosses } from "./session_losses.ts";
import {
  type Sink,
  type SinkCheckOptions,
  SinkError,
  type SinkOpenOptions,
  type SinkSession,
} from "./sink.ts";

/** The newest value of one reading. */
export interface LatestReading {
  /** The row that it stands in. */
  readonly seq: number;
  readonly board: string;
  readonly path: string;
  readonly value: Value;
  /** Microseconds since 1970. */
  readonly timeUs: number;
  /** @default {"known"} */
  readonly timeQuality?: TimeQuality;
}

/** What the sink needs from the rest of the gateway. */
export interface MqttSinkOptions {
  readonly catalogue: Catalogue;
  /** Whether no newer value of `path` on the row's board is in the journal. */
  readonly isNewest: (row: Row, path: string) => boolean;
  /** The newest value of every reading in the journal. */
  readonly latest: () => Iterable<LatestReading>;
  /** Microseconds since 1970. */
  readonly now: () => number;
  /** Also told the broker, unless `mqtt.state_topics` is false. @default {nothing} */
  readonly states?: StateFeed;
  /** @default {`mqtt.password` or that of the URL, for good} */
  readonly password?: Secret;
  /** How long ago a row happened, in microseconds. @default {by its time of day} */
  readonly ageUs?: (row: Row) => number;
  /** Milliseconds of a clock that never steps. @default {performance.now} */
  readonly monotonic?: () => number;
  /** Numbers from 0 up to, not including, 1. @default {Math.random} */
  readonly random?: () => number;
  /** Begins to connect. @default {with MQTT.js} */
  readonly connect?: ConnectClient;
}

/** Publishes rows to the first broker of `mqtt.broker_url` that answers. */
export class MqttSink implements Sink {
  readonly name = "mqtt";
  /**
   * `HOST:PORT/PREFIX` of the first broker: who subscribes there has had what the cursor has passed.
   * The further URLs lead to the same data by other ways, and user, QoS and client id change nothing
   * about it, so they do not count.
   */
  readonly target: string;
  readonly liveWithinS?: number;
  readonly #config: MqttConfig;
  readonly #options: MqttSinkOptions;
  readonly #dialer: MqttDialer;
  readonly #losses: SessionLosses;
  readonly #trial: MqttTrial;
  readonly #states: MqttStates | undefined;
  readonly #monotonic: () => number;
  /** Names of brokers that ended a session for a retained message, without having said that they keep none. */
  readonly #unretained = new Set<string>();

  constructor(config: MqttConfig, options: MqttSinkOptions) {
    this.#config = config;
    this.#options = options;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#trial = new MqttTrial(this.#monotonic);
    this.#losses = new SessionLosses({
      clientId: config.client_id,
      monotonic: this.#monotonic,
      random: options.random ?? Math.random,
    });
    if (options.states !== undefined && config.state_topics) {
      this.#states = new MqttStates({
        config,
        feed: options.states,
        monotonic: this.#monotonic,
      });
    }
    this.#dialer = new MqttDialer(config, options);
    if (config.replay === "live_first") this.liveWithinS = config.live_within_s;
    this.target = `${this.#dialer.brokers[0]!.name}/${config.topic_prefix}`;
  }

  /** Tries the brokers in turn, the first one first. */
  async open(options: SinkOpenOptions): Promise<SinkSession> {
    let connection: MqttConnection;
    try {
      connection = await this.#dialer.dial({
        clientId: this.#config.client_id,
        signal: options.signal,
        wills: this.#wills,
      });
    } catch (error) {
      if (error instanceof SinkError) this.#losses.unreachable();
      throw error;
    }
    return this.#start(connection, options);
  }

  get #wills(): LastWills | undefined {
    const states = this.#states;
    return states && {
      willFor: (broker) => states.willFor(broker.name, this.#mayRetain(broker)),
      concede: ({ name }, code) => states.concede(name, code),
    };
  }

  /** Whether the broker is to keep anything, as far as that is known before its CONNACK. */
  #mayRetain({ name }: MqttBroker): boolean {
    return this.#config.retain && !this.#unretained.has(name);
  }

  #start(
    connection: MqttConnection,
    { deliveredTo, isDone }: SinkOpenOptions,
  ): MqttSession {
    const { catalogue, isNewest, now } = this.#options;
    const { broker, limits } = connection;
    const { topic_prefix } = this.#config;
    const retain = this.#mayRetain(broker) && limits.retain;
    const { ageUs = (row) => now() - row.timeUs } = this.#options;
    const topics = new MqttTopics(
      topic_prefix,
      retain,
      catalogue,
    );
    const session = new MqttSession(connection, {
      config: this.#config,
      topics,
      history: new MqttTopics(
        `${topic_prefix}/${HISTORY_LEVEL}`,
        false,
        catalogue,
      ),
      isNewest,
      ageUs,
      end: this.#losses.begin(broker.name),
      trial: this.#trial,
      states: this.#states,
      retainStates: retain,
      onRetainRefused: () => this.#unretained.add(broker.name),
      monotonic: this.#monotonic,
    });
    const retained = () => this.#retainedRows(topics);
    session.restate(retained().filter(({ seq }) => seq <= deliveredTo));
    // These do not come again either, but older values of their topics may still have to.
    const ahead = new Set(
      retained().map(({ seq }) => seq)
        .filter((seq) => seq > deliveredTo && isDone(seq)),
    );
    if (ahead.size > 0) {
      session.restateWhenCaughtUp(() =>
        retained().filter(({ seq }) => ahead.has(seq))
      );
    }
    return session;
  }

  /** The retained topics' newest values, each as a row of its own. */
  #retainedRows(topics: MqttTopics): Row[] {
    const rows: Row[] = [];
    for (const newest of this.#options.latest()) {
      const { seq, board, path, value, timeUs, timeQuality } = newest;
      if (!topics.of(board, path)?.retain) continue;
      rows.push({
        seq,
        board,
        timeUs,
        timeQuality: timeQuality ?? "known",
        boardTs: null,
        readings: [{ path, value }],
        total: 0,
      });
    }
    return rows;
  }

  async *check({ signal }: SinkCheckOptions): AsyncIterable<Finding> {
    const clientId = `${this.#config.client_id}-check`;
    for (const broker of this.#dialer.brokers) {
      yield* checkBroker(this.#config, {
        broker,
        connect: () => this.#dialer.connect(broker, { clientId, signal }),
        whatAnswers: (host, port) => whatAnswers(host, port, signal),
      });
    }
  }
}
