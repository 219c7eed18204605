/**
 * Signs of life between messages that go one at a time.
 *
 * @module
 */

import type { MqttClient } from "mqtt";

/** Asks the broker for a PINGRESP, before a message and, at QoS 0, behind it. */
export class MqttPulse {
  readonly #client: MqttClient;
  readonly #onAnswer: () => void;
  #asked = false;
  #answered = false;

  /** `onAnswer` is called after each answer. */
  constructor(client: MqttClient, onAnswer: () => void) {
    this.#client = client;
    this.#onAnswer = onAnswer;
    client.on("packetreceive", ({ cmd }) => {
      if (cmd !== "pingresp" || !this.#asked) return;
      this.#asked = false;
      this.#answered = true;
      this.#onAnswer();
    });
  }

  /** Whether an answer is awaited. */
  get asked(): boolean {
    return this.#asked;
  }

  /** Whether an answer has come since the last time that this was true; asks for one if not. */
  take(): boolean {
    const answered = this.#answered;
    this.#answered = false;
    if (!answered) this.ask();
    return answered;
  }

  /** Asks for an answer. */
  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#answered = false;
    this.#client.sendPing();
  }
}
