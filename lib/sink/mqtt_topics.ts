/**
 * The topics of the catalogue: `PREFIX/NODE/NAME`, and `PREFIX/BOARD/NODE/NAME` for a named board.
 *
 * @module
 */

import { type Catalogue, isPlain, type Metric, topicOf } from "../catalogue.ts";

/** The level below the prefix where the past goes; no board and no metric begins with it. */
export const HISTORY_LEVEL = "history";

/** A topic, prepared once for all its messages. */
export interface Topic {
  readonly name: string;
  /** The name in UTF-8. */
  readonly utf8: Uint8Array;
  /** Whether the broker is to keep its newest value. */
  readonly retain: boolean;
  /** What its values are. */
  readonly metric: Metric;
  /** A number is sent as it is. */
  readonly isPlain: boolean;
}

/** Topics by board and JSON path, made when first asked for. */
export class MqttTopics {
  readonly #prefix: string;
  readonly #retain: boolean;
  readonly #catalogue: Catalogue;
  readonly #boards = new Map<string, Map<string, Topic>>();

  constructor(prefix: string, retain: boolean, catalogue: Catalogue) {
    this.#prefix = prefix;
    this.#retain = retain;
    this.#catalogue = catalogue;
  }

  /** The topic of `path` on `board`, or undefined where the catalogue has no such path. */
  of(board: string, path: string): Topic | undefined {
    let topics = this.#boards.get(board);
    if (topics === undefined) this.#boards.set(board, topics = new Map());
    let topic = topics.get(path);
    if (topic === undefined) {
      topic = this.#make(board, path);
      if (topic !== undefined) topics.set(path, topic);
    }
    return topic;
  }

  #make(board: string, path: string): Topic | undefined {
    const metric = this.#catalogue.get(path);
    if (metric === undefined) return undefined;
    const levels = [
      this.#prefix,
      ...(board === "" ? [] : [board]),
      topicOf(metric),
    ];
    const name = levels.join("/");
    return {
      name,
      utf8: new TextEncoder().encode(name),
      retain: this.#retain && metric.retain,
      metric,
      isPlain: isPlain(metric),
    };
  }
}
