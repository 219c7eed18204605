/**
 * Notices by how sessions end that two clients throw each other off the broker: where it says nothing
 * (MQTT 3.1.1, and MQTT.js on MQTT 5), all that shows is sessions that do not last.
 *
 * Two that do so find the broker there at every attempt. Where an attempt fails it is the broker or the
 * network that goes and comes, and counting begins anew.
 *
 * `#inARow` counts the newest sessions that were each lost soon after they began. Each time that a rival
 * is named the pause grows, for two that come back at once would throw each other off for ever; only
 * a session longer than any pause makes it short again.
 *
 * @module
 */

import { SAME_CLIENT_ID_HINT } from "./mqtt_answers.ts";
import type { Failure } from "./sink.ts";

/** A session lost within this time of its CONNACK, in milliseconds, did not last. */
const SOON_MS = 10_000;
/** So many in a row are no chance. */
const TOO_MANY = 3;
/** The first pause and the longest one are at most so long, in milliseconds, and at least half of it. */
const FIRST_PAUSE_MS = 120_000;
const LONGEST_PAUSE_MS = 600_000;
/** Reason code "Session taken over". */
const TAKEN_OVER = 0x8e;

/** What one session reports, once. */
export interface SessionEnd {
  /**
   * It is over without having been asked; returns what that means after those before it.
   *
   * @param code reason code of the broker's DISCONNECT, if it sent one
   */
  lost(failure: Failure, code?: number): Failure;
  /** It is over for a reason that has nothing to do with a rival. */
  explained(): void;
}

/** Options for {@linkcode SessionLosses}. */
export interface SessionLossesOptions {
  readonly clientId: string;
  /** Milliseconds of a clock that never steps. */
  readonly monotonic: () => number;
  /** Numbers from 0 up to, not including, 1. */
  readonly random: () => number;
}

/** The sessions of one sink, one after the other. */
export class SessionLosses {
  readonly #options: SessionLossesOptions;
  #inARow = 0;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(options: SessionLossesOptions) {
    this.#options = options;
  }

  /** No broker could be reached, or none let us in. */
  unreachable(): void {
    this.#inARow = 0;
  }

  /** The broker `name` has said yes just now. */
  begin(name: string): SessionEnd {
    const { monotonic } = this.#options;
    const since = monotonic();
    const lastedMs = () => {
      const ms = monotonic() - since;
      // A shorter one is but the time that a rival paused.
      if (ms > LONGEST_PAUSE_MS) this.#pauseMs = FIRST_PAUSE_MS;
      return ms;
    };
    return {
      lost: (failure, code) => {
        this.#inARow = lastedMs() <= SOON_MS ? this.#inARow + 1 : 0;
        if (code === TAKEN_OVER && failure.kind === "blocked") {
          return { ...failure, afterMs: this.#nextPauseMs() };
        }
        // What is blocked already has the broker's own reason.
        return this.#inARow >= TOO_MANY && failure.kind === "retry"
          ? this.#sameClientId(name)
          : failure;
      },
      explained: () => {
        this.#inARow = 0;
        lastedMs();
      },
    };
  }

  #nextPauseMs(): number {
    const longest = this.#pauseMs;
    this.#pauseMs = Math.min(2 * longest, LONGEST_PAUSE_MS);
    return Math.round(longest * (1 + this.#options.random()) / 2);
  }

  #sameClientId(name: string): Failure {
    return {
      kind: "blocked",
      message:
        `The connection to the MQTT broker at ${name} was lost ${TOO_MANY} times within ${
          SOON_MS / 1_000
        } s of connecting: probably another client uses the client id "${this.#options.clientId}"`,
      hint: SAME_CLIENT_ID_HINT,
      afterMs: this.#nextPauseMs(),
    };
  }
}
