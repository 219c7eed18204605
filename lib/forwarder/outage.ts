/**
 * Outages in the log.
 *
 * - One line when an outage begins, one when all that it kept is delivered.
 * - One line when the first readings are delivered without any: somebody waits for that at a first start.
 * - The fourth outage within an hour says that the link flaps. From then on there is a summary, every
 *   ten minutes at most, and one line when the link was stable for ten minutes.
 * - What asks the operator for something, and an outage that lasts, has its line all the same.
 *
 * @module
 */

import type { Logger } from "@logtape/logtape";
import { counted } from "../counted.ts";
import { formatDuration } from "../duration.ts";
import type { Failure } from "../sink/sink.ts";

/** So many outages within {@linkcode WITHIN_MS} are no flapping. */
const FEW = 3;
const WITHIN_MS = 3_600_000;
/** Between two summaries; so long without an outage is stable, and so long an outage is a long one. */
const PAUSE_MS = 600_000;

/** Options for {@linkcode Outage}. */
export interface OutageOptions {
  readonly log: Logger;
  /** Readings delivered so far. */
  delivered(): number;
  /** A monotonic clock in milliseconds. */
  now(): number;
  /** What could help while the server does not answer. */
  readonly hint: string | undefined;
}

/** What is known of a link that flaps. */
interface Flapping {
  readonly sinceMs: number;
  /** Failures that the operator was told of meanwhile. */
  readonly said: Set<string>;
  /** Outages since `summaryMs`. */
  outages: number;
  summaryMs: number;
  /** When the last outage began or ended. */
  lastMs: number;
}

/** Says when an outage begins and when it is over. */
export class Outage {
  readonly #options: OutageOptions;
  /** The outage that lasts, and what was said of it. */
  #now: { sinceMs: number; delivered: number; said?: string } | undefined;
  /** When the newest outages began. */
  #begun: number[] = [];
  #flapping: Flapping | undefined;
  /** Readings delivered before this process; undefined once it was said that more are. */
  #before: number | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
    this.#before = options.delivered();
  }

  /** An attempt has failed. */
  begin(failure: Failure): void {
    const nowMs = this.#options.now();
    if (this.#now === undefined) this.#open(nowMs);
    const isNews = this.#flapping === undefined
      ? this.#isNews(failure)
      : this.#isNewsWhileFlapping(failure, this.#flapping, nowMs);
    if (isNews) this.#say(failure);
    else if (this.#flapping !== undefined) {
      this.#sayFlapping(this.#flapping, failure, nowMs);
    }
  }

  /** Everything is delivered. */
  end(): void {
    if (this.#before !== undefined) this.#sayFirst(this.#before);
    if (this.#now === undefined && this.#flapping === undefined) return;
    const { log, delivered, now } = this.#options;
    const nowMs = now();
    if (this.#now !== undefined) {
      const { sinceMs, delivered: before, said } = this.#now;
      this.#now = undefined;
      if (this.#flapping !== undefined) this.#flapping.lastMs = nowMs;
      if (said !== undefined) {
        log.info(
          "Delivers again after {duration}: {readings} kept, all delivered",
          {
            duration: formatDuration(nowMs - sinceMs),
            readings: counted(delivered() - before, "reading"),
          },
        );
      }
    }
    if (nowMs - (this.#flapping?.lastMs ?? nowMs) < PAUSE_MS) return;
    log.info("The link is stable again: no outage for {duration}", {
      duration: formatDuration(PAUSE_MS),
    });
    this.#settle();
  }

  #sayFirst(before: number): void {
    const { log, delivered } = this.#options;
    const readings = delivered() - before;
    if (readings === 0) return;
    this.#before = undefined;
    // What an outage has kept is said by itself.
    if (this.#now !== undefined) return;
    log.info("Delivers: {readings} so far", {
      readings: counted(readings, "reading"),
    });
  }

  #open(nowMs: number): void {
    this.#now = { sinceMs: nowMs, delivered: this.#options.delivered() };
    if (this.#flapping !== undefined) {
      this.#flapping.outages++;
      this.#flapping.lastMs = nowMs;
      return;
    }
    this.#begun = [...this.#begun, nowMs]
      .filter((beganMs) => nowMs - beganMs < WITHIN_MS);
    if (this.#begun.length <= FEW) return;
    this.#flapping = {
      sinceMs: this.#begun[0]!,
      said: new Set(),
      outages: this.#begun.length,
      summaryMs: -Infinity,
      lastMs: nowMs,
    };
  }

  /** While an outage lasts, only what asks the operator for something else is worth a further line. */
  #isNews(failure: Failure): boolean {
    const said = this.#now?.said;
    return said === undefined ||
      (failure.kind === "blocked" && said !== failure.message);
  }

  #isNewsWhileFlapping(
    failure: Failure,
    { said }: Flapping,
    nowMs: number,
  ): boolean {
    if (failure.kind === "blocked" && !said.has(failure.message)) {
      said.add(failure.message);
      return true;
    }
    const { sinceMs = nowMs, said: begun } = this.#now ?? {};
    const isLong = nowMs - sinceMs >= PAUSE_MS && begun === undefined;
    if (isLong) this.#settle();
    return isLong;
  }

  #settle(): void {
    this.#flapping = undefined;
    this.#begun = [];
  }

  #say(failure: Failure): void {
    const hint = failure.kind === "blocked" ? failure.hint : this.#options.hint;
    if (this.#now !== undefined) this.#now.said = failure.message;
    this.#options.log.warn(
      "Cannot deliver: {message}. Readings are kept until it works{hint}",
      {
        message: failure.message,
        hint: hint === undefined ? "" : `. ${hint}`,
      },
    );
  }

  #sayFlapping(flapping: Flapping, { message }: Failure, nowMs: number): void {
    const { outages, sinceMs, summaryMs } = flapping;
    if (outages === 0 || nowMs - summaryMs < PAUSE_MS) return;
    this.#options.log.warn(
      "The link flaps: {outages} within {duration}, the last one: {message}. Readings are kept; the next line about it comes in {pause} at the earliest",
      {
        outages: counted(outages, "outage"),
        duration: formatDuration(nowMs - Math.max(sinceMs, summaryMs)),
        message,
        pause: formatDuration(PAUSE_MS),
      },
    );
    flapping.outages = 0;
    flapping.summaryMs = nowMs;
  }
}
