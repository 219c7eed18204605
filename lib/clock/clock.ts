/**
 * The time of day as far as it is known.
 *
 * - A stretch is the time between two steps of the wall clock. It is known once the system says that
 *   its clock is synchronised, or a server's `Date` agrees with it, or the operator said so.
 * - What is found out about a stretch is handed to the journal's epochs, which correct what came
 *   before; a stretch that nobody knew in time is estimated.
 * - It looks at the clocks once a second and whenever it is asked for the time. All waiting is by the
 *   monotonic clock.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { formatDuration } from "../duration.ts";
import type { EventTime, TimeQuality } from "../model.ts";

/** The journal's epochs, as the clock uses them. */
export interface EpochLog {
  /** Begins an epoch in which time of day is `offsetUs` + monotonic; gives its id. */
  open(epoch: {
    readonly offsetUs: number;
    readonly monoUs: number;
    readonly quality: TimeQuality;
    readonly knownBy: string | null;
  }): number;
  /** The time of day is known: it is `offsetUs` + monotonic. */
  know(offsetUs: number, knownBy: string): void;
  /** Gives up waiting for what began up to `monoUs`; says how many epochs that were. */
  estimate(monoUs: number): number;
  /** What is known about an epoch. */
  quality(id: number): TimeQuality;
  /** Whether an epoch can give no time for `monoUs` any more. */
  isOver(id: number, monoUs: number): boolean;
}

/** A server's word on the time of day, at the moment it has come. */
export interface ServerTime {
  /** Its `Date` header, milliseconds since 1970: whole seconds, cut. */
  readonly dateMs: number;
  /** From the request to the head of the answer. */
  readonly tripMs: number;
  /** The server runs on this very machine, so its clock is ours. */
  readonly isHere: boolean;
}

/** Options for {@linkcode Clock}. */
export interface ClockOptions {
  /** `clock.trust` */
  readonly trust: boolean;
  /** `clock.hold_s` */
  readonly holdS: number;
  /** Microseconds since the system started, as `Boot.monotonicUs`. */
  monotonicUs(): number;
  /** Milliseconds since 1970. @default {Date.now} */
  wall?(): number;
  /** Asks the system who synchronises its clock, counting only what was said after a step. */
  ask(
    question: { readonly sinceMs?: number; readonly signal: AbortSignal },
  ): Promise<string | null>;
  /** Runs something every so many milliseconds; gives how to stop it. @default {setInterval} */
  every?(ms: number, run: () => void): () => void;
}

/** A larger step of the wall clock ends a stretch; slewing and rounding stay below. */
const STEP_US = 1_000_000;
/** So far a server's clock may be from ours, beside what the way and the whole second hide. */
const AGREES_US = 2_000_000;
/** An answer that took longer says too little about the time. */
const LONGEST_TRIP_US = 5_000_000;
const TICK_MS = 1_000;
/** Shorter standstills come with every garbage collection and every busy machine. */
const STANDSTILL_MS = 3_000;
const ASK_EVERY_US = 10_000_000;
/** Who is not synchronised after minutes may never be. */
const ASK_SELDOM_EVERY_US = 60_000_000;
const SELDOM_AFTER_US = 300_000_000;

/** Follows the wall clock from `start` to `stop`. */
export class Clock implements AsyncDisposable {
  readonly #options: ClockOptions;
  readonly #log = getLogger(["gateway", "clock"]);
  #epochs: EpochLog | undefined;
  /** Time of day of the monotonic clock's zero, in this stretch. */
  #offsetUs: number;
  #knownBy: string | null;
  #epoch: number | undefined;
  /** When this stretch began: by the wall clock if a step began it, and by the monotonic one. */
  #steppedMs: number | undefined;
  #stretch = 1;
  #beganUs: number;
  #askDueUs = -Infinity;
  #asking: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  /** Time of day of the monotonic clock's zero by a server, give or take the doubt. */
  #server: { readonly offsetUs: number; readonly doubtUs: number } | undefined;
  #saidDifference = false;
  #stopLooking = () => {};

  constructor(options: ClockOptions) {
    this.#options = options;
    this.#beganUs = options.monotonicUs();
    this.#offsetUs = this.#wallOffsetUs(this.#beganUs);
    this.#knownBy = options.trust ? "trust" : null;
  }

  /** Who knows that the clock is right (`timesyncd`, `influxdb`, `trust` …); null as long as nobody does. */
  get knownBy(): string | null {
    return this.#knownBy;
  }

  /** How far a server's clock is from ours, in milliseconds, where that is more than it may be. */
  get differenceMs(): number | undefined {
    if (this.#server === undefined) return undefined;
    const us = Math.abs(this.#server.offsetUs - this.#offsetUs);
    return us > AGREES_US + this.#server.doubtUs ? us / 1000 : undefined;
  }

  /** Begins to look at the clocks, for these epochs. */
  start(epochs: EpochLog): void {
    this.#epochs = epochs;
    if (this.#knownBy !== null) epochs.know(this.#offsetUs, this.#knownBy);
    let lastUs = this.#options.monotonicUs();
    const tick = () => {
      const nowUs = this.#options.monotonicUs();
      const overdueMs = (nowUs - lastUs) / 1000 - TICK_MS;
      lastUs = nowUs;
      if (overdueMs >= STANDSTILL_MS) {
        this.#log.warn(
          "This process stood still for {duration}: packets that came meanwhile get their times from the board's own clock",
          { duration: formatDuration(overdueMs) },
        );
      }
      this.#look(nowUs);
      this.#giveUp(nowUs);
      this.#askIfDue(nowUs);
    };
    this.#stopLooking = (this.#options.every ?? repeat)(TICK_MS, tick);
    this.#askIfDue(lastUs);
  }

  /** Looks no more; comes when nobody is being asked any more. */
  async stop(): Promise<void> {
    this.#stopLooking();
    this.#stopping.abort();
    await this.#asking;
    this.#epochs = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Microseconds since the system started. */
  get monotonicUs(): number {
    return this.#options.monotonicUs();
  }

  /** Microseconds since 1970: by the server's word where there is one, else by the wall clock. */
  get timeUs(): number {
    const monoUs = this.#options.monotonicUs();
    return Math.round(monoUs + (this.#server?.offsetUs ?? this.#offsetUs));
  }

  /** The time now, in the epoch that the journal has for it. @throws {Error} before `start` */
  now(): EventTime {
    if (this.#epochs === undefined) throw new Error("The clock is not started");
    const monoUs = Math.floor(this.#options.monotonicUs());
    this.#look(monoUs);
    if (this.#epoch !== undefined && this.#epochs.isOver(this.#epoch, monoUs)) {
      this.#epoch = undefined;
    }
    const late = this.#options.holdS === 0 ? "estimated" : "unknown";
    this.#epoch ??= this.#epochs.open({
      offsetUs: this.#offsetUs,
      monoUs,
      quality: this.#knownBy !== null ? "known" : late,
      knownBy: this.#knownBy,
    });
    return { epoch: this.#epoch, monoUs };
  }

  /** A server called `name` has answered: it may be a second opinion. */
  hear(name: string, { dateMs, tripMs, isHere }: ServerTime): void {
    const tripUs = tripMs * 1000;
    if (!Number.isFinite(dateMs) || tripUs > LONGEST_TRIP_US) return;
    const nowUs = this.#options.monotonicUs();
    this.#look(nowUs);
    // The header names the second, and was written at any moment of the trip.
    const doubtUs = (1_000_000 + tripUs) / 2;
    this.#server = { offsetUs: dateMs * 1000 - nowUs + doubtUs, doubtUs };
    if (this.differenceMs !== undefined) {
      if (this.#knownBy !== null) this.#sayDifference(name);
    } else if (this.#knownBy === null && (!isHere || this.#hasSettled(nowUs))) {
      this.#know(name);
    }
  }

  /**
   * Whether the system has run for so long that whoever would set its clock has done so: before, a
   * server on this machine has the same saved time as we have.
   */
  #hasSettled(nowUs: number): boolean {
    return nowUs >= this.#options.holdS * 1e6;
  }

  #wallOffsetUs(monoUs: number): number {
    return Math.round((this.#options.wall ?? Date.now)() * 1000 - monoUs);
  }

  /** Sees whether the wall clock was set. */
  #look(monoUs: number): void {
    if (Math.abs(this.#wallOffsetUs(monoUs) - this.#offsetUs) <= STEP_US) {
      return;
    }
    // A process that was stopped between the two clocks sees a step where none was.
    const againUs = this.#options.monotonicUs();
    const offsetUs = this.#wallOffsetUs(againUs);
    const stepUs = offsetUs - this.#offsetUs;
    if (Math.abs(stepUs) <= STEP_US) return;
    this.#log.warn(
      "The clock of this PC was set {direction} by {duration}, or the PC slept",
      {
        direction: stepUs > 0 ? "forward" : "back",
        duration: formatDuration(Math.abs(stepUs) / 1000),
      },
    );
    this.#offsetUs = offsetUs;
    this.#epoch = undefined;
    this.#stretch++;
    this.#beganUs = monoUs;
    this.#steppedMs = (offsetUs + monoUs) / 1000;
    this.#knownBy = this.#options.trust ? "trust" : null;
    this.#saidDifference = false;
    this.#askDueUs = -Infinity;
    if (this.#epochs === undefined) return;
    if (this.#knownBy !== null) this.#know(this.#knownBy);
    this.#askIfDue(monoUs);
  }

  #know(by: string): void {
    this.#knownBy = by;
    const monoUs = this.#options.monotonicUs();
    // A step below the limit may have brought it nearer to the truth.
    this.#offsetUs = this.#wallOffsetUs(monoUs);
    this.#log.info("The clock of this PC is known to be right: {by}", { by });
    if (this.#epochs === undefined) return;
    this.#epochs.know(this.#offsetUs, by);
    const isSettled = this.#epoch !== undefined &&
      this.#epochs.quality(this.#epoch) !== "known";
    if (isSettled) this.#epoch = undefined;
  }

  /** Lets go of what has waited long enough to be known. */
  #giveUp(monoUs: number): void {
    if (this.#knownBy !== null || this.#epochs === undefined) return;
    const heldSinceUs = monoUs - this.#options.holdS * 1e6;
    if (this.#epochs.estimate(heldSinceUs) === 0) return;
    const ms = this.differenceMs;
    this.#log.warn(
      'Nobody has said for {hold} s that the clock of this PC is right: times are estimated, and points get the tag clock="estimated". "iiot-gateway check" says what to do{difference}',
      {
        hold: this.#options.holdS,
        difference: ms === undefined
          ? ""
          : `. A server's clock differs from it by ${formatDuration(ms)}`,
      },
    );
  }

  #askIfDue(monoUs: number): void {
    if (
      this.#knownBy !== null || this.#asking !== undefined ||
      this.#stopping.signal.aborted || monoUs < this.#askDueUs
    ) return;
    const isOld = monoUs - this.#beganUs > SELDOM_AFTER_US;
    this.#askDueUs = monoUs + (isOld ? ASK_SELDOM_EVERY_US : ASK_EVERY_US);
    const stretch = this.#stretch;
    const since = this.#steppedMs;
    const { signal } = this.#stopping;
    this.#asking = this.#options.ask(
      since === undefined ? { signal } : { sinceMs: since, signal },
    )
      // Who cannot answer has not said yes.
      .catch(() => null)
      .then((by) => {
        this.#asking = undefined;
        this.#look(this.#options.monotonicUs());
        // The answer may be of the time before a step.
        const isOfNow = stretch === this.#stretch;
        if (by !== null && isOfNow && this.#knownBy === null) this.#know(by);
      });
  }

  #sayDifference(name: string): void {
    const ms = this.differenceMs;
    if (this.#saidDifference || ms === undefined) return;
    this.#saidDifference = true;
    this.#log.warn(
      "The clocks of this PC and of {name} differ by {difference}; by {by} this PC's is right",
      { name, difference: formatDuration(ms), by: this.#knownBy },
    );
  }
}

function repeat(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
