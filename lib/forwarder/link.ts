/**
 * How a sink's link stands, for whoever asks.
 *
 * A server that lets a session be opened and then refuses what it is given is not connected: the
 * link stands again when something was taken, or nothing is left to give.
 *
 * @module
 */

import type { Failure } from "../sink/sink.ts";

/** How a link stands. */
export interface LinkState {
  /** `failing` passes by itself; `blocked` waits for the operator. */
  readonly kind: "starting" | "connected" | "failing" | "blocked";
  /** For how long, in seconds. */
  readonly for_s: number;
  /** The session in its own words; null before the first. */
  readonly session: string | null;
  /** What the operator can do; only while blocked. */
  readonly hint: string | null;
  /** The last failure, also of a link that stands again. */
  readonly last_error: {
    readonly message: string;
    readonly age_s: number;
  } | null;
}

/** One sink's link. */
export class Link {
  readonly #now: () => number;
  #kind: LinkState["kind"] = "starting";
  #sinceMs: number;
  #session: string | null = null;
  #failure: { readonly failure: Failure; readonly atMs: number } | undefined;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    this.#sinceMs = now();
  }

  /** A session is open. */
  opened(description: string): void {
    this.#session = description;
    if (this.#kind === "starting") this.works();
  }

  /** Something was taken, or nothing is left to give. */
  works(): void {
    if (this.#kind === "connected") return;
    this.#kind = "connected";
    this.#sinceMs = this.#now();
  }

  /** An attempt or a session has failed. */
  failed(failure: Failure): void {
    const wasDown = this.#kind === "failing" || this.#kind === "blocked";
    this.#kind = failure.kind === "blocked" ? "blocked" : "failing";
    const atMs = this.#now();
    if (!wasDown) this.#sinceMs = atMs;
    this.#failure = { failure, atMs };
  }

  get state(): LinkState {
    const ageS = (ms: number) => Math.round((this.#now() - ms) / 1000);
    const { failure, atMs } = this.#failure ?? {};
    return {
      kind: this.#kind,
      for_s: ageS(this.#sinceMs),
      session: this.#session,
      hint: this.#kind === "blocked" && failure?.kind === "blocked"
        ? failure.hint
        : null,
      last_error: failure === undefined || atMs === undefined
        ? null
        : { message: failure.message, age_s: ageS(atMs) },
    };
  }
}
