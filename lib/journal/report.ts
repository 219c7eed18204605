/**
 * What a journal tells without being opened for writing: a gateway may run with it meanwhile. Its
 * figures are then up to a second old.
 *
 * @module
 */

import type { BoardState, DiskState, SinkState } from "./disk.ts";
import { Ledger, type LedgerState } from "./ledger.ts";
import { openDatabase, readState } from "./database.ts";

/** How a sink stands. */
export interface SinkReport {
  readonly name: string;
  readonly target: string;
  readonly ledger: LedgerState;
  /** Readings not yet done. */
  readonly waiting: number;
  /** 0, or the journal is damaged. */
  readonly imbalance: number;
  /** When the oldest packet that waits happened, microseconds since 1970; null when none waits. */
  readonly oldestWaitingUs: number | null;
}

/** What a journal tells. */
export interface JournalReport {
  readonly boards: readonly BoardState[];
  /** Those that the configuration had when the journal was last opened. */
  readonly sinks: readonly SinkReport[];
  /** The newest packet; null in an empty journal. */
  readonly newest: { readonly seq: number; readonly timeUs: number } | null;
  /** Bytes of the file that hold something. */
  readonly usedBytes: number;
}

/** Nothing has ever come. */
export const EMPTY_REPORT: JournalReport = {
  boards: [],
  sinks: [],
  newest: null,
  usedBytes: 0,
};

/** Reads a journal. @throws {Error} if there is none, or it cannot be read */
export function readReport(path: string): JournalReport {
  const db = openDatabase(path, { readOnly: true });
  try {
    // One look: a commit between two queries would not add up.
    db.exec("BEGIN");
    // A gateway is just making it, or was killed while it did.
    const { user_version: version } = db.prepare("PRAGMA user_version").get() ??
      {};
    if (version === 0) return EMPTY_REPORT;
    const state = readState(db);
    const after = db.prepare(
      "SELECT epoch, mono_us AS monoUs FROM packets WHERE seq > ? ORDER BY seq LIMIT 1",
    );
    return {
      boards: state.boards,
      usedBytes: state.usedBytes,
      newest: state.newest && {
        seq: state.newest.seq,
        timeUs: timeUs(state, state.newest),
      },
      sinks: state.sinks.filter(({ active }) => active).map((sink) =>
        reportSink(sink, state, after.get(sink.ledger.cursor.seq))
      ),
    };
  } finally {
    db.close();
  }
}

function reportSink(
  { name, target, ledger: state }: SinkState,
  disk: DiskState,
  waitingRow: Record<string, unknown> | undefined,
): SinkReport {
  const ledger = new Ledger(state);
  const total = disk.newest?.total ?? 0;
  return {
    name,
    target,
    ledger: state,
    waiting: ledger.waiting(total),
    imbalance: ledger.imbalance(total),
    oldestWaitingUs: waitingRow === undefined
      ? null
      : timeUs(disk, waitingRow as { epoch: number; monoUs: number }),
  };
}

function timeUs(
  { epochs }: DiskState,
  { epoch, monoUs }: { epoch: number; monoUs: number },
): number {
  return (epochs.find(({ id }) => id === epoch)?.offsetUs ?? 0) + monoUs;
}
