/**
 * The MQTT sink: each reading to its topic, retained where later subscribers shall see it at once.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import type { MqttConfig } from "../config/schema.ts";
import type { Finding, Row, TimeQuality, Value } from "../model.ts";
import { refusesLogin, refusesVersion } from "./mqtt_answers.ts";
import { type MqttBroker, parseBroker } from "./mqtt_broker.ts";
import { checkBroker } from "./mqtt_check.ts";
import {
  type ConnectClient,
  connectMqtt,
  type MqttConnection,
  MqttRefusal,
  type MqttVersion,
} from "./mqtt_connection.ts";
import { MqttSession } from "./mqtt_session.ts";
import { MqttStates, type StateFeed } from "./mqtt_states.ts";
import { MqttTrial } from "./mqtt_trial.ts";
import { MqttTopics } from "./mqtt_topics.ts";
import type { Secret } from "./secret.ts";
import { SessionLosses } from "./session_losses.ts";
import {
  type Failure,
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
  readonly #brokers: readonly MqttBroker[];
  /** Brokers that answered to MQTT 3.1.1 after they had refused MQTT 5. */
  readonly #older = new Set<MqttBroker>();
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
    this.#brokers = config.broker_url.map((url) => parseBroker(url, config));
    if (config.replay === "live_first") this.liveWithinS = config.live_within_s;
    this.target = `${this.#brokers[0]!.name}/${config.topic_prefix}`;
  }

  /** Tries the brokers in turn, the first one first. */
  async open(options: SinkOpenOptions): Promise<SinkSession> {
    const { signal } = options;
    const failures: Failure[] = [];
    for (const broker of this.#brokers) {
      try {
        return this.#start(await this.#logIn(broker, signal), options);
      } catch (error) {
        if (!(error instanceof SinkError)) throw error;
        failures.push(error.failure);
        if (signal.aborted) break;
      }
    }
    this.#losses.unreachable();
    throw new SinkError(joinFailures(failures));
  }

  /** Connects; a password that is refused is looked for in its file, and tried if it is another one. */
  async #logIn(
    broker: MqttBroker,
    signal: AbortSignal,
  ): Promise<MqttConnection> {
    const { password } = this.#options;
    for (;;) {
      try {
        return await this.#connect(broker, signal, {
          clientId: this.#config.client_id,
          states: this.#states,
        });
      } catch (error) {
        const refused = error instanceof MqttRefusal &&
          refusesLogin(error.code);
        if (!refused || password === undefined) throw error;
        if (signal.aborted || !await password.renew()) {
          throw new SinkError(password.refused(error.failure, "mqtt.password"));
        }
      }
    }
  }

  /** Connects with MQTT 5, or with 3.1.1 where the broker does not speak it. */
  async #connect(
    broker: MqttBroker,
    signal: AbortSignal,
    as: { readonly clientId: string; readonly states?: MqttStates | undefined },
  ): Promise<MqttConnection> {
    const connect = (version: MqttVersion) =>
      this.#connectAs(broker, signal, version, as);
    try {
      return await connect(this.#older.has(broker) ? 4 : 5);
    } catch (error) {
      const asksForOther = error instanceof MqttRefusal && !signal.aborted &&
        (error.code === undefined || refusesVersion(error.code));
      if (!asksForOther) throw error;
      // Remembered only when it works: a port that a proxy opens too early closes on both.
      if (this.#older.delete(broker)) throw error;
      const connection = await connect(4);
      this.#older.add(broker);
      return connection;
    }
  }

  /** Connects; a last will that asks too much of the broker is made again, smaller. */
  async #connectAs(
    broker: MqttBroker,
    signal: AbortSignal,
    version: MqttVersion,
    { clientId, states }: { clientId: string; states?: MqttStates | undefined },
  ): Promise<MqttConnection> {
    const { connect } = this.#options;
    const password = this.#options.password?.value ?? broker.password;
    for (;;) {
      try {
        return await connectMqtt({ ...broker, password }, this.#config, {
          version,
          clientId,
          signal,
          will: states?.willFor(broker.name, this.#mayRetain(broker)),
          ...(connect === undefined ? {} : { connect }),
        });
      } catch (error) {
        const conceded = error instanceof MqttRefusal &&
          states?.concede(broker.name, error.code);
        if (!conceded || signal.aborted) throw error;
      }
    }
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
      history: new MqttTopics(`${topic_prefix}/history`, false, catalogue),
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
    for (const broker of this.#brokers) {
      yield* checkBroker(
        this.#config,
        () => this.#connect(broker, signal, { clientId }),
      );
    }
  }
}

/** One failure for all brokers of the list; it passes by itself if that of one of them does. */
function joinFailures(failures: readonly Failure[]): Failure {
  const [first] = failures;
  if (failures.length === 1) return first!;
  const message = failures.map((failure) => failure.message).join("; ");
  return {
    ...failures.find(({ kind }) => kind === "retry") ?? first!,
    message,
  };
}
