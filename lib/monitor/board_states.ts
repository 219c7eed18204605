/**
 * How the boards are, for who wants to hear of every change.
 *
 * A sentence is made when something changes and may be read hours later, so it says when that was.
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

/** Options for {@linkcode BoardStates}. */
export interface BoardStatesOptions {
  /** Microseconds since 1970; undefined while nobody knows the time. */
  now(): number | undefined;
}

/** The newest state of each board, as a word and as a sentence. */
export class BoardStates {
  readonly #options: BoardStatesOptions;
  readonly #texts = new Map<string, readonly BoardText[]>();
  readonly #sentences = new Map<string, string>();
  readonly #listeners = new Set<() => void>();

  constructor(options: BoardStatesOptions) {
    this.#options = options;
  }

  /** Takes how `board` is now; its name is empty in the single `[gateway]` form. */
  set(board: string, state: SourceState): void {
    const word = wordOfChild(state);
    const sentence = describeChild(state);
    // What is the same was said when it began.
    if (this.#sentences.get(board) === `${word} ${sentence}`) return;
    this.#sentences.set(board, `${word} ${sentence}`);
    const place = board === "" ? "" : `${board}/`;
    this.#texts.set(board, [
      { topic: place + STATE_TOPICS.boardState, text: word },
      { topic: place + STATE_TOPICS.boardDetail, text: this.#date(sentence) },
    ]);
    for (const listener of this.#listeners) listener();
  }

  /** `At 2026-11-27T10:00:00Z the program …` */
  #date(sentence: string): string {
    const us = this.#options.now();
    if (us === undefined) return `T${sentence.slice(1)}`;
    const time = new Date(us / 1_000).toISOString().replace(/\.\d+Z/, "Z");
    return `At ${time} ${sentence}`;
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
