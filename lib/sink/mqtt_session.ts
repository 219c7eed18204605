/**
 * A connection to a broker that takes rows: a sliding window of unacknowledged messages over all
 * batches under way.
 *
 * Before and after every call:
 * - `#outstanding` messages are published and not settled; it never exceeds the window;
 * - batches are sent and finished in order; once one has to stay, nothing more is sent until all
 *   that was out is settled, and then every batch behind it stays too;
 * - timers run only while something is outstanding, or while the rate limit holds messages back;
 * - after the link is gone, or `dispose`, every batch has its outcome.
 *
 * @module
 */

import type { MqttClient } from "mqtt";
import type { Reading, Row } from "../model.ts";
import { AckDeadline } from "./ack_deadline.ts";
import {
  failureOfEveryMessage,
  failureOfLoss,
  mayBeForAMessage,
} from "./mqtt_answers.ts";
import { MqttBatch } from "./mqtt_batch.ts";
import { MqttBatchQueue } from "./mqtt_batch_queue.ts";
import { MqttCaution } from "./mqtt_caution.ts";
import type { MqttConnection } from "./mqtt_connection.ts";
import { type LossCause, watchForLoss } from "./mqtt_loss.ts";
import {
  type MqttMessage,
  MqttMessages,
  type MqttMessagesOptions,
} from "./mqtt_message.ts";
import { MqttPublisher } from "./mqtt_publisher.ts";
import type { MqttStateSession } from "./mqtt_state_session.ts";
import type { MqttStates } from "./mqtt_states.ts";
import type { LossMeaning, MqttTrial } from "./mqtt_trial.ts";
import type { SessionEnd } from "./session_losses.ts";
import type { DeliverOptions, Failure, Outcome, SinkSession } from "./sink.ts";
import { TokenBucket } from "./token_bucket.ts";
import { within } from "../wait.ts";

/** All that batches may hold is twice that, and stays below MQTT.js's half of the message ids: they wrap. */
const LARGEST_WINDOW = 15_000;
/** MQTT.js hangs a listener on the socket for each QoS 0 message that waits, and warns at 1,000. */
const LARGEST_WINDOW_QOS_0 = 500;
/** Reason code "Retain not supported". */
const NO_RETAIN = 0x9a;
/** How long `dispose` waits for acknowledgements that are under way, in milliseconds. */
const LAST_ACKS_MS = 400;
/** How long `dispose` waits until the broker knows that the gateway leaves, in milliseconds. */
const FAREWELL_MS = 400;
/** How long `dispose` waits for the broker to close, in milliseconds. */
const CLOSE_MS = 400;

/** Options for {@linkcode MqttSession}. */
export interface MqttSessionOptions extends MqttMessagesOptions {
  /** Is told how the session ends. */
  readonly end: SessionEnd;
  /** Finds messages that kill the link, over all sessions. */
  readonly trial: MqttTrial;
  /** Told beside the rows. @default {nothing} */
  readonly states?: MqttStates | undefined;
  /** Whether the broker is to keep that. @default {false} */
  readonly retainStates?: boolean;
  /** Is told that the broker ended the session for a retained message. */
  readonly onRetainRefused: () => void;
  /** Milliseconds of a clock that never steps. */
  readonly monotonic: () => number;
}

/** A published message that is not settled; the same few objects serve the whole session. */
interface Slot {
  /** At QoS 1 that of its messages; counts from 1. */
  readonly id: number;
  batch: MqttBatch;
  index: number;
  reading: Reading;
  topic: string;
  /** Whether an answer to it is awaited. */
  isOut: boolean;
}

/** See the module's text. */
export class MqttSession implements SinkSession {
  readonly maxReadings: number;
  readonly maxBatches: number;
  readonly description: string;
  readonly closed: Promise<Failure>;

  readonly #client: MqttClient;
  readonly #brokerName: string;
  readonly #options: MqttSessionOptions;
  readonly #caution: MqttCaution;
  readonly #messages: MqttMessages;
  /** Present at QoS 1; MQTT.js publishes the others. */
  readonly #publisher: MqttPublisher | undefined;
  readonly #states: MqttStateSession | undefined;
  readonly #window: number;
  readonly #deadline: AckDeadline;
  readonly #rate: TokenBucket | undefined;
  #rateTimer: ReturnType<typeof setTimeout> | undefined;

  readonly #batches = new MqttBatchQueue();
  #restateLater: (() => readonly Row[]) | undefined;
  #outstanding = 0;
  /** By their id, less one. */
  readonly #slots: Slot[] = [];
  readonly #freeSlots: Slot[] = [];
  #pumping = false;
  #advancing: ReturnType<typeof setImmediate> | undefined;
  /** Why a batch has to stay, until everything behind it has come back too. */
  #halted: Failure | undefined;
  /** Why nothing is delivered any more: the link is gone, or `dispose` was called. */
  #over: Failure | undefined;
  /** A publish failed without an answer: "close" is about to come. */
  #broken = false;
  #drained = () => {};
  readonly #closed = Promise.withResolvers<Failure>();
  readonly #gone = Promise.withResolvers<void>();

  constructor(connection: MqttConnection, options: MqttSessionOptions) {
    const { acks, broker, client, limits, version } = connection;
    const { config } = options;
    this.#client = client;
    this.#brokerName = broker.name;
    this.#options = options;
    this.#caution = new MqttCaution({
      client,
      ...options,
      brokerName: broker.name,
      onReady: () => this.#advanceSoon(),
    });
    this.#messages = new MqttMessages(connection, options);
    if (this.#messages.qos === 1) {
      this.#publisher = new MqttPublisher(client, version);
      acks.onAck = (id, refusal) => {
        const slot = this.#slots[id - 1];
        if (slot?.isOut) this.#settle(slot, refusal);
      };
    }
    this.#states = options.states?.begin(connection, {
      retain: options.retainStates ?? false,
      // Beside a message on trial nothing else may have ended the session.
      mayTell: () => !this.#caution.careful,
      onSent: () => this.#rate?.take(),
    });
    const places = limits.receiveMaximum - (this.#states?.qos ?? 0);
    this.#window = this.#messages.qos === 0
      ? Math.min(config.max_inflight, LARGEST_WINDOW_QOS_0)
      : Math.min(config.max_inflight, places, LARGEST_WINDOW);
    this.#rate = config.max_messages_per_s === undefined
      ? undefined
      : new TokenBucket(config.max_messages_per_s);
    this.#deadline = new AckDeadline({
      timeoutS: config.ack_timeout_s,
      tickS: client.keepalive / 2,
      waiting: () => this.#isWaiting,
      onProgress: () => client.reschedulePing(true), // Answers come: no ping has to prove the link.
      onSilence: () => {
        const message =
          `The MQTT broker at ${broker.name} has acknowledged nothing for ${config.ack_timeout_s} s`;
        options.end.explained(); // A rival makes no silence.
        options.trial.silent();
        this.#lose({ kind: "retry", message });
        client.end(true);
      },
    });
    // Twice the window is always there to be sent while the oldest batch waits for its last answer;
    // where the rate is limited no more than a second's messages, for live ones wait behind them.
    const perSecond = config.max_messages_per_s ?? Infinity;
    this.maxReadings = Math.ceil(
      Math.min(Math.max(this.#window, 900), 2_000, perSecond / 4),
    );
    const ahead = Math.min(2 * this.#window, perSecond);
    this.maxBatches = Math.max(4, Math.ceil(ahead / this.maxReadings));
    const spoken = version === 5 ? "MQTT 5" : "MQTT 3.1.1";
    this.description =
      `MQTT client connected successfully: ${broker.name}, ${spoken}`;
    this.closed = this.#closed.promise;
    this.#listen();
    if (this.#over === undefined) this.#states?.start();
  }

  #listen(): void {
    watchForLoss(this.#client, (cause) => {
      this.#gone.resolve();
      if (this.#over !== undefined) return;
      this.#lose(this.#explain(cause));
    });
  }

  /** Why the link is gone. */
  #explain({ disconnect, fault }: LossCause): Failure {
    const { end, onRetainRefused } = this.#options;
    const code = disconnect?.reasonCode;
    const failure = failureOfLoss(this.#brokerName, disconnect, fault);
    const retry = { kind: "retry", message: failure.message } as const;
    if (code === NO_RETAIN) {
      onRetainRefused();
      end.explained();
      return retry;
    }
    const meaning = mayBeForAMessage(code)
      ? this.#interpretLoss()
      : "unexplained";
    if (meaning === "unexplained") return end.lost(failure, code);
    end.explained();
    return meaning === "suspected"
      ? retry
      : failureOfEveryMessage(this.#brokerName, this.#caution.topic ?? "");
  }

  #interpretLoss(): LossMeaning {
    const { states } = this.#options;
    if (states?.lost(this.#brokerName, this.#states?.suspect)) {
      return "suspected";
    }
    return this.#caution.lost(
      this.#outstanding > 0 ? this.#batches.head : undefined,
    );
  }

  deliver(
    batch: readonly Row[],
    { past = false }: DeliverOptions = {},
  ): Promise<Outcome> {
    return this.#add(new MqttBatch(batch, { kind: past ? "past" : "live" }));
  }

  /** Tells the broker newest values that it may have forgotten; later rows follow behind them. */
  restate(rows: readonly Row[]): void {
    if (rows.length > 0) this.#add(new MqttBatch(rows, { kind: "restated" }));
  }

  /** Does it with what `rows` gives then: behind every row that waited when the session began. */
  restateWhenCaughtUp(rows: () => readonly Row[]): void {
    this.#restateLater = rows;
  }

  caughtUp(): void {
    const rows = this.#restateLater?.();
    this.#restateLater = undefined;
    if (rows !== undefined) this.restate(rows);
  }

  #add(batch: MqttBatch): Promise<Outcome> {
    if (this.#over !== undefined) batch.abandon(this.#over);
    else {
      this.#batches.add(batch);
      this.#advance();
    }
    return batch.outcome;
  }

  #advance(): void {
    if (this.#pumping) return; // A QoS 0 message is settled while it is being published.
    this.#pumping = true;
    try {
      this.#publishRows();
    } finally {
      this.#publisher?.flush();
      this.#pumping = false;
    }
    this.#finishBatches();
    if (this.#isWaiting) this.#deadline.watch();
    if (this.#outstanding === 0) this.#drained();
  }

  /** Whether the broker owes an answer. */
  get #isWaiting(): boolean {
    return this.#outstanding > 0 || this.#caution.isWaiting;
  }

  /** Publishes what window, rate and batches allow. */
  #publishRows(): void {
    for (let batch; (batch = this.#batches.unsent) !== undefined;) {
      if (!this.#mayPublish()) return;
      this.#publishNext(batch);
    }
    if (this.#outstanding === 0) this.#caution.adjourn();
  }

  #publishNext(batch: MqttBatch): void {
    const index = batch.nextRow();
    const reading = batch.takeReading();
    const row = batch.rows[index]!;
    if (
      batch.kind === "live" && this.#messages.isSuperseded(row, reading.path)
    ) return batch.supersede(index);
    const message = this.#messages.of(row, reading, batch.kind);
    if (typeof message === "string") {
      return batch.reject(index, reading, message);
    }
    const slot = this.#takeSlot(batch, index, reading, message.topic.name);
    if (!this.#caution.admits(slot)) return void this.#freeSlots.push(slot);
    this.#outstanding++;
    this.#rate?.take();
    slot.isOut = true;
    if (this.#publisher === undefined) this.#publish(message, slot);
    else this.#publisher.publish(message, slot.id);
  }

  #publish({ topic, payload, retain, marks }: MqttMessage, slot: Slot): void {
    this.#client.publish(topic.name, payload, {
      qos: this.#messages.qos,
      retain,
      ...(marks === undefined ? {} : { properties: { userProperties: marks } }),
    }, (error) => this.#onAnswer(slot, error));
  }

  #mayPublish(): boolean {
    if (
      this.#over !== undefined || this.#halted !== undefined || this.#broken
    ) return false;
    const window = this.#caution.careful ? 1 : this.#window;
    if (this.#outstanding >= window) return false;
    const waitMs = this.#rate?.waitMs() ?? 0;
    if (waitMs === 0) return this.#caution.ready();
    this.#rateTimer ??= setTimeout(() => {
      this.#rateTimer = undefined;
      this.#advance();
    }, waitMs);
    return false;
  }

  #takeSlot(
    batch: MqttBatch,
    index: number,
    reading: Reading,
    topic: string,
  ): Slot {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) {
      const id = this.#slots.length + 1;
      const made = { id, batch, index, reading, topic, isOut: false };
      this.#slots.push(made);
      return made;
    }
    slot.batch = batch;
    slot.index = index;
    slot.reading = reading;
    slot.topic = topic;
    return slot;
  }

  /** MQTT.js says what became of a message. */
  #onAnswer(slot: Slot, error?: Error & { code?: unknown } | null): void {
    const code = error?.code;
    if (typeof code === "number") this.#settle(slot, code);
    else if (error) this.#breakOff();
    else if (this.#messages.qos > 0) this.#settle(slot);
    else this.#caution.written(() => this.#settle(slot));
  }

  /** The broker has taken a message, or refuses it with a reason code. */
  #settle(slot: Slot, refusal?: number): void {
    if (this.#over !== undefined) return; // The batches have their outcomes.
    const { batch, index, reading } = slot;
    slot.isOut = false;
    this.#freeSlots.push(slot);
    this.#outstanding--;
    if (this.#batches.isOldest(batch)) this.#deadline.progress();
    if (refusal === undefined) batch.accept(index);
    else batch.refuse(index, reading, refusal);
    this.#caution.passed(slot);
    this.#halted ??= batch.failure;
    this.#advanceSoon();
  }

  /** Goes on once for all answers that came together: each message alone would be a system call. */
  #advanceSoon(): void {
    this.#advancing ??= setImmediate(() => {
      this.#advancing = undefined;
      if (this.#over === undefined) this.#advance();
    });
  }

  /** MQTT.js gave a message up: it stays unsettled, and "close" has to follow. */
  #breakOff(): void {
    if (this.#broken || this.#over !== undefined) return;
    this.#broken = true;
    // Not from within MQTT.js's own walk over its messages: it would stumble over the gaps.
    queueMicrotask(() => this.#client.end(true));
  }

  /** Gives outcomes to the batches that can have them, in order. */
  #finishBatches(): void {
    if (this.#broken) return;
    this.#halted ??= this.#batches.finishSettled();
    if (this.#halted === undefined || this.#outstanding > 0) return;
    const failure = this.#halted;
    this.#halted = undefined;
    this.#batches.finishAll(failure);
  }

  /** The link is gone; not to be called once the session is over. */
  #lose(failure: Failure): void {
    this.#end(failure);
    this.#closed.resolve(failure);
  }

  #end(failure: Failure): void {
    this.#over = failure;
    this.#deadline.stop();
    this.#states?.stop();
    clearTimeout(this.#rateTimer);
    clearImmediate(this.#advancing);
    this.#batches.finishAll(failure);
    this.#drained();
  }

  /** Says goodbye within little more than a second; what is not acknowledged by then stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    const client = this.#client;
    if (this.#over === undefined && this.#outstanding > 0) {
      this.#halted ??= { kind: "retry", message: "The session ends" };
      await within(
        LAST_ACKS_MS,
        new Promise<void>((resolve) => this.#drained = resolve),
      );
    }
    let isTold = true;
    if (this.#over === undefined && this.#states !== undefined) {
      const farewell = this.#states.farewell(this.#outstanding);
      isTold = await within(FAREWELL_MS, farewell) ?? false;
    }
    if (this.#over === undefined) {
      this.#options.end.explained();
      this.#end({ kind: "retry", message: "The session has ended" });
      // MQTT.js sends no DISCONNECT while it waits for acknowledgements.
      for (const id of Object.keys(client.outgoing)) {
        client.removeOutgoingMessage(Number(id));
      }
      if (isTold) await within(CLOSE_MS, client.endAsync(false));
      else client.end(true); // Without a goodbye the broker sends the last will.
    }
    client.stream.destroy();
    await this.#gone.promise;
  }
}
