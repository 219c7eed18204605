/**
 * What the journal asks of a disk, and the shapes that cross between the two threads.
 *
 * `Store` is the disk with SQLite, alone in its worker; `WorkerDisk` gives the main thread the same
 * methods as promises. A simulated disk is one more implementation.
 *
 * @module
 */

import type { BoardClockCounts, TimeQuality, Value } from "../model.ts";
import type { LedgerState } from "./ledger.ts";
import type { Recovery } from "./recovery.ts";

/** A row as it is stored. */
export interface StoredRow {
  readonly seq: number;
  readonly board: number;
  readonly epoch: number;
  readonly monoUs: number;
  readonly boardTs: number | null;
  /** How many readings `body` holds. */
  readonly readings: number;
  /** Readings of all rows up to and with this one. */
  readonly total: number;
  /** `{"n1.t":27.6}` */
  readonly body: string;
}

/** A stretch of time in which the wall clock ran evenly. */
export interface Epoch {
  readonly id: number;
  /** The operating system's start that `monoUs` belongs to; empty where it has no id. */
  readonly bootId: string;
  /** Time of day of the monotonic clock's zero, microseconds since 1970. */
  readonly offsetUs: number;
  /** Once it is not `unknown` any more, the offset stays for ever. */
  readonly quality: TimeQuality;
  /** Who said that the clock is right: `timesyncd`, `influxdb`, `trust` …; null where nobody did. */
  readonly knownBy: string | null;
  /** By how much the offset was corrected once the clock was known. */
  readonly correctedUs: number;
  /** No row is before this. */
  readonly firstUs: number;
  /** No row is much later than this; null while it is the newest one. */
  readonly lastUs: number | null;
}

/** The newest value of each reading of a board, by path. */
export type Latest = Record<string, LatestValue>;

/** A reading's newest value. */
export interface LatestValue {
  /** The row it stands in. */
  readonly seq: number;
  readonly value: Value;
  /** Microseconds since 1970. */
  readonly timeUs: number;
  /** The clock epoch of the time; none in what older programs wrote. */
  readonly epoch?: number;
}

/** A board's lines by what became of them: lines = packets + rejects + other. */
export interface LineCounts {
  readonly lines: number;
  readonly packets: number;
  readonly rejects: number;
  readonly other: number;
  /** How many of the lines were too long, and cut. */
  readonly truncated: number;
}

/** A board's lines, counted over all runs: lines = packets + rejects + other. */
export interface BoardState extends LineCounts {
  readonly id: number;
  readonly name: string;
  readonly latest: Latest;
  /** What the board's own clock did. */
  readonly clock: BoardClockCounts;
}

/** A sink's cursor and ledger. */
export interface SinkState {
  readonly id: number;
  readonly name: string;
  readonly target: string;
  /** Whether the configuration has it; the cursor of a removed sink holds nothing back. */
  readonly active: boolean;
  /** Running total of the rows that `ledger.received` has counted. */
  readonly seenTotal: number;
  readonly ledger: LedgerState;
  /**
   * Readings beyond the cursor that the file holds; only of a removed sink, as a file is opened. The
   * extent of the rows does not tell: they may have been deleted behind others in a sink's hands.
   */
  readonly left?: number;
}

/** A reading that a sink's server refuses for now. */
export interface ParkedReading {
  /** Unique; those parked later have higher ones. */
  readonly id: number;
  readonly sink: number;
  readonly seq: number;
  readonly board: number;
  readonly timeUs: number;
  readonly path: string;
  readonly value: Value;
  readonly reason: string;
}

/** A parked reading as it is tried again. */
export interface StoredParkedReading extends ParkedReading {
  /** When its row happened; null where that has been deleted, and `timeUs` is all there is. */
  readonly epoch: number | null;
  readonly monoUs: number | null;
}

/** What could not be used. */
export interface Reject {
  readonly timeUs: number;
  readonly board: string;
  /** `source`, or the sink that was refused it. */
  readonly origin: string;
  readonly reason: string;
  /** The line as it came, or the reading as `{"n1.t":27.6}`. */
  readonly body: string;
}

/** A reject as it is kept. */
export interface KeptReject extends Reject {
  /** Counts up; those of rejects that are gone may be given again. */
  readonly id: number;
}

/** All that the disk does in one transaction. */
export interface Commit {
  readonly rows: readonly StoredRow[];
  readonly epochs: readonly Epoch[];
  /** Those that have changed since the commit before. */
  readonly boards: readonly BoardState[];
  /** All of them, or none. */
  readonly sinks: readonly SinkState[];
  readonly rejects: readonly Reject[];
  readonly parked: readonly ParkedReading[];
  /** Ids of parked readings that found their end. */
  readonly unparked: readonly number[];
  /** Ids of rejects that are gone: sent again, or cleared. */
  readonly unrejected: readonly number[];
  /** Delete the rows from the first to the last seq, both included. */
  readonly deleted: readonly [first: number, last: number] | null;
  /** Whether the disk has to have it before this returns; without, a power cut may undo it. */
  readonly durable: boolean;
  /** It was tried before, and may be written although the disk said that it is not. @default {false} */
  readonly again?: boolean;
}

/** A commit that writes nothing. */
export const EMPTY_COMMIT: Commit = {
  rows: [],
  epochs: [],
  boards: [],
  sinks: [],
  rejects: [],
  parked: [],
  unparked: [],
  unrejected: [],
  deleted: null,
  durable: true,
};

/** What a commit tells. */
export interface CommitResult {
  /** Bytes of the file that hold something. */
  readonly usedBytes: number;
  /** What had to be done about the file since the last commit. */
  readonly recoveries?: readonly Recovery[];
  /** What `usedBytes` may come to, where that is not the journal's own limit. */
  readonly limitBytes?: number;
}

/** Where the journal is kept. */
export type JournalMedium =
  | { readonly kind: "disk" }
  | {
    readonly kind: "memory";
    /** Microseconds since 1970. */
    readonly sinceUs: number;
    /** What the disk said. */
    readonly reason: string;
    /** Whether it is only full. */
    readonly full: boolean;
    /** What is in memory, and what may be. */
    readonly bytes: number;
    readonly limitBytes: number;
  };

/** Why a disk did not do what it was asked. */
export class DiskError extends Error {
  override name = "DiskError";
  /** `full`: no room is left, a quota or the largest file's size included; `failing`: anything else. */
  readonly kind: "full" | "failing";

  constructor(
    message: string,
    kind: DiskError["kind"],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.kind = kind;
  }
}

/** How far the file is filled to its limit. */
export interface Reserved {
  /** Bytes of disk space that are still to be taken; 0 when the file is filled. */
  readonly missingBytes: number;
  /** Whether the disk has room for them. */
  readonly roomy: boolean;
}

/** What a file holds when it is opened. */
export interface DiskState extends CommitResult {
  readonly boards: readonly BoardState[];
  readonly sinks: readonly SinkState[];
  readonly epochs: readonly Epoch[];
  /** The oldest row. */
  readonly oldest: StoredRow | null;
  /** The newest row; it is never deleted, so `seq` and `total` go on from it. */
  readonly newest: StoredRow | null;
  /** Readings of rows that were deleted between these two. @default {0} */
  readonly gone?: number;
  /** The highest id of a parked reading; 0 when none is parked. */
  readonly lastParked: number;
}

/** The oldest rows, as much of them as deleting needs. */
export interface OldestRow {
  readonly seq: number;
  readonly readings: number;
  /** Readings of all rows up to and with this one. */
  readonly total: number;
  readonly epoch: number;
  readonly monoUs: number;
}

/** A disk. Every method is one transaction or one query. */
export interface Disk {
  /**
   * Opens the file, or makes it; what the file holds is no reason to refuse. A file that is open is
   * closed first: after a failed sync nothing that is known of it can be trusted.
   *
   * @param logBytes how long the write-ahead log may become
   * @throws {Error} if that cannot be done
   */
  open(path: string, logBytes: number): DiskState;
  /** Opens a file that cannot be written, to be read. @throws {Error} if that cannot be done */
  openForReading(path: string): DiskState;
  /**
   * One small step on the way to a file of `bytes` and a write-ahead log of its full length, so that
   * a disk which others fill up cannot hurt the journal. A file that is much longer and holds less is
   * shortened instead, in one go; without `fill` that is all.
   */
  reserve(bytes: number, fill: boolean): Reserved;
  /** Writes everything of `commit`, or nothing. */
  commit(commit: Commit): CommitResult;
  /** Up to `limit` rows after `seq`, in order. */
  read(seq: number, limit: number): StoredRow[];
  /** The oldest `limit` rows of those after `seq`. @param seq 0, unless told otherwise */
  oldest(limit: number, seq?: number): OldestRow[];
  /** Up to `limit` parked readings of `sink` for each topic, the oldest of each. */
  parked(sink: number, limit: number): StoredParkedReading[];
  /** The oldest `limit` parked readings of `sink`. */
  oldestParked(sink: number, limit: number): number[];
  /** Up to `limit` rejects after the id `after`, in order. */
  rejects(after: number, limit: number): KeptReject[];
  /** Moves what is committed from the write-ahead log into the file, and closes it. */
  close(): void;
}

/** The most that the write-ahead log takes of what a journal may use. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;

/** Of the bytes that a journal may use, what its write-ahead log may take. */
export function logBytesOf(maxBytes: number): number {
  return Math.min(MAX_LOG_BYTES, maxBytes / 4);
}

/** A disk on the other side of a thread. */
export type AsyncDisk = {
  [M in keyof Disk]: (
    ...args: Parameters<Disk[M]>
  ) => Promise<ReturnType<Disk[M]>>;
};
