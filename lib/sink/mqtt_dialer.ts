/**
 * Who connects: the brokers of `mqtt.broker_url`, the version that each speaks, and a password that may
 * be another one by now. The sink dials, and `iiot-gateway watch`.
 *
 * @module
 */

import type { MqttConfig } from "../config/schema.ts";
import { refusesLogin, refusesVersion } from "./mqtt_answers.ts";
import { type MqttBroker, parseBroker } from "./mqtt_broker.ts";
import {
  type ConnectClient,
  connectMqtt,
  type MqttConnection,
  MqttRefusal,
  type MqttVersion,
} from "./mqtt_connection.ts";
import type { LastWill } from "./mqtt_states.ts";
import type { Secret } from "./secret.ts";
import { type Failure, SinkError } from "./sink.ts";

/** Options for {@linkcode MqttDialer}. */
export interface MqttDialerOptions {
  /** @default {`mqtt.password` or that of the URL, for good} */
  readonly password?: Secret;
  /** Begins to connect. @default {with MQTT.js} */
  readonly connect?: ConnectClient;
}

/** As whom, and until when. */
export interface DialOptions {
  readonly clientId: string;
  readonly signal: AbortSignal;
  /** @default {none} */
  readonly wills?: LastWills | undefined;
}

/** The last will, broker by broker. */
export interface LastWills {
  willFor(broker: MqttBroker): LastWill;
  /** Takes the code of a refused CONNACK; whether that changes the last will. */
  concede(broker: MqttBroker, code: number | undefined): boolean;
}

/** Connects to the brokers of one configuration. */
export class MqttDialer {
  /** In the order of `mqtt.broker_url`, at least one. */
  readonly brokers: readonly MqttBroker[];
  readonly #config: MqttConfig;
  readonly #options: MqttDialerOptions;
  /** Brokers that answered to MQTT 3.1.1 after they had refused MQTT 5. */
  readonly #older = new Set<MqttBroker>();

  constructor(config: MqttConfig, options: MqttDialerOptions = {}) {
    this.#config = config;
    this.#options = options;
    this.brokers = config.broker_url.map((url) => parseBroker(url, config));
  }

  /**
   * Tries the brokers in turn, the first one first.
   *
   * @throws {SinkError} if none lets us in
   */
  async dial(options: DialOptions): Promise<MqttConnection> {
    const failures: Failure[] = [];
    for (const broker of this.brokers) {
      try {
        return await this.#logIn(broker, options);
      } catch (error) {
        if (!(error instanceof SinkError)) throw error;
        failures.push(error.failure);
        if (options.signal.aborted) break;
      }
    }
    throw new SinkError(joinFailures(failures));
  }

  /**
   * Connects with MQTT 5, or with 3.1.1 where the broker does not speak it.
   *
   * @throws {SinkError} if it cannot be reached, or refuses
   */
  async connect(
    broker: MqttBroker,
    options: DialOptions,
  ): Promise<MqttConnection> {
    const connect = (version: MqttVersion) =>
      this.#connectAs(broker, version, options);
    try {
      return await connect(this.#older.has(broker) ? 4 : 5);
    } catch (error) {
      const asksForOther = error instanceof MqttRefusal &&
        !options.signal.aborted &&
        (error.code === undefined || refusesVersion(error.code));
      if (!asksForOther) throw error;
      // Remembered only when it works: a port that a proxy opens too early closes on both.
      if (this.#older.delete(broker)) throw error;
      const connection = await connect(4);
      this.#older.add(broker);
      return connection;
    }
  }

  /** Connects; a password that is refused is looked for in its file, and tried if it is another one. */
  async #logIn(
    broker: MqttBroker,
    options: DialOptions,
  ): Promise<MqttConnection> {
    const { password } = this.#options;
    for (;;) {
      try {
        return await this.connect(broker, options);
      } catch (error) {
        const refused = error instanceof MqttRefusal &&
          refusesLogin(error.code);
        if (!refused || password === undefined) throw error;
        if (options.signal.aborted || !await password.renew()) {
          throw new SinkError(password.refused(error.failure, "mqtt.password"));
        }
      }
    }
  }

  /** Connects; a last will that asks too much of the broker is made again, smaller. */
  async #connectAs(
    broker: MqttBroker,
    version: MqttVersion,
    { clientId, signal, wills }: DialOptions,
  ): Promise<MqttConnection> {
    const { connect } = this.#options;
    const password = this.#options.password?.value ?? broker.password;
    for (;;) {
      try {
        return await connectMqtt({ ...broker, password }, this.#config, {
          version,
          clientId,
          signal,
          will: wills?.willFor(broker),
          ...(connect === undefined ? {} : { connect }),
        });
      } catch (error) {
        const conceded = error instanceof MqttRefusal &&
          wills?.concede(broker, error.code);
        if (!conceded || signal.aborted) throw error;
      }
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
