/**
 * Values that are expected so and so often (`expect_interval_s`). Pure: it is told what comes, and asked
 * what is missed.
 *
 * - Only a value that has come before, be it to a process before this one, is missed.
 * - Only time counts in which the board's program runs and this process is awake to hear it; over new starts
 *   it counts on, and each leaves the program some time to begin.
 * - One that is missed is told once, and once more when it is back.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";

/** A value that does not come as often as it should. */
export interface MissedValue {
  /** Where it stands in the board's JSON. */
  readonly path: string;
  /** Since it came last, or since it could have come. */
  readonly forMs: number;
  /** How often it should. */
  readonly everyMs: number;
}

/** So many intervals without a value are too many. */
const INTERVALS = 3;
/** Between two looks, at least; what is due is told at the next one: what came meanwhile is read first. */
const LOOK_MS = 1_000;
/** And at most: only a look that is late is noticed. */
const LONGEST_LOOK_MS = 30_000;
/** A look that comes so late: this process stood still. */
const AWAY_MS = 5_000;
/** So long a value is waited for behind a start, however long it has not come: a board's radio has to join. */
const START_MS = 120_000;

interface Expected {
  readonly everyMs: number;
  /** When it came last; undefined: it never did. */
  heardMs: number | undefined;
  isDue: boolean;
  isMissed: boolean;
}

/** Watches one board's values. All times are milliseconds that only grow. */
export class ExpectedValues {
  readonly #values = new Map<string, Expected>();
  #lookMs = 0;
  /** Until then values could come. */
  #awakeMs = 0;

  /** @param knownPaths where values stood that came before this process */
  constructor(catalogue: Catalogue, knownPaths: Iterable<string> = []) {
    const known = new Set(knownPaths);
    for (const { path, expectIntervalS } of catalogue.values()) {
      if (expectIntervalS === undefined) continue;
      this.#values.set(path, {
        everyMs: expectIntervalS * 1000,
        heardMs: known.has(path) ? 0 : undefined,
        isDue: false,
        isMissed: false,
      });
    }
  }

  /** Whether nothing is expected. */
  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  /** Nothing can come from now on. */
  stopped(nowMs: number): void {
    this.#awakeMs = nowMs;
  }

  /** Nothing could come until now, since {@linkcode stopped} or the last look. */
  excuse(nowMs: number): void {
    const awayMs = nowMs - this.#awakeMs;
    for (const value of this.#values.values()) {
      if (value.heardMs === undefined || value.isMissed) continue;
      const graceMs = Math.min(START_MS, INTERVALS * value.everyMs);
      const earliestMs = nowMs - INTERVALS * value.everyMs + graceMs;
      // One that was heard meanwhile came now, at the latest.
      value.heardMs = Math.min(
        nowMs,
        Math.max(earliestMs, value.heardMs + awayMs),
      );
      value.isDue = false;
    }
    this.#awakeMs = nowMs;
  }

  /** A value of `path` came; gives it where it was missed. */
  heard(nowMs: number, path: string): MissedValue | undefined {
    const value = this.#values.get(path);
    if (value === undefined) return undefined;
    const back = value.isMissed ? missed(path, value, nowMs) : undefined;
    value.heardMs = nowMs;
    value.isDue = value.isMissed = false;
    return back;
  }

  /** How long until the next {@linkcode look}. */
  untilNextLookMs(nowMs: number): number {
    let waitMs = LONGEST_LOOK_MS;
    for (const { heardMs, everyMs, isMissed } of this.#values.values()) {
      if (heardMs === undefined || isMissed) continue;
      waitMs = Math.min(waitMs, heardMs + INTERVALS * everyMs - nowMs);
    }
    waitMs = Math.max(LOOK_MS, waitMs);
    this.#lookMs = nowMs + waitMs;
    return waitMs;
  }

  /** Values that are missed from now on. */
  look(nowMs: number): MissedValue[] {
    if (nowMs - this.#lookMs > AWAY_MS) {
      this.excuse(nowMs);
      return [];
    }
    this.#awakeMs = nowMs;
    const found: MissedValue[] = [];
    for (const [path, value] of this.#values) {
      const { heardMs, everyMs, isMissed, isDue } = value;
      if (heardMs === undefined || isMissed) continue;
      value.isDue = nowMs - heardMs >= INTERVALS * everyMs;
      if (!isDue || !value.isDue) continue;
      value.isMissed = true;
      found.push(missed(path, value, nowMs));
    }
    return found;
  }

  /** Values that are missed. */
  missed(nowMs: number): MissedValue[] {
    return [...this.#values].filter(([, { isMissed }]) => isMissed)
      .map(([path, value]) => missed(path, value, nowMs));
  }
}

function missed(
  path: string,
  { heardMs = 0, everyMs }: Expected,
  nowMs: number,
): MissedValue {
  return { path, forMs: nowMs - heardMs, everyMs };
}
