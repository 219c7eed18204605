/**
 * The journal's clock epochs: what turns a monotonic time into a time of day.
 *
 * What holds before and after every call:
 *
 * - An epoch is settled once: then its offset never changes again, and a row of it has the same time
 *   for ever. Until then its quality is `unknown`. What the sinks are told is settled is on the disk.
 * - No two settled epochs give the same microsecond: monotonic times are multiples of 8, and the
 *   offsets of epochs whose times overlap differ modulo 8. An epoch is over before it comes to times
 *   that an earlier one of its remainder has given ({@linkcode Epochs.isOver}). Where all eight are
 *   taken at its very beginning, it is moved behind the end of the one that ends first.
 * - Epochs of an earlier run of the operating system cannot be corrected: one that was left unknown is
 *   estimated.
 *
 * @module
 */

import { type EventTime, STAMP_US, type TimeQuality } from "../model.ts";
import type { Epoch } from "./disk.ts";
import { TIME_OF_DAY } from "./schema.ts";

/** Stamps run ahead of the clock by a little when packets come faster than 125,000 a second. */
const MAY_RUN_AHEAD_US = 1_000_000;

/** Options for {@linkcode Epochs}. */
export interface EpochsOptions {
  /** Those of the file. */
  readonly known: readonly Epoch[];
  /** The newest row of the file. */
  readonly newest: EventTime | null;
  /** Identifies the operating system's run; empty where it has no such id. */
  readonly bootId: string;
  /** Microseconds since the operating system's start. */
  monotonicUs(): number;
  /** `epoch` is new or changed and is to be written; its times have moved by `movedUs`. */
  changed(epoch: Epoch, movedUs: number): void;
  /** Rows wait for what was changed. */
  settled(): void;
}

interface Entry {
  epoch: Epoch;
  /** Its quality as the disk has it. */
  stored: TimeQuality;
  /** Its monotonic times are of the same clock as ours. */
  readonly isOfThisRun: boolean;
  /** From this monotonic time on it would give times that are given. */
  untilUs: number;
}

/** What an epoch tells of a row. */
export interface RowTime {
  readonly timeUs: number;
  readonly timeQuality: TimeQuality;
  readonly monoUs?: number;
}

/** All epochs that a journal knows. */
export class Epochs {
  readonly #options: EpochsOptions;
  readonly #entries = new Map<number, Entry>();
  #lastId = 0;
  #version = 0;

  constructor(options: EpochsOptions) {
    this.#options = options;
    const nowUs = options.monotonicUs();
    for (const stored of options.known) {
      const { newest } = options;
      // The last one was still open when the process ended.
      const lastUs = stored.lastUs ??
        (newest?.epoch === stored.id ? newest.monoUs : stored.firstUs);
      const epoch = { ...stored, lastUs };
      // A container that was started anew counts from zero under the same id.
      const isOfThisRun = options.bootId !== "" &&
        epoch.bootId === options.bootId && lastUs <= nowUs + MAY_RUN_AHEAD_US;
      const entry = {
        epoch,
        stored: epoch.quality,
        isOfThisRun,
        untilUs: Infinity,
      };
      this.#entries.set(epoch.id, entry);
      if (stored.lastUs === null) options.changed(epoch, 0);
      this.#lastId = Math.max(this.#lastId, epoch.id);
    }
    for (const entry of this.#entries.values()) {
      if (entry.epoch.quality === "unknown" && !entry.isOfThisRun) {
        this.#settle(entry, entry.epoch.offsetUs, "estimated", null);
      }
    }
  }

  /** Grows whenever rows that were unknown are settled on the disk. */
  get version(): number {
    return this.#version;
  }

  /** Begins an epoch; the one before it is over. Its first stamp will be `monoUs`, or later. */
  open({ offsetUs, monoUs, quality = "known", knownBy = null }: {
    readonly offsetUs: number;
    readonly monoUs: number;
    /** @default {"known"} */
    readonly quality?: TimeQuality;
    /** @default {null} */
    readonly knownBy?: string | null;
  }): number {
    const before = this.#entries.get(this.#lastId);
    if (before?.epoch.lastUs === null) {
      before.epoch = { ...before.epoch, lastUs: monoUs };
      this.#options.changed(before.epoch, 0);
    }
    const id = ++this.#lastId;
    const entry: Entry = {
      epoch: {
        id,
        bootId: this.#options.bootId,
        offsetUs,
        quality: "unknown",
        knownBy: null,
        correctedUs: 0,
        firstUs: monoUs,
        lastUs: null,
      },
      stored: "unknown",
      isOfThisRun: true,
      untilUs: Infinity,
    };
    this.#entries.set(id, entry);
    if (quality === "unknown") this.#options.changed(entry.epoch, 0);
    else this.#settle(entry, offsetUs, quality, knownBy);
    return id;
  }

  /** The epoch of rows whose monotonic time is the time of day itself. */
  timeOfDay(): number {
    const { id } = TIME_OF_DAY;
    if (!this.#entries.has(id)) {
      const entry = {
        epoch: TIME_OF_DAY,
        stored: TIME_OF_DAY.quality,
        isOfThisRun: false,
        untilUs: Infinity,
      };
      this.#entries.set(id, entry);
      this.#options.changed(TIME_OF_DAY, 0);
    }
    return id;
  }

  /** The epoch that was begun last; null where none was. */
  get newest(): Epoch | null {
    return this.#entries.get(this.#lastId)?.epoch ?? null;
  }

  /** The time of day is known: all of this run that is not settled gets `offsetUs`. */
  know(offsetUs: number, knownBy: string): void {
    const unsettled = this.#unsettled();
    for (const entry of unsettled) {
      this.#settle(entry, offsetUs, "known", knownBy);
    }
    if (unsettled.length > 0) this.#options.settled();
  }

  /** Settles as they are the epochs that began up to `monoUs`; says how many. */
  estimate(monoUs: number): number {
    const waited = this.#unsettled().filter(({ epoch }) =>
      epoch.firstUs <= monoUs
    );
    for (const entry of waited) {
      this.#settle(entry, entry.epoch.offsetUs, "estimated", null);
    }
    if (waited.length > 0) this.#options.settled();
    return waited.length;
  }

  /** Whether an epoch can give no time for `monoUs`, because another one has: a new one is due. */
  isOver(id: number, monoUs: number): boolean {
    return monoUs >= this.#entry(id).untilUs;
  }

  /** What is known about an epoch, on the disk or not yet; `known` for one that is forgotten. */
  quality(id: number): TimeQuality {
    return this.#entries.get(id)?.epoch.quality ?? "known";
  }

  /** What the disk knows about an epoch, and so the sinks may; `known` for one that is forgotten. */
  storedQuality(id: number): TimeQuality {
    return this.#entries.get(id)?.stored ?? "known";
  }

  /** The disk has these. */
  committed(epochs: readonly Epoch[]): void {
    for (const { id, quality } of epochs) {
      const entry = this.#entries.get(id);
      if (entry === undefined || entry.stored === quality) continue;
      entry.stored = quality;
      this.#version++;
    }
  }

  /** When a row happened, as far as the disk knows. @throws {Error} if the epoch is not in the journal */
  time({ epoch: id, monoUs }: EventTime): RowTime {
    const { epoch, stored, isOfThisRun } = this.#entry(id);
    return {
      timeUs: epoch.offsetUs + monoUs,
      timeQuality: stored,
      ...(isOfThisRun ? { monoUs } : {}),
    };
  }

  /**
   * Whether a row is certainly older than `ageUs`, whatever a wrong clock says: by the monotonic clock
   * where it is of this run; else by the time of day if that is known, and of all that the clock was
   * set to in this run the earliest.
   */
  isOlder(at: EventTime, ageUs: number): boolean {
    const { epoch, isOfThisRun } = this.#entry(at.epoch);
    const nowUs = this.#options.monotonicUs();
    if (isOfThisRun) return nowUs - at.monoUs > ageUs;
    const ours = [...this.#entries.values()].filter((one) => one.isOfThisRun);
    if (ours.at(-1)?.epoch.quality !== "known") return false;
    const offsetUs = ours.reduce(
      (least, one) => Math.min(least, one.epoch.offsetUs),
      Infinity,
    );
    return offsetUs + nowUs - (epoch.offsetUs + at.monoUs) > ageUs;
  }

  #entry(id: number): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      throw new Error(`The journal has no clock epoch ${id}`);
    }
    return entry;
  }

  #unsettled(): Entry[] {
    return [...this.#entries.values()].filter(({ epoch, isOfThisRun }) =>
      isOfThisRun && epoch.quality === "unknown"
    );
  }

  #settle(
    entry: Entry,
    wantedUs: number,
    quality: TimeQuality,
    knownBy: string | null,
  ): void {
    const before = entry.epoch;
    const offsetUs = this.#freeOffset(entry, wantedUs);
    const movedUs = offsetUs - before.offsetUs;
    entry.epoch = {
      ...before,
      offsetUs,
      quality,
      knownBy,
      correctedUs: movedUs,
    };
    this.#options.changed(entry.epoch, movedUs);
  }

  /**
   * An offset near `wantedUs` with which no time that `entry` has given so far is one of another
   * settled epoch; the one that lasts longest from here on.
   */
  #freeOffset(entry: Entry, wantedUs: number): number {
    const others = [...this.#entries.values()].filter((other) =>
      other !== entry && other.epoch.quality !== "unknown"
    ).map(({ epoch }) => extentOf(epoch, epoch.offsetUs));
    const lastUs = entry.epoch.lastUs ?? this.#options.monotonicUs();
    for (let offsetUs = wantedUs;;) {
      const own = extentOf({ ...entry.epoch, lastUs }, offsetUs);
      const overlapping = others.filter(({ fromUs, toUs }) =>
        fromUs <= own.toUs && own.fromUs <= toUs
      );
      let best: { offsetUs: number; untilUs: number } | undefined;
      for (let more = 0; more < STAMP_US; more++) {
        const residue = residueOf(offsetUs + more);
        if (overlapping.some((other) => other.residue === residue)) continue;
        const endUs = others.reduce(
          (least, { fromUs, residue: other }) =>
            other === residue && fromUs > own.toUs
              ? Math.min(least, fromUs)
              : least,
          Infinity,
        );
        const untilUs = endUs - offsetUs - more - MAY_RUN_AHEAD_US;
        if (untilUs > (best?.untilUs ?? -Infinity)) {
          best = { offsetUs: offsetUs + more, untilUs };
        }
      }
      if (best !== undefined) {
        entry.untilUs = best.untilUs;
        return best.offsetUs;
      }
      const end = Math.min(...overlapping.map(({ toUs }) => toUs));
      offsetUs += end + STAMP_US - own.fromUs;
    }
  }
}

interface Extent {
  readonly fromUs: number;
  readonly toUs: number;
  readonly residue: number;
}

/** The times that an epoch may give with this offset; one that is open gives them without end. */
function extentOf({ firstUs, lastUs }: Epoch, offsetUs: number): Extent {
  return {
    fromUs: offsetUs + firstUs,
    toUs: lastUs === null ? Infinity : offsetUs + lastUs + MAY_RUN_AHEAD_US,
    residue: residueOf(offsetUs),
  };
}

function residueOf(us: number): number {
  return ((us % STAMP_US) + STAMP_US) % STAMP_US;
}
