/**
 * Texts for the tests of the state topics, changed by the test.
 *
 * @module
 */

import type { StateFeed } from "../../lib/sink/mqtt_states.ts";

/** The texts by topic; `set` tells the listeners. */
export class FakeFeed implements StateFeed {
  readonly #texts: Map<string, string>;
  readonly #listeners = new Set<() => void>();

  constructor(texts: Record<string, string> = {}) {
    this.#texts = new Map(Object.entries(texts));
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  set(topic: string, text: string): void {
    this.#texts.set(topic, text);
    for (const listener of this.#listeners) listener();
  }

  *current() {
    for (const [topic, text] of this.#texts) yield { topic, text };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
