/**
 * A first look at a board that is new: when its lines come and none is telemetry, that is said soon, and
 * not only once it is a silence.
 *
 * @module
 */

import { getBoardLogger } from "./board_log.ts";
import type { OtherLines } from "./other_lines.ts";
import type { SourceCounters } from "./telemetry_stream.ts";

/**
 * So many lines are looked at first: a firmware may say this and that as it starts, and one that speaks
 * every ten seconds is waited for by somebody.
 */
const FIRST_LINES = 5;
/** Names and numbers are not believed to be telemetry before. */
const FIRST_PAIRS = 20;
/** Behind so many lines nothing is new any more. */
const LAST_LINES = 5_000;

const log = getBoardLogger("source");

/** Looks at the lines of one board until it is known how they are. */
export class FirstLook {
  #isOver: boolean;
  #nextLines = FIRST_LINES;

  /** @param knownPaths where readings stood that came before this process */
  constructor(knownPaths: readonly string[]) {
    this.#isOver = knownPaths.length > 0;
  }

  /** A line came that is no packet. */
  take(
    { lines, packets }: Readonly<SourceCounters>,
    others: OtherLines,
  ): void {
    if (this.#isOver || lines < this.#nextLines) return;
    this.#isOver = packets > 0 || lines > LAST_LINES;
    if (this.#isOver) return;
    this.#nextLines = 2 * lines;
    const found = others.explain();
    // Fields without a metric are told by themselves, and the first words of a firmware may be anything.
    if (
      found?.todo === undefined || found.obstacle === "no metric" ||
      found.obstacle === "only words"
    ) return;
    if (found.obstacle === "no json" && lines < FIRST_PAIRS) return;
    this.#isOver = true;
    log.warning(
      'No telemetry in {lines} lines so far, such as "{sample}". To do: {todo}',
      { lines, sample: found.sample, todo: found.todo },
    );
  }
}
