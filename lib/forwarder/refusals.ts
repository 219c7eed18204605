/**
 * What a server refuses for good, in the log: each kind of reading at once, then at most once an hour,
 * with how many there were. A server may refuse one sensor for months.
 *
 * @module
 */

import type { Logger } from "@logtape/logtape";
import type { Refusal } from "../sink/sink.ts";

/** A path that was named is named again only after so long, in milliseconds. */
const SILENCE_MS = 3_600_000;

/** Options for {@linkcode Refusals}. */
export interface RefusalsOptions {
  readonly log: Logger;
  /** A monotonic clock in milliseconds. */
  now(): number;
}

/** Says what is refused. */
export class Refusals {
  readonly #options: RefusalsOptions;
  /** By path: when it was named, and how many were not since. There are as many as metrics. */
  readonly #said = new Map<string, { atMs: number; unsaid: number }>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** These were refused. */
  say(refusals: readonly Refusal[]): void {
    for (
      const [path, ones] of Map.groupBy(refusals, ({ reading }) => reading.path)
    ) {
      this.#say(path, ones);
    }
  }

  #say(path: string, [first, ...others]: readonly Refusal[]): void {
    const { log, now } = this.#options;
    const nowMs = now();
    const said = this.#said.get(path);
    if (said !== undefined && nowMs - said.atMs < SILENCE_MS) {
      said.unsaid += 1 + others.length;
      return;
    }
    const more = others.length + (said?.unsaid ?? 0);
    this.#said.set(path, { atMs: nowMs, unsaid: 0 });
    log.warn("Refused for good: {path} = {value}{more}: {reason}", {
      path,
      value: first?.reading.value,
      more: more === 0 ? "" : ` and ${more} more`,
      reason: first?.reason,
    });
  }
}
