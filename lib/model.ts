/**
 * The words every room shares: a reading, a packet, a row of the journal, the ways a reading can end.
 *
 * A row keeps what the board said (JSON path and value), not what becomes of it: topics, units and
 * measurements are looked up in the catalogue (`catalogue.ts`) when it is delivered, so a corrected
 * `[[metric]]` table also corrects what still waits.
 *
 * @module
 */

/**
 * What a board says of something: a finite number, whether it is so, or one of a few words, of 1 to
 * {@linkcode MAX_TEXT_LENGTH} visible characters.
 */
export type Value = number | boolean | string;

/** The longest text that is a value, in UTF-16 code units: a word of an enum, not a message. */
export const MAX_TEXT_LENGTH = 64;

/** One value the board sent. */
export interface Reading {
  /** Where it stands in the board's JSON, as `field_path.ts` writes it: `n1.t`, `motor.phase[1].current`. */
  readonly path: string;
  /** As the board said it: the catalogue's scale and unit are applied when it is delivered. */
  readonly value: Value;
}

/** Why a reading ended without being delivered. The list is closed: the ledger knows no other. */
export type DropReason =
  /** The board sent `NaN`, `inf` or `null` where a number belongs. */
  | "not_a_number"
  /** The value is not of its metric's type: a word where a number belongs, 27.5 where a whole one does. */
  | "wrong_type"
  /** Outside the range that the catalogue holds for possible. */
  | "implausible"
  /** More came than memory holds before the journal (8 MiB) while the disk did not keep up. */
  | "overrun"
  /** Deleted undelivered because the journal reached `journal.max_megabytes`. */
  | "evicted"
  /** A newer value of its topic went out in its place (`mqtt.replay = "latest"`). */
  | "superseded"
  /** The sink's server refused this very reading; it is among the rejects. */
  | "rejected"
  /** Lost by damage to the journal's file. */
  | "corrupt";

/** One telemetry line, taken apart and checked against the catalogue. */
export interface TelemetryPacket {
  /** Milliseconds since the board booted (u32), or null where the firmware does not send it. */
  readonly boardTs: number | null;
  /** What is to be delivered. May be empty when every reading was dropped. */
  readonly readings: readonly Reading[];
  /** Readings that ended here, with the reason. */
  readonly dropped: readonly DroppedReading[];
}

/** A reading that ended before the journal; its value, where there was one, may be impossible. */
export interface DroppedReading {
  readonly path: string;
  /** As it stood in the line. */
  readonly value: string;
  readonly reason: Extract<
    DropReason,
    "not_a_number" | "wrong_type" | "implausible"
  >;
}

/** When a packet happened: a clock epoch and a monotonic time within it. */
export interface EventTime {
  /** The clock epoch's id; its offset turns `monoUs` into time of day. */
  readonly epoch: number;
  /** Microseconds since the system started; a multiple of {@linkcode STAMP_US}, strictly increasing per board. */
  readonly monoUs: number;
}

/**
 * Monotonic times are multiples of this, in microseconds: the remainders are left to the journal, to
 * keep clock epochs apart whose times overlap.
 */
export const STAMP_US = 8;

/** What is known about a time of day. */
export type TimeQuality =
  /** The clock was right. The time stays for ever. */
  | "known"
  /** Nobody said in time whether the clock was right. The time stays for ever. */
  | "estimated"
  /** It may still be corrected, once: what keeps times must not have it yet. */
  | "unknown";

/** What the clock of a board did, by its `ts`; nothing is dropped for it. */
export interface BoardClockCounts {
  /** It began at zero again. */
  readonly reboots: number;
  /** It passed its largest value, after 49.7 days. */
  readonly wraps: number;
  /** It said the same time twice. */
  readonly repeats: number;
  /** It was over a minute further than the time that had passed. */
  readonly jumps: number;
}

/** A committed packet, as the sinks get it. */
export interface Row {
  /** Position in the journal: 1, 2, 3 …; orders everything. */
  readonly seq: number;
  /** The board's name; empty for the single `[gateway]` form. */
  readonly board: string;
  /** Time of day in microseconds since 1970, unique per board; may change while it is unknown. */
  readonly timeUs: number;
  readonly timeQuality: TimeQuality;
  /** Microseconds since the system started, where it has not been started anew since. */
  readonly monoUs?: number;
  /** Milliseconds since the board booted, or null. */
  readonly boardTs: number | null;
  readonly readings: readonly Reading[];
  /** Readings of all rows up to and with this one since the journal was made. */
  readonly total: number;
}

/** What a check found: one line for the operator, and lines to paste. */
export interface Finding {
  readonly level: "ok" | "warning" | "failed";
  /** What was looked at: `MQTT broker`. */
  readonly subject: string;
  /** What is so, with the value. */
  readonly detail: string;
  /** What to do about it; only for warnings and failures. */
  readonly hint?: string;
  /** Lines that do it: commands for a shell, or lines of config.toml. @default {none} */
  readonly fix?: readonly string[];
}
