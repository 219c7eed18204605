/**
 * How the boards are, for who wants to hear of every change.
 *
 * A text is made when something changes, and says nothing that grows old: it may be read hours later.
 *
 * @module
 */

import { STATE_TOPICS } from "../catalogue.ts";
import type { SourceState } from "../source/source.ts";
import { describeChild, wordOfChild } from "./child_status.ts";

/** A text, and the topic below the prefix where it belongs. */
export interface BoardText {
  readonly topic: string;
  /** Never empty. */
  readonly text: string;
}

/** The newest state of each board, as a word and as a sentence. */
export class BoardStates {
  readonly #texts = new Map<string, readonly BoardText[]>();
  readonly #listeners = new Set<() => void>();

  /** Takes how `board` is now; its name is empty in the single `[gateway]` form. */
  set(board: string, state: SourceState): void {
    const place = board === "" ? "" : `${board}/`;
    this.#texts.set(board, [
      { topic: place + STATE_TOPICS.boardState, text: wordOfChild(state) },
      { topic: place + STATE_TOPICS.boardDetail, text: describeChild(state) },
    ]);
    for (const listener of this.#listeners) listener();
  }

  /** The newest texts of all boards that were heard of. */
  *current(): Iterable<BoardText> {
    for (const texts of this.#texts.values()) yield* texts;
  }

  /** Calls `listener` after each change; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
