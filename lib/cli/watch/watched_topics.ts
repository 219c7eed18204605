/**
 * The newest of each topic that is watched, and the numbers before it.
 *
 * @module
 */

import type { WatchedMessage } from "./watched_message.ts";

/** A topic that a message has come for. */
export interface WatchedTopic {
  readonly newest: WatchedMessage;
  /** When that came, in milliseconds of the clock that was given. */
  readonly ms: number;
  /** The last numbers, at most {@linkcode MOST_NUMBERS}, the newest last. */
  readonly numbers: readonly number[];
}

/** So many numbers of a topic are remembered. */
export const MOST_NUMBERS = 20;
/** A broker may have any number of topics; more than these are counted only. */
const MOST_TOPICS = 10_000;
/** The rate is that of the last so many milliseconds. */
const RATE_MS = 10_000;

/** Topics in the order of their names. */
export class WatchedTopics {
  readonly #topics = new Map<string, WatchedTopic>();
  /** Null where a new one has come since. */
  #sorted: readonly WatchedTopic[] | null = null;
  /** Messages of each of the last seconds, by the second. */
  readonly #seconds = new Map<number, number>();
  #firstMs: number | undefined;
  /** Messages of topics for which there was no more room. */
  passedOver = 0;

  /** How many topics there are. */
  get size(): number {
    return this.#topics.size;
  }

  /** Takes a message that came at `ms`. */
  take(message: WatchedMessage, ms: number): void {
    this.#count(ms);
    const { topic, value } = message;
    const known = this.#topics.get(topic);
    if (known === undefined && this.#topics.size >= MOST_TOPICS) {
      this.passedOver++;
      return;
    }
    const numbers = typeof value === "number"
      ? [...(known?.numbers ?? []), value].slice(-MOST_NUMBERS)
      : [];
    // 3.1.1 does not say of new messages whether they are kept; once one was, the topic is.
    const isRetained = message.isRetained || known?.newest.isRetained === true;
    this.#topics.set(topic, {
      newest: isRetained === message.isRetained
        ? message
        : { ...message, isRetained },
      ms,
      numbers,
    });
    this.#sorted = null;
  }

  /** All topics, sorted by name. */
  sorted(): readonly WatchedTopic[] {
    return this.#sorted ??= [...this.#topics.values()].sort((a, b) =>
      a.newest.topic < b.newest.topic ? -1 : 1
    );
  }

  /** Messages per second, of the last ten seconds or since the first; 0 before one second has passed. */
  rate(ms: number): number {
    this.#forget(ms);
    const spanMs = Math.min(RATE_MS, ms - (this.#firstMs ?? ms));
    if (spanMs < 1000) return 0;
    const count = [...this.#seconds.values()].reduce(
      (sum, one) => sum + one,
      0,
    );
    return count / (spanMs / 1000);
  }

  #count(ms: number): void {
    this.#firstMs ??= ms;
    const second = Math.floor(ms / 1000);
    const count = this.#seconds.get(second);
    if (count === undefined) this.#forget(ms);
    this.#seconds.set(second, (count ?? 0) + 1);
  }

  #forget(ms: number): void {
    for (const second of this.#seconds.keys()) {
      if (second * 1000 <= ms - RATE_MS) this.#seconds.delete(second);
    }
  }
}
