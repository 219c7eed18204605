/**
 * What the broker is told beside the readings: that the gateway is there, and how its boards are.
 *
 * Nothing of it may harm a reading, so over all sessions of a sink this is remembered:
 *
 * - what a broker forbids of the last will (retain, a QoS), which is left out from then on;
 * - whether sessions end at a state message: after three in a row that did, no more are sent for five
 *   minutes, for a broker may end a session at a topic that it forbids;
 * - what was said: each kind of complaint is one line in the log.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { STATE_TOPICS } from "../catalogue.ts";
import type { MqttConfig } from "../config/schema.ts";
import type { MqttConnection } from "./mqtt_connection.ts";
import { MqttStateSession, type StateFlow } from "./mqtt_state_session.ts";

/** A text of the gateway's, and where it belongs. */
export interface StateText {
  /** Below `mqtt.topic_prefix`. */
  readonly topic: string;
  /** Never empty: an empty retained message takes the topic away. */
  readonly text: string;
}

/** The texts that the broker is to have. */
export interface StateFeed {
  /** The newest text of each topic. */
  current(): Iterable<StateText>;
  /** Calls `listener` after each change; returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** What the broker publishes when the link ends without a goodbye. */
export interface LastWill {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** Options for {@linkcode MqttStates}. */
export interface MqttStatesOptions {
  readonly config: MqttConfig;
  readonly feed: StateFeed;
  /** Milliseconds of a clock that never steps. */
  readonly monotonic: () => number;
}

/** Sessions in a row that ended at a state message. */
const TOO_MANY_LOSSES = 3;
/** How long no state messages are sent after that, in milliseconds. */
const SHUT_MS = 300_000;
/** Reason codes of a refused CONNACK: "Retain not supported", "QoS not supported". */
const NO_RETAIN = 0x9a, NO_QOS = 0x9b;

const log = getLogger(["gateway", "mqtt"]);

/** See the module's text. */
export class MqttStates {
  readonly #options: MqttStatesOptions;
  /** By broker: the codes with which it refused a last will. */
  readonly #refused = new Map<string, Set<number>>();
  readonly #said = new Set<string>();
  #losses = 0;
  #shutUntilMs = -Infinity;

  constructor(options: MqttStatesOptions) {
    this.#options = options;
  }

  /** The last will for a broker, which may hold retained messages if `retain`. */
  willFor(broker: string, retain: boolean): LastWill {
    const { topic_prefix, qos } = this.#options.config;
    const refused = this.#refused.get(broker);
    return {
      topic: `${topic_prefix}/${STATE_TOPICS.gatewayState}`,
      payload: "offline",
      qos: qos === 0 || refused?.has(NO_QOS) ? 0 : 1,
      retain: retain && !refused?.has(NO_RETAIN),
    };
  }

  /** Takes what a refused CONNACK says; whether that changes the last will. */
  concede(broker: string, code: number | undefined): boolean {
    if (code !== NO_RETAIN && code !== NO_QOS) return false;
    const refused = this.#refused.get(broker) ?? new Set();
    this.#refused.set(broker, refused);
    const isNew = !refused.has(code);
    refused.add(code);
    return isNew;
  }

  /** Begins to tell on a connection. */
  begin(
    connection: MqttConnection,
    flow: Omit<StateFlow, "onRefused">,
  ): MqttStateSession {
    const { config, feed, monotonic } = this.#options;
    const { name } = connection.broker;
    return new MqttStateSession(connection, {
      prefix: config.topic_prefix,
      ackTimeoutMs: config.ack_timeout_s * 1_000,
      feed,
      monotonic,
      ...flow,
      mayTell: () => flow.mayTell() && monotonic() >= this.#shutUntilMs,
      onRefused: (topic, why) =>
        this.#warn(
          "refusal",
          `The MQTT broker at ${name} does not take the state message to "${topic}": ${why}. The readings are not concerned`,
        ),
    });
  }

  /**
   * A session is lost: whether it probably ended at a state message.
   *
   * @param topic where the message went that could have ended it, if there was one
   */
  lost(broker: string, topic: string | undefined): boolean {
    if (topic === undefined) {
      this.#losses = 0;
      return false;
    }
    if (++this.#losses < TOO_MANY_LOSSES) return true;
    this.#losses = 0;
    this.#shutUntilMs = this.#options.monotonic() + SHUT_MS;
    this.#warn(
      "loss",
      `The MQTT broker at ${broker} hangs up at the state message to "${topic}", or the link is bad: no more of them for ${
        SHUT_MS / 60_000
      } min`,
    );
    return true;
  }

  #warn(what: string, message: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    log.warn(
      `{message}. Allow this user "{prefix}/${STATE_TOPICS.gatewayState}", "${STATE_TOPICS.boardState}" and "${STATE_TOPICS.boardDetail}" at the broker, or set "mqtt.state_topics" to false`,
      { message, prefix: this.#options.config.topic_prefix },
    );
  }
}
