/**
 * The contract of every sink: where rows of the journal are delivered to.
 *
 * What holds for each of them, and is tested once for all (`tests/contract/sink_test.ts`):
 *
 * - A row counts as done only when the other side has acknowledged each of its readings, or has
 *   refused that very reading for good.
 * - Nothing is kept behind the journal's back: what a failed `deliver` did not report as done will
 *   be given again, to this session or a later one.
 * - A session has its own deadlines: `open` and `deliver` always come back.
 * - A sink never throws away a reading because the server, the network or the rights are wrong.
 *
 * @module
 */

import type { Finding, Reading, Row } from "../model.ts";

/** Why something could not be delivered now, and what that asks of the forwarder. */
export type Failure =
  | {
    /** Passing: try again after the backoff. */
    readonly kind: "retry";
    readonly message: string;
    /** The server asked for at least this pause. */
    readonly afterMs?: number;
  }
  | {
    /** Will not pass by itself (rights, address, password): keep all, say so, try slowly. */
    readonly kind: "blocked";
    readonly message: string;
    /** What the operator can do. */
    readonly hint: string;
    /** Lines that do it, for the check: commands, or lines of config.toml. @default {none} */
    readonly fix?: readonly string[];
    /** Sooner would do harm. @default {a minute} */
    readonly afterMs?: number;
    /** Comes when there is a reason to try at once, or when `signal` is aborted. */
    readonly mended?: (signal: AbortSignal) => Promise<void>;
  };

/** Thrown by `open`, and only for what a server or a network can do. */
export class SinkError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.message, options);
    this.name = "SinkError";
    this.failure = failure;
  }
}

/** One reading that the server refused. */
export interface Refusal {
  readonly row: Row;
  readonly reading: Reading;
  /** The server's words, capped at {@linkcode MAX_REASON_LENGTH}. */
  readonly reason: string;
}

/** A server may quote a whole message back; this much of its words is kept, in characters. */
export const MAX_REASON_LENGTH = 500;

/** The reason why a reading of `path` is refused that the catalogue does not have. */
export function noMetric(path: string): string {
  return `No metric for path "${path}"`;
}

/** What became of a batch. */
export interface Outcome {
  /**
   * So many leading rows of the batch are done: each of their readings is delivered, or stands in
   * `rejected` or `parked`. Refusals of later rows are left out: those rows are given again.
   */
  readonly done: number;
  /** Refused for good: these go to the rejects, and sending them again would change nothing. */
  readonly rejected: readonly Refusal[];
  /** Refused for now, alone (no right on this topic): kept aside so that the rest can pass. */
  readonly parked: readonly Refusal[];
  /** Readings of the done rows that were not sent, because a newer value stands for them. @default {0} */
  readonly superseded?: number;
  /** Why the rows after `done` stay. Absent exactly when all rows are done. */
  readonly failure?: Failure;
}

/** A connection to the server, ready to take rows. */
export interface SinkSession extends AsyncDisposable {
  /** The most readings one batch may hold; a single larger row is a batch of its own. */
  readonly maxReadings: number;
  /** So many calls of `deliver` may be under way at once; they are made, and come back, in order. */
  readonly maxBatches: number;
  /**
   * The least time from one small batch to the next, in milliseconds: what comes meanwhile goes together.
   * The first after a pause goes at once. @default {0}
   */
  readonly paceMs?: number;
  /** What the log should say of this session: broker, protocol version. */
  readonly description: string;
  /** Delivers `batch`, at least one row, in order. Does not reject. */
  deliver(batch: readonly Row[], options?: DeliverOptions): Promise<Outcome>;
  /** Is told, again and again, that for now there is no committed row that was not given to it. */
  caughtUp?(): void;
  /** Comes when the session is over without having been asked: the link is gone. */
  readonly closed: Promise<Failure>;
}

/** Options for {@linkcode SinkSession.deliver}. */
export interface DeliverOptions {
  /** The rows waited while newer ones went before them. @default {false} */
  readonly past?: boolean;
}

/** Where rows go. */
export interface Sink {
  /** `mqtt`, `influxdb`: name of the configuration's table, of the cursor and of the log category. */
  readonly name: string;
  /** Server and place, without secrets: a cursor belongs to name and target. */
  readonly target: string;
  /** Whether it keeps times for ever: no row comes whose time may still be corrected. @default {false} */
  readonly needsTime?: boolean;
  /**
   * Given where what happens now goes before what waited: rows of the last so many seconds, and those
   * to come, are delivered first.
   */
  readonly liveWithinS?: number;
  /**
   * Connects.
   *
   * @throws {SinkError} if the server cannot be reached or refuses
   */
  open(options: SinkOpenOptions): Promise<SinkSession>;
  /** Has the server say what time it is, where it can; nothing if it does not answer. */
  askTime?(signal: AbortSignal): Promise<void>;
  /** Looks at the server without changing anything there; yields line by line as it learns. */
  check(options: SinkCheckOptions): AsyncIterable<Finding>;
}

/** Options for {@linkcode Sink.open}. */
export interface SinkOpenOptions {
  /** Aborted when the gateway stops. */
  readonly signal: AbortSignal;
  /**
   * Rows up to this seq are delivered, or are the past; those after it will come through `deliver`
   * before any of the past.
   */
  readonly deliveredTo: number;
  /** Whether the row `seq` is delivered, also where rows before it are not. */
  readonly isDone: (seq: number) => boolean;
}

/** Options for {@linkcode Sink.check}. */
export interface SinkCheckOptions {
  readonly signal: AbortSignal;
  /** Also write one point, marked as a test, where the sink can. @default {false} */
  readonly writeTestPoint?: boolean;
}
