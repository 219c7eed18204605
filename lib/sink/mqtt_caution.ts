/**
 * How one session sends while a message is on trial (`mqtt_trial.ts`): one message is under way at a
 * time, a PINGRESP comes just before it, and at QoS 0 the next PINGRESP says that it was taken.
 *
 * @module
 */

import type { MqttClient } from "mqtt";
import type { Reading } from "../model.ts";
import type { MqttBatch } from "./mqtt_batch.ts";
import { MqttPulse } from "./mqtt_pulse.ts";
import type { LossMeaning, MqttTrial, SuspectMessage } from "./mqtt_trial.ts";

/** At QoS 0 nothing says which message was taken last: one of those sent so shortly before a loss. */
const JUST_SENT_MS = 2_000;

/** A message on its way. */
export interface MessageOnTrial {
  readonly batch: MqttBatch;
  readonly index: number;
  readonly reading: Reading;
  readonly topic: string;
}

/** Options for {@linkcode MqttCaution}. */
export interface MqttCautionOptions {
  readonly client: MqttClient;
  readonly trial: MqttTrial;
  readonly brokerName: string;
  /** Milliseconds of a clock that never steps. */
  readonly monotonic: () => number;
  /** The next message may be sent. */
  readonly onReady: () => void;
}

/** See the module's text. */
export class MqttCaution {
  readonly #options: MqttCautionOptions;
  /** Present in a session that began with a suspicion. */
  readonly #pulse: MqttPulse | undefined;
  /** The message that is under way alone. */
  #sent: { message: SuspectMessage; atMs: number } | undefined;
  /** What to do once a message that was written at QoS 0 is taken. */
  #onTaken: (() => void) | undefined;
  /** A message that is guilty if another one passes. */
  #held: MessageOnTrial | undefined;
  #publishedAtMs = -Infinity;

  constructor(options: MqttCautionOptions) {
    this.#options = options;
    if (options.trial.careful) {
      this.#pulse = new MqttPulse(options.client, () => this.#onPulse());
    }
  }

  /** Whether one message is to be under way at a time. */
  get careful(): boolean {
    return this.#pulse !== undefined && this.#options.trial.careful;
  }

  /** Whether an answer to a ping is awaited. */
  get isWaiting(): boolean {
    return this.#pulse?.asked === true;
  }

  /** The topic of the message that is under way alone. */
  get topic(): string | undefined {
    return this.#sent?.message.topic;
  }

  /** Whether a message may be sent now; if not, `onReady` is called when it may. */
  ready(): boolean {
    return !this.careful || this.#pulse!.take();
  }

  /** Whether a message is to be sent that is next; if not, its batch has been told what became of it. */
  admits(message: MessageOnTrial): boolean {
    const { trial, monotonic } = this.#options;
    if (trial.idle) return true;
    const suspect = suspectOf(message);
    const { batch, index, reading, topic } = message;
    switch (trial.judge(suspect)) {
      case "send":
        if (this.careful) this.#sent = { message: suspect, atMs: monotonic() };
        return true;
      case "hold":
        this.#held = { batch, index, reading, topic };
        return false;
      case "reject":
        batch.reject(index, reading, this.#guilt);
        trial.condemned(suspect);
        return false;
      case "park":
        batch.park(index, reading, this.#guilt);
        return false;
    }
  }

  /** A message was written at QoS 0: `onTaken` is called when the broker has taken it. */
  written(onTaken: () => void): void {
    if (!this.careful) {
      this.#publishedAtMs = this.#options.monotonic();
      return onTaken();
    }
    this.#onTaken = onTaken;
    this.#pulse!.ask();
  }

  /** The broker has taken a message, or refused it with a word: the link lives. */
  passed(message: MessageOnTrial): void {
    const { trial } = this.#options;
    if (trial.idle) return;
    this.#sent = undefined;
    trial.passed(suspectOf(message));
    const held = this.#held;
    this.#held = undefined;
    // Now it is guilty.
    if (held !== undefined) this.admits(held);
  }

  /** Nothing else is there to be sent: a held message is set aside until another one has passed. */
  adjourn(): void {
    if (this.#held === undefined) return;
    const { batch, index, reading } = this.#held;
    this.#held = undefined;
    batch.park(index, reading, this.#guilt);
  }

  /**
   * The link is gone.
   *
   * @param head names the oldest row that was not acknowledged, at QoS 1 and 2
   */
  lost(head: string | undefined): LossMeaning {
    const { trial, monotonic } = this.#options;
    const now = monotonic();
    if (this.#sent !== undefined) {
      return trial.dropped(this.#sent.message, now - this.#sent.atMs);
    }
    const justSent = now - this.#publishedAtMs <= JUST_SENT_MS;
    return trial.lost(justSent ? "QoS 0" : head);
  }

  get #guilt(): string {
    return `The MQTT broker at ${this.#options.brokerName} hangs up at this message and takes others`;
  }

  #onPulse(): void {
    const onTaken = this.#onTaken;
    this.#onTaken = undefined;
    (onTaken ?? this.#options.onReady)();
  }
}

function suspectOf(
  { batch, index, reading, topic }: MessageOnTrial,
): SuspectMessage {
  return { key: batch.keyOf(index, reading), topic };
}
