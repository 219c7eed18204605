/**
 * An outage in the log: one line when it begins, one when all that it kept is delivered.
 *
 * @module
 */

import type { Logger } from "@logtape/logtape";
import { formatDuration } from "../duration.ts";
import type { Failure } from "../sink/sink.ts";

/** Options for {@linkcode Outage}. */
export interface OutageOptions {
  readonly log: Logger;
  /** Readings delivered so far. */
  delivered(): number;
  /** A monotonic clock in milliseconds. */
  now(): number;
  /** What could help while the server does not answer. */
  readonly hint: string | undefined;
}

/** Says when an outage begins and when it is over. */
export class Outage {
  readonly #options: OutageOptions;
  #now: { sinceMs: number; delivered: number; said: string } | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** An attempt has failed. */
  begin(failure: Failure): void {
    const { log, delivered, now } = this.#options;
    // While it lasts, only what asks the operator for something else is worth a further line.
    const known = this.#now !== undefined &&
      (failure.kind === "retry" || this.#now.said === failure.message);
    this.#now ??= { sinceMs: now(), delivered: delivered(), said: "" };
    this.#now.said = failure.message;
    if (known) return;
    const hint = failure.kind === "blocked" ? failure.hint : this.#options.hint;
    log.warn(
      "Cannot deliver: {message}. Readings are kept until it works{hint}",
      {
        message: failure.message,
        hint: hint === undefined ? "" : `. ${hint}`,
      },
    );
  }

  /** Everything is delivered. */
  end(): void {
    if (this.#now === undefined) return;
    const { log, delivered, now } = this.#options;
    const { sinceMs, delivered: before } = this.#now;
    this.#now = undefined;
    log.info(
      "Delivers again after {duration}: {readings} readings kept, all delivered",
      {
        duration: formatDuration(now() - sinceMs),
        readings: delivered() - before,
      },
    );
  }
}
