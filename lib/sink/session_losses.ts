/**
 * Notices by how sessions end that two clients throw each other off the broker: where it says nothing
 * (MQTT 3.1.1, and MQTT.js on MQTT 5), all that shows is sessions that do not last.
 *
 * `#inARow` counts the newest sessions that were each lost soon after they began.
 *
 * @module
 */

import { SAME_CLIENT_ID_HINT } from "./mqtt_answers.ts";
import type { Failure } from "./sink.ts";

/** A session lost within this time of its CONNACK, in milliseconds, did not last. */
const SOON_MS = 10_000;
/** So many in a row are no chance. */
const TOO_MANY = 3;

/** What one session reports, once. */
export interface SessionEnd {
  /** It is over without having been asked; returns what that means after those before it. */
  lost(failure: Failure): Failure;
  /** It is over because we wanted it. */
  asked(): void;
}

/** Options for {@linkcode SessionLosses}. */
export interface SessionLossesOptions {
  readonly clientId: string;
  /** Milliseconds of a clock that never steps. */
  readonly monotonic: () => number;
}

/** The sessions of one sink, one after the other. */
export class SessionLosses {
  readonly #options: SessionLossesOptions;
  #inARow = 0;

  constructor(options: SessionLossesOptions) {
    this.#options = options;
  }

  /** The broker `name` has said yes just now. */
  begin(name: string): SessionEnd {
    const { monotonic } = this.#options;
    const since = monotonic();
    return {
      lost: (failure) => {
        const soon = monotonic() - since <= SOON_MS;
        this.#inARow = soon ? this.#inARow + 1 : 0;
        // What is blocked already has the broker's own reason.
        return this.#inARow >= TOO_MANY && failure.kind === "retry"
          ? this.#sameClientId(name)
          : failure;
      },
      asked: () => this.#inARow = 0,
    };
  }

  #sameClientId(name: string): Failure {
    return {
      kind: "blocked",
      message:
        `The connection to the MQTT broker at ${name} was lost ${TOO_MANY} times within ${
          SOON_MS / 1_000
        } s of connecting: probably another client uses the client id "${this.#options.clientId}"`,
      hint: SAME_CLIENT_ID_HINT,
    };
  }
}
