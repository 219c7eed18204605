/**
 * The rows that were read from the disk last, a page at a time, so that a sink which lags behind asks
 * the disk for a thousand rows and not for each batch: each question waits behind the commit that is
 * under way.
 *
 * @module
 */

import type { StoredRow } from "./disk.ts";

/** So many sinks may read at places of their own. */
const MOST_PAGES = 4;

interface Page {
  /** It holds all rows from here up to its last one. */
  readonly after: number;
  readonly rows: readonly StoredRow[];
}

/** See the module's text. */
export class Pages {
  /** The one that was used last comes first. */
  #pages: Page[] = [];

  /** Keeps rows, at least one: all from `after` up to the last of them. */
  keep(after: number, rows: readonly StoredRow[]): void {
    this.#pages = [{ after, rows }, ...this.#pages].slice(0, MOST_PAGES);
  }

  /**
   * The rows after `seq`, with together `maxReadings` or all up to `newest`, and perhaps more; none where
   * these are not here.
   */
  after(
    seq: number,
    maxReadings: number,
    newest: number,
  ): readonly StoredRow[] {
    const index = this.#pages.findIndex(({ after, rows }) =>
      after <= seq && seq < rows.at(-1)!.seq
    );
    if (index === -1) return [];
    const [page] = this.#pages.splice(index, 1);
    this.#pages.unshift(page!);
    const { rows } = page!;
    let [from, to] = [0, rows.length - 1];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (rows[middle]!.seq > seq) to = middle;
      else from = middle + 1;
    }
    let readings = 0;
    for (let i = from; i < rows.length && readings < maxReadings; i++) {
      readings += rows[i]!.readings;
    }
    const isEnough = readings >= maxReadings || rows.at(-1)!.seq >= newest;
    return isEnough ? rows.slice(from) : [];
  }

  /** Gives up what holds rows up to `seq`. */
  forget(seq: number): void {
    this.#pages = this.#pages.filter(({ after }) => after >= seq);
  }
}
