/**
 * A connection to a broker that reads what others publish.
 *
 * - It asks for QoS 0: the broker keeps nothing for whoever only looks, and drops what a slow link does
 *   not take.
 * - With MQTT 5 each message has the retain flag that it was published with. That tells no more which ones
 *   the broker had kept from before: these come in one go when the subscription begins, the first of their
 *   topics. (Subscribing a second time, without that flag at first, would tell; mosquitto 2.0 keeps the
 *   options of the first.)
 *
 * @module
 */

import type { IPublishPacket } from "mqtt";
import { within } from "../wait.ts";
import { describeReason, failureOfLoss } from "./mqtt_answers.ts";
import type { MqttConnection } from "./mqtt_connection.ts";
import { watchForLoss } from "./mqtt_loss.ts";
import { type Failure, SinkError } from "./sink.ts";

/** What was kept has come once so long nothing came that could be it, in milliseconds. */
const STORED_PAUSE_MS = 1000;
/** How long the goodbye may take, in milliseconds. */
const CLOSE_MS = 400;

/** A message as it came. */
export interface SeenMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The broker keeps it: as published with MQTT 5, and with 3.1.1 only where `isStored`. */
  readonly isRetained: boolean;
  /** It is from before the subscription, and its age is not known. */
  readonly isStored: boolean;
  /** MQTT 5 user properties. */
  readonly marks: Readonly<Record<string, string | string[]>>;
}

/** Options for {@linkcode MqttSubscription.open}. */
export interface MqttSubscriptionOptions {
  /** Topic filters, at least one. */
  readonly filters: readonly string[];
  /** How long the broker may take to confirm, in seconds. */
  readonly timeoutS: number;
  onMessage(message: SeenMessage): void;
}

/** See the module's text. */
export class MqttSubscription implements AsyncDisposable {
  /** `HOST:PORT, MQTT 5` */
  readonly description: string;
  /** Comes when the link is gone without having been asked, with the code of the broker's DISCONNECT. */
  readonly closed: Promise<{ failure: Failure; code?: number | undefined }>;
  readonly #connection: MqttConnection;
  #asked = false;

  private constructor(connection: MqttConnection) {
    const { broker, client, version } = connection;
    this.#connection = connection;
    this.description = `${broker.name}, ${
      version === 5 ? "MQTT 5" : "MQTT 3.1.1"
    }`;
    this.closed = new Promise((resolve) =>
      watchForLoss(client, ({ disconnect, fault }) => {
        if (this.#asked) return;
        const failure = failureOfLoss(broker.name, disconnect, fault);
        resolve({ failure, code: disconnect?.reasonCode });
      })
    );
  }

  /**
   * Subscribes, and comes back when the broker has confirmed it.
   *
   * @throws {SinkError} if it does not, or the link is lost before
   */
  static async open(
    connection: MqttConnection,
    options: MqttSubscriptionOptions,
  ): Promise<MqttSubscription> {
    const { client, version } = connection;
    const { onMessage } = options;
    const stored = new StoredMessages(version);
    client.on(
      "message",
      (topic: string, payload: Uint8Array, packet: IPublishPacket) =>
        onMessage({
          topic,
          payload,
          isRetained: packet.retain,
          isStored: packet.retain && stored.includes(topic),
          marks: { ...packet.properties?.userProperties },
        }),
    );
    const subscription = new MqttSubscription(connection);
    try {
      await subscription.#subscribe(options, version === 5);
      return subscription;
    } catch (error) {
      await subscription[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #subscribe(
    { filters, timeoutS }: MqttSubscriptionOptions,
    rap: boolean,
  ): Promise<void> {
    const { broker, client } = this.#connection;
    const granted = new Promise<Failure | null>((resolve) =>
      client.subscribe([...filters], { qos: 0, rap }, (error, _, packet) => {
        const codes = packet?.granted as number[] | undefined;
        const refused = codes?.findIndex((code) => code >= 0x80) ?? -1;
        if (refused >= 0) {
          resolve(
            refusal(broker.name, filters[refused] ?? "", codes![refused]!),
          );
        } else resolve(error ? lost(error.message) : null);
      })
    );
    const failure = await within(
      timeoutS * 1000,
      Promise.race([granted, this.closed.then(({ failure }) => failure)]),
    );
    if (failure === null) return;
    throw new SinkError(failure ?? lost(`no answer within ${timeoutS} s`));

    function lost(why: string): Failure {
      const message =
        `The MQTT broker at ${broker.name} does not confirm the subscription: ${why}`;
      return { kind: "retry", message };
    }
  }

  /** Says goodbye, within half a second. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { client } = this.#connection;
    this.#asked = true;
    if (client.connected) await within(CLOSE_MS, client.endAsync(false));
    client.end(true);
    client.stream.destroy();
  }
}

/** Which of the retained messages were there before the subscription. */
class StoredMessages {
  readonly #version: MqttConnection["version"];
  /** Topics that have come; null once all that was kept has. */
  #seen: Set<string> | null = new Set();
  #untilMs = Infinity;

  constructor(version: MqttConnection["version"]) {
    this.#version = version;
  }

  /** Whether the retained message that comes now for `topic` is one. */
  includes(topic: string): boolean {
    // In 3.1.1 no other has the flag (section 3.3.1.3).
    if (this.#version === 4) return true;
    const ms = performance.now();
    if (this.#seen === null || ms > this.#untilMs) {
      this.#seen = null;
      return false;
    }
    if (this.#seen.has(topic)) return false;
    this.#seen.add(topic);
    this.#untilMs = ms + STORED_PAUSE_MS;
    return true;
  }
}

function refusal(broker: string, filter: string, code: number): Failure {
  return {
    kind: "blocked",
    message:
      `The MQTT broker at ${broker} refuses the subscription to "${filter}": ${
        describeReason(code)
      }`,
    hint: `Allow this user to read "${filter}" at the broker`,
  };
}
