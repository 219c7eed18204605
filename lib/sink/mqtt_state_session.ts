/**
 * Tells one connection how things stand: everything after CONNACK, for the broker may have forgotten
 * it, then what changes.
 *
 * Before and after every call:
 * - one message at most is unanswered until the end, so the batches leave one place of the window;
 * - of each topic only the newest text is sent, at most once a second;
 * - no answer, bad answer or loss ends the session here, or is anything to a batch.
 *
 * @module
 */

import { STATE_TOPICS } from "../catalogue.ts";
import { describeReason } from "./mqtt_answers.ts";
import type { MqttConnection } from "./mqtt_connection.ts";
import type { StateFeed, StateText } from "./mqtt_states.ts";

/** What state messages are to the rest of a session. */
export interface StateFlow {
  /** Whether the broker keeps them for later subscribers. */
  readonly retain: boolean;
  /** Whether a message may be sent now; asked again every second. */
  readonly mayTell: () => boolean;
  /** A message was sent. */
  readonly onSent: () => void;
  /** A topic was refused: it is tried again after a minute. */
  readonly onRefused: (topic: string, why: string) => void;
}

/** Options for {@linkcode MqttStateSession}. */
export interface MqttStateSessionOptions extends StateFlow {
  /** `mqtt.topic_prefix` */
  readonly prefix: string;
  readonly ackTimeoutMs: number;
  readonly feed: StateFeed;
  /** Milliseconds of a clock that never steps. */
  readonly monotonic: () => number;
}

/** From one message of a topic to its next, in milliseconds. */
const PACE_MS = 1_000;
/** From a refused message of a topic to its next, in milliseconds. */
const REFUSED_PACE_MS = 60_000;
/** A session that ends so shortly after a message may have ended for it, in milliseconds. */
const AT_ONCE_MS = 2_000;
/** What a publish has around topic and text at most, in bytes (MQTT 5, section 3.3). */
const HEADER_BYTES = 1 + 4 + 2 + 2 + 1;

/** What the broker was told on a topic. */
interface Told {
  readonly text: string;
  readonly refused: boolean;
  /** When the next message may be sent. */
  readonly notBeforeMs: number;
}

/** See the module's text. */
export class MqttStateSession {
  /** At QoS 1 it takes a place of the broker's `receiveMaximum`. */
  readonly qos: 0 | 1;
  readonly #connection: MqttConnection;
  readonly #options: MqttStateSessionOptions;
  readonly #topics = new Map<string, Told>();
  /** The most messages that may be unanswered. */
  #most = 1;
  #unanswered = 0;
  #last: { topic: string; atMs: number } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #stopListening = () => {};
  /** Settles the farewell; present once it has begun. */
  #farewell: ((told: boolean) => void) | undefined;
  #over = false;

  constructor(connection: MqttConnection, options: MqttStateSessionOptions) {
    this.#connection = connection;
    this.#options = options;
    // Where one message alone may be unanswered the readings have that place.
    const { qos, receiveMaximum } = connection.limits;
    this.qos = qos === 0 || receiveMaximum === 1 ? 0 : 1;
  }

  /** Tells everything, and from now on what changes. */
  start(): void {
    this.#stopListening = this.#options.feed.onChange(() => this.#tell());
    this.#tell();
  }

  /** Where the message went that could have ended the session just now, if there was one. */
  get suspect(): string | undefined {
    const last = this.#last;
    const answered = this.qos === 1 && this.#unanswered === 0;
    if (last === undefined || answered) return undefined;
    const agoMs = this.#options.monotonic() - last.atMs;
    return agoMs <= AT_ONCE_MS ? last.topic : undefined;
  }

  /**
   * Tells what is new and, behind it, that the gateway leaves; gives whether the broker has answered.
   * It comes with {@linkcode stop} at the latest.
   *
   * @param unanswered messages of others that the broker has not acknowledged
   */
  farewell(unanswered: number): Promise<boolean> {
    if (this.#over || !this.#options.mayTell()) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#farewell = resolve;
    const { receiveMaximum } = this.#connection.limits;
    this.#most = Math.max(1, receiveMaximum - unanswered);
    this.#tell();
    return promise;
  }

  /** Tells nothing more. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    this.#stopListening();
    this.#farewell?.(false);
  }

  *#wanted(): Iterable<StateText> {
    const topic = STATE_TOPICS.gatewayState;
    if (this.#farewell === undefined) yield { topic, text: "online" };
    yield* this.#options.feed.current();
    if (this.#farewell !== undefined) yield { topic, text: "offline" };
  }

  /** Sends what is new and may be sent. */
  #tell(): void {
    if (this.#over) return;
    clearTimeout(this.#timer);
    const now = this.#options.monotonic();
    if (!this.#options.mayTell()) return this.#tellLater(PACE_MS);
    let dueMs = Infinity;
    for (const { topic, text } of this.#wanted()) {
      const told = this.#topics.get(topic);
      const isLast = this.#farewell !== undefined;
      if (told?.text === text && (isLast || !told.refused)) continue;
      if (told !== undefined && told.notBeforeMs > now && !isLast) {
        dueMs = Math.min(dueMs, told.notBeforeMs);
        continue;
      }
      if (this.#unanswered >= this.#most) return; // Its answer brings us here again.
      this.#send(topic, text);
    }
    if (dueMs < Infinity) this.#tellLater(dueMs - now);
  }

  #tellLater(ms: number): void {
    this.#timer = setTimeout(() => this.#tell(), ms);
  }

  #send(topic: string, text: string): void {
    const { prefix, retain, monotonic, onSent } = this.#options;
    const { client, limits } = this.#connection;
    const atMs = monotonic();
    this.#topics.set(topic, {
      text,
      refused: false,
      notBeforeMs: atMs + PACE_MS,
    });
    const name = `${prefix}/${topic}`;
    const bytes = HEADER_BYTES + new TextEncoder().encode(name + text).length;
    this.#unanswered++;
    if (bytes > limits.maximumPacketSize) {
      return queueMicrotask(() =>
        this.#answered(topic, text, `it takes ${bytes} bytes`)
      );
    }
    this.#last = { topic: name, atMs };
    this.#watch(name);
    onSent();
    client.publish(name, text, { qos: this.qos, retain }, (error) => {
      const code = (error as { code?: unknown } | null | undefined)?.code;
      if (error && typeof code !== "number") return; // The link is gone.
      const why = typeof code === "number" ? describeReason(code) : undefined;
      // A message of QoS 0 is answered while it is being sent.
      queueMicrotask(() => this.#answered(topic, text, why));
    });
  }

  /** A message that is never answered keeps its place: nothing more is told on this connection. */
  #watch(name: string): void {
    const { ackTimeoutMs, onRefused } = this.#options;
    clearTimeout(this.#deadline);
    // Later than all that notices a dead link.
    const ms = 2 *
      Math.max(ackTimeoutMs, this.#connection.client.keepalive * 1_000);
    this.#deadline = setTimeout(() => {
      onRefused(name, `no answer within ${ms / 1_000} s`);
      this.stop();
    }, ms);
  }

  #answered(topic: string, text: string, refusal?: string): void {
    if (this.#over) return;
    clearTimeout(this.#deadline);
    this.#unanswered--;
    const { prefix, monotonic, onRefused } = this.#options;
    if (refusal !== undefined) {
      const notBeforeMs = monotonic() + REFUSED_PACE_MS;
      this.#topics.set(topic, { text, refused: true, notBeforeMs });
      onRefused(`${prefix}/${topic}`, refusal);
    }
    const isLast = topic === STATE_TOPICS.gatewayState && text === "offline";
    if (isLast) return this.#farewell?.(true);
    this.#tell();
  }
}
