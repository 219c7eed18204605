/**
 * A durable subscriber that is there from the beginning and keeps what it hears, in a form that holds
 * millions of messages.
 *
 * @module
 */

import mqtt from "mqtt";
import type { MqttClient } from "mqtt";
import { tellsState } from "../servers.ts";

/** A message, without its topic. */
export interface HeardValue {
  readonly value: number;
  /** It was published with retain. */
  readonly retain: boolean;
  /** The broker itself sends it again, after the listener's own link broke. */
  readonly again: boolean;
}

/** What has been heard on each topic, in order. */
export type Heard = ReadonlyMap<string, readonly HeardValue[]>;

/** A subscriber that the broker keeps messages for while it is away. */
export class Listener implements AsyncDisposable {
  readonly #client: MqttClient;
  readonly #heard = new Map<string, HeardValue[]>();
  #messages = 0;

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on("error", () => {}); // A broker that is stopped is no fault of the subscriber.
    client.on("message", (topic, payload, { retain, dup }) => {
      if (tellsState(topic)) return;
      const values = this.#heard.get(topic) ?? [];
      this.#heard.set(topic, values);
      values.push({
        value: Number(new TextDecoder().decode(payload)),
        retain,
        again: dup,
      });
      this.#messages++;
    });
  }

  /** Subscribes to `filter` at the broker itself. */
  static async connect(url: string, filter: string): Promise<Listener> {
    const client = await mqtt.connectAsync(url, {
      protocolVersion: 5,
      clientId: "chaos-listener",
      clean: false,
      reconnectPeriod: 100,
      connectTimeout: 5000,
      properties: { sessionExpiryInterval: 86_400 },
    });
    const listener = new Listener(client);
    // As published: whether the gateway has set retain.
    await client.subscribeAsync(filter, { qos: 1, rap: true });
    return listener;
  }

  get heard(): Heard {
    return this.#heard;
  }

  /** Messages so far, repeats included. */
  get messages(): number {
    return this.#messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}
