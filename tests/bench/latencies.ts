/**
 * How long each packet of a {@linkcode stampedBoard} took to a subscriber.
 *
 * @module
 */

import mqtt, { type MqttClient } from "mqtt";
import { eventually } from "../e2e/gateway_process.ts";
import { sinceStampMs, STAMP_TOPIC } from "./stamp.ts";

/** The longest that packets are waited for, in milliseconds. */
const WITHIN_MS = 600_000;

/** Subscribes, at QoS 1, to what holds the stamp. */
export class Latencies implements AsyncDisposable {
  readonly #valuesMs: number[] = [];
  readonly #client: MqttClient;

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on("message", (_topic, payload) => {
      this.#valuesMs.push(sinceStampMs(Number(payload.toString())));
    });
  }

  /** Comes when the broker has confirmed the subscription. */
  static async of(url: string): Promise<Latencies> {
    const client = await mqtt.connectAsync(url, { protocolVersion: 5 });
    const latencies = new Latencies(client);
    await client.subscribeAsync(`iiot/${STAMP_TOPIC}`, { qos: 1 });
    return latencies;
  }

  /** Of each packet that has come, in milliseconds, in order. */
  get valuesMs(): readonly number[] {
    return this.#valuesMs;
  }

  /** Waits until so many have come in all; comes at most 20 ms later. */
  async has(packets: number): Promise<void> {
    await eventually(
      `${packets} packets have come`,
      () => this.#valuesMs.length >= packets,
      WITHIN_MS,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}
