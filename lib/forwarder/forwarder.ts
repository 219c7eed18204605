/**
 * Takes rows from the journal to one sink, for as long as the gateway runs.
 *
 * - The cursor moves only over rows that the sink has reported done, in order. Where the sink wants
 *   live values first, a session has two lanes: what happens now, and the past while nothing else is
 *   to be sent.
 * - Batches make themselves: whatever has gathered is the next one. As many are under way as the
 *   session allows; small ones keep its pace.
 * - A failure ends the session; what was under way is given out again by the next one. Pauses grow
 *   with full jitter; a failure that will not pass by itself is tried slowly.
 * - An outage is one line in the log when it begins and one when all that it kept is delivered.
 *
 * @module
 */

import { getLogger, type Logger } from "@logtape/logtape";
import { wait } from "../wait.ts";
import { Bell } from "./bell.ts";
import type { Cursor } from "../journal/cursor.ts";
import type { Lane } from "../journal/lane.ts";
import type { Row } from "../model.ts";
import { Link, type LinkState } from "./link.ts";
import { Outage } from "./outage.ts";
import { Refusals } from "./refusals.ts";
import {
  type Failure,
  type Outcome,
  type Sink,
  SinkError,
  type SinkSession,
} from "../sink/sink.ts";

/** A session that lasted so long was a good one: the backoff begins anew. */
const GOOD_SESSION_MS = 60_000;
/** How often a failure that will not pass by itself is tried. */
const SLOW_RETRY_MS = 60_000;
/** The longest pause that a server may ask for: one with a wrong clock may ask for years. */
const LONGEST_PAUSE_MS = 600_000;
/** How often readings that were refused alone are tried again. */
const PARKED_RETRY_MS = 300_000;

/** Pauses between attempts. */
export interface Pauses {
  /** The next pause in milliseconds. */
  next(): number;
  /** All is well again. */
  reset(): void;
}

/** Options for {@linkcode Forwarder}. */
export interface ForwarderOptions {
  readonly sink: Sink;
  readonly cursor: Cursor;
  readonly backoff: Pauses;
  /** Calls its argument after each commit; returns how to stop that. */
  onCommit(listener: () => void): () => void;
  /** What could help while the server does not answer: `start it with …`. */
  readonly hint?: string;
  /** A monotonic clock in milliseconds. @default {performance.now} */
  now?(): number;
  /** @default {60000} */
  readonly slowRetryMs?: number;
  /** The longest pause that a sink may ask for. @default {600000} */
  readonly longestPauseMs?: number;
  /** @default {300000} */
  readonly parkedRetryMs?: number;
}

interface Flight {
  readonly lane: Lane;
  readonly rows: readonly Row[];
  outcome?: Outcome;
}

/** Takes rows to one sink. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #log: Logger;
  readonly #outage: Outage;
  readonly #link: Link;
  readonly #refusals: Refusals;
  readonly #bell = new Bell();
  readonly #stop = new AbortController();
  #hurry = false;
  #everConnected = false;
  #parkedDueMs = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#log = getLogger(["gateway", options.sink.name]);
    this.#link = new Link(() => this.#now());
    this.#refusals = new Refusals({ log: this.#log, now: () => this.#now() });
    this.#outage = new Outage({
      log: this.#log,
      delivered: () => options.cursor.ledger.delivered,
      now: () => this.#now(),
      hint: options.hint,
    });
  }

  /** The sink's name. */
  get name(): string {
    return this.#options.sink.name;
  }

  /** How the link to the server stands. */
  get link(): LinkState {
    return this.#link.state;
  }

  /** Tries what is parked as soon as nothing else is under way. */
  tryParkedNow(): void {
    this.#parkedDueMs = this.#now();
    this.#bell.ring();
  }

  /** Forwards until {@linkcode stop} is called. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    const stopListening = this.#options.onCommit(() => this.#bell.ring());
    try {
      while (!signal.aborted) {
        const failure = await this.#session();
        if (failure === undefined || signal.aborted) return;
        this.#outage.begin(failure);
        this.#link.failed(failure);
        await this.#pause(failure);
      }
    } finally {
      stopListening();
    }
  }

  /**
   * Asks it to end: at once while the server is away, otherwise when everything is delivered or
   * `deadline` is aborted.
   */
  stop(deadline: AbortSignal): void {
    this.#stop.abort();
    if (deadline.aborted) this.#leave();
    else deadline.addEventListener("abort", () => this.#leave());
    this.#bell.ring();
  }

  #leave(): void {
    this.#hurry = true;
    this.#bell.ring();
  }

  /** One session from open to end; undefined when it ended because it was asked to. */
  async #session(): Promise<Failure | undefined> {
    const { sink, cursor, backoff } = this.#options;
    let openedAt = Infinity;
    const flights: Flight[] = [];
    let failure: Failure | undefined;
    try {
      const live = sink.liveWithinS === undefined
        ? undefined
        : await cursor.openLive(sink.liveWithinS);
      {
        await using session = await sink.open({
          signal: this.#stop.signal,
          deliveredTo: live?.start.seq ?? cursor.seq,
          isDone: (seq) => cursor.isDone(seq),
        });
        openedAt = this.#now();
        this.#sayConnected(session.description);
        const lanes = live === undefined ? [cursor] : [live, cursor];
        failure = await this.#serve(session, lanes, flights);
      }
      // The session's end waits a moment for acknowledgements that are under way: they count.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#settle(flights);
    } catch (error) {
      failure = toFailure(error);
    } finally {
      cursor.giveBack();
    }
    if (this.#now() - openedAt >= GOOD_SESSION_MS) backoff.reset();
    return failure;
  }

  async #serve(
    session: SinkSession,
    lanes: readonly Lane[],
    flights: Flight[],
  ): Promise<Failure | undefined> {
    const { cursor, parkedRetryMs = PARKED_RETRY_MS } = this.#options;
    /** The last row of what an outage has kept. */
    const kept = cursor.newest;
    // A board that is silent commits nothing, and nobody else would ring.
    let parkedTimer: ReturnType<typeof setTimeout> | undefined;
    using _ = { [Symbol.dispose]: () => clearTimeout(parkedTimer) };
    const { paceMs = 0 } = session;
    let paceTimer: ReturnType<typeof setTimeout> | undefined;
    using __ = { [Symbol.dispose]: () => clearTimeout(paceTimer) };
    /** The next batch goes no earlier. */
    let nextMs = -Infinity;
    let closed: Failure | undefined;
    session.closed.then((failure) => {
      closed = failure;
      this.#bell.ring();
    });
    this.#parkedDueMs = this.#now();
    for (;;) {
      const failure = this.#settle(flights) ?? closed;
      if (failure !== undefined || this.#hurry) return failure;
      if (flights.length === 0 && this.#now() >= this.#parkedDueMs) {
        const parkedFailure = await this.#tryParked(session);
        if (parkedFailure !== undefined) return parkedFailure;
        this.#parkedDueMs = this.#now() + parkedRetryMs;
        clearTimeout(parkedTimer);
        parkedTimer = setTimeout(() => this.#bell.ring(), parkedRetryMs);
        if (this.#hurry) return undefined;
      }
      // Others may always be under way, or wait for their turn.
      if (cursor.seq >= kept) this.#outage.end();
      // Where nothing waits, that is to be told at once.
      const isPaced = cursor.waiting > 0 && !this.#stop.signal.aborted;
      const earlyMs = isPaced ? nextMs - this.#now() : 0;
      if (flights.length >= session.maxBatches) {
        // One that comes back rings.
      } else if (earlyMs > 0) {
        clearTimeout(paceTimer);
        paceTimer = setTimeout(() => this.#bell.ring(), earlyMs);
      } else {
        const flight = await this.#launchNext(session, lanes, flights);
        if (flight !== undefined) {
          flights.push(flight);
          const isAll = flight.rows.at(-1)!.seq >= cursor.newest;
          if (isAll && isSmall(flight.rows, session)) {
            nextMs = this.#now() + paceMs;
          }
          continue;
        }
        if (!hasFailed(flights)) session.caughtUp?.();
      }
      if (flights.length === 0) {
        this.#link.works();
        if (this.#stop.signal.aborted) return undefined;
      }
      await this.#bell.wait();
    }
  }

  /** Sends what the first lane has that has something, unless one of `flights` has failed. */
  async #launchNext(
    session: SinkSession,
    lanes: readonly Lane[],
    flights: readonly Flight[],
  ): Promise<Flight | undefined> {
    for (const lane of lanes) {
      const rows = await lane.next(session.maxReadings);
      // It may have failed meanwhile: nothing may go out behind what stays.
      if (hasFailed(flights)) return undefined;
      if (rows.length > 0) return this.#launch(session, lane, rows);
    }
    return undefined;
  }

  #launch(session: SinkSession, lane: Lane, rows: readonly Row[]): Flight {
    const flight: Flight = { lane, rows };
    const { past } = lane;
    session.deliver(rows, { past }).catch(toOutcome).then((outcome) => {
      flight.outcome = outcome;
      this.#bell.ring();
    });
    return flight;
  }

  /**
   * Books the flights that have come back, in order; gives the failure that ended one. The flights
   * behind that one are dropped: the cursor cannot pass what stays.
   */
  #settle(flights: Flight[]): Failure | undefined {
    for (let outcome; (outcome = flights[0]?.outcome) !== undefined;) {
      const { lane, rows } = flights.shift()!;
      lane.settle(rows, outcome);
      this.#refusals.say(outcome.rejected);
      if (outcome.failure === undefined) {
        this.#link.works();
        continue;
      }
      flights.length = 0;
      return outcome.failure;
    }
    return undefined;
  }

  async #tryParked(session: SinkSession): Promise<Failure | undefined> {
    for (;;) {
      // It waits for the disk, which may be full.
      const { cursor } = this.#options;
      const parked = await this.#inTime(cursor.refused.parked());
      if (!parked || parked.rows.length === 0) return undefined;
      const { past } = cursor;
      const outcome = await this.#inTime(
        session.deliver(parked.rows, { past }).catch(toOutcome),
      );
      if (outcome === undefined) return undefined;
      parked.settle(outcome);
      const ended = outcome.done - outcome.parked.length;
      if (outcome.failure?.kind === "blocked") return undefined;
      if (outcome.failure !== undefined || ended === 0) return outcome.failure;
    }
  }

  /** Waits before the next attempt, less where what was wrong is mended. */
  async #pause(failure: Failure): Promise<void> {
    const { signal } = this.#stop;
    const pauseMs = this.#pauseMs(failure);
    if (failure.kind !== "blocked" || failure.mended === undefined) {
      return await wait(pauseMs, signal);
    }
    const over = new AbortController();
    const end = () => over.abort();
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    const ends = [wait(pauseMs, over.signal), failure.mended(over.signal)];
    await Promise.race(ends);
    end();
    signal.removeEventListener("abort", end);
    await Promise.all(ends);
  }

  /** What `promise` gives, or undefined when there is no time left to wait for it. */
  async #inTime<T>(promise: Promise<T>): Promise<T | undefined> {
    let settled = false;
    const rung = promise.finally(() => {
      settled = true;
      this.#bell.ring();
    });
    rung.catch(() => {}); // It may fail when nobody waits any more.
    while (!settled) {
      if (this.#hurry) return undefined;
      await this.#bell.wait();
    }
    return await rung;
  }

  #pauseMs(failure: Failure): number {
    const {
      backoff,
      slowRetryMs = SLOW_RETRY_MS,
      longestPauseMs = LONGEST_PAUSE_MS,
    } = this.#options;
    const pauseMs = backoff.next();
    const atLeastMs = failure.afterMs ??
      (failure.kind === "blocked" ? slowRetryMs : 0);
    return Math.max(pauseMs, Math.min(atLeastMs, longestPauseMs));
  }

  #sayConnected(description: string): void {
    const level = this.#everConnected ? "debug" : "info";
    this.#everConnected = true;
    this.#link.opened(description);
    this.#log[level]("{description}", { description });
  }

  #now(): number {
    return (this.#options.now ?? performance.now.bind(performance))();
  }
}

/** Whether one of them has come back and was not taken. */
function hasFailed(flights: readonly Flight[]): boolean {
  return flights.some(({ outcome }) => outcome?.failure !== undefined);
}

/** Whether a batch has room for as much again. */
function isSmall(
  rows: readonly Row[],
  { maxReadings }: Pick<SinkSession, "maxReadings">,
): boolean {
  const readings = rows.reduce((sum, { readings }) => sum + readings.length, 0);
  return 2 * readings < maxReadings;
}

/** A fault of ours in a sink is no reason to give up: it is tried again like any other. */
function toFailure(error: unknown): Failure {
  return error instanceof SinkError
    ? error.failure
    : { kind: "retry", message: String(error) };
}

function toOutcome(error: unknown): Outcome {
  return { done: 0, rejected: [], parked: [], failure: toFailure(error) };
}
