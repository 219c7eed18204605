/**
 * Reads what others publish, for as long as it is asked to: where the link is lost it connects anew.
 *
 * @module
 */

import type { MqttConfig } from "../config/schema.ts";
import { wait } from "../wait.ts";
import { Backoff } from "./backoff.ts";
import type { MqttDialer } from "./mqtt_dialer.ts";
import { MqttSubscription, type SeenMessage } from "./mqtt_subscription.ts";
import { SessionLosses } from "./session_losses.ts";
import { type Failure, SinkError } from "./sink.ts";

/** How the link is. */
export type WatchState =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected"; readonly description: string }
  | {
    /** It could not be made, or is lost, and is tried again after `pauseMs`. */
    readonly kind: "waiting";
    readonly failure: Failure;
    readonly pauseMs: number;
    /** There was a session, and it is over. */
    readonly isLost: boolean;
  };

/** Options for {@linkcode MqttWatcher}. */
export interface MqttWatcherOptions {
  readonly config: Pick<MqttConfig, "client_id" | "ack_timeout_s">;
  readonly dialer: MqttDialer;
  /** Topic filters, at least one. */
  readonly filters: readonly string[];
  onMessage(message: SeenMessage): void;
  onState(state: WatchState): void;
  /** Milliseconds of a clock that never steps. @default {performance.now} */
  readonly monotonic?: () => number;
  /** Numbers from 0 up to, not including, 1. @default {Math.random} */
  readonly random?: () => number;
}

/** The longest pause between two attempts, in milliseconds: somebody looks. */
const LONGEST_PAUSE_MS = 15_000;
/** A session that lasted so long was a good one, in milliseconds. */
const GOOD_MS = 10_000;
/** Reason code "Session taken over". */
const TAKEN_OVER = 0x8e;

/** See the module's text. */
export class MqttWatcher {
  readonly #options: MqttWatcherOptions;
  readonly #clientId: string;
  readonly #losses: SessionLosses;
  readonly #monotonic: () => number;
  readonly #backoff: Backoff;
  #hasBeenConnected = false;

  /** Its client id is the configuration's with `-watch` behind it: it takes nobody's place. */
  constructor(options: MqttWatcherOptions) {
    const { monotonic = () => performance.now(), random = Math.random } =
      options;
    this.#options = options;
    this.#clientId = `${options.config.client_id}-watch`;
    this.#losses = new SessionLosses({
      clientId: this.#clientId,
      monotonic,
      random,
    });
    this.#monotonic = monotonic;
    this.#backoff = new Backoff(random, { longestMs: LONGEST_PAUSE_MS });
  }

  /**
   * Watches until `signal` is aborted.
   *
   * @throws {SinkError} for what trying again would not mend: a wrong password at the first attempt, or
   * another one who uses the client id
   */
  async run(signal: AbortSignal): Promise<void> {
    const { onState } = this.#options;
    while (!signal.aborted) {
      onState({ kind: "connecting" });
      let failure: Failure;
      let isLost = true;
      try {
        failure = await this.#session(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof SinkError)) throw error;
        failure = error.failure;
        isLost = false;
        const mayPass = failure.kind === "retry" ||
          failure.mended !== undefined || this.#hasBeenConnected;
        if (!mayPass) throw error;
        this.#losses.unreachable();
      }
      if (signal.aborted) return;
      const pauseMs = this.#backoff.next();
      onState({ kind: "waiting", failure, pauseMs, isLost });
      await wait(pauseMs, signal);
    }
  }

  /** One session, to its end. */
  async #session(signal: AbortSignal): Promise<Failure> {
    const { config, dialer, filters, onMessage, onState } = this.#options;
    const clientId = this.#clientId;
    const connection = await dialer.dial({ clientId, signal });
    const timeoutS = config.ack_timeout_s;
    await using subscription = await MqttSubscription.open(connection, {
      filters,
      timeoutS,
      onMessage,
    });
    this.#hasBeenConnected = true;
    const end = this.#losses.begin(connection.broker.name);
    const since = this.#monotonic();
    onState({ kind: "connected", description: subscription.description });
    const over = await Promise.race([subscription.closed, aborted(signal)]);
    if (this.#monotonic() - since >= GOOD_MS) this.#backoff.reset();
    if (over === undefined) {
      end.explained();
      return { kind: "retry", message: "Nobody watches any more" };
    }
    const meaning = end.lost(over.failure, over.code);
    const isRival = over.code === TAKEN_OVER ||
      (meaning.kind === "blocked" && over.failure.kind === "retry");
    if (isRival) throw new RivalError(meaning, clientId);
    return over.failure;
  }
}

/** Thrown where another client of the same id and this one would throw each other out for ever. */
export class RivalError extends Error {
  constructor({ message }: Failure, clientId: string) {
    super(
      `${message}. To do: end the other one who watches as "${clientId}", or watch by a configuration with another "mqtt.client_id"`,
    );
    this.name = "RivalError";
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
