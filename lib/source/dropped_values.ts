/**
 * Readings that end in the parser: of each path and reason the first is told, the others are counted and
 * among the rejects. There are at most three reasons for each metric, so it is bounded.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import { adviseDrop } from "../drop_advice.ts";
import type { DroppedReading } from "../model.ts";
import { getBoardLogger } from "./board_log.ts";
import { escapeTricks } from "./firmware_text.ts";

const log = getBoardLogger("source");

/** What was told of one board's. */
export class DroppedValues {
  readonly #catalogue: Catalogue;
  readonly #told = new Set<string>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** Readings that ended. */
  note(dropped: readonly DroppedReading[]): void {
    for (const one of dropped) {
      const key = `${one.reason} ${one.path}`;
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      // A sensor may fail now and then; a table that does not fit loses every value.
      const level = one.reason === "wrong_type" ? "warning" : "info";
      log[level]("{advice}", {
        advice: escapeTricks(adviseDrop(one, this.#catalogue.get(one.path))),
      });
    }
  }
}
