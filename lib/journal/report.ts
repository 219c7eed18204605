/**
 * What a journal tells without being opened for writing: a gateway may run with it meanwhile. Its
 * figures are then up to a second old.
 *
 * @module
 */

import type {
  BoardState,
  DiskState,
  Epoch,
  JournalMedium,
  SinkState,
} from "./disk.ts";
import { Ledger, type LedgerState } from "./ledger.ts";
import { sizeOf } from "./aside.ts";
import { openDatabase, readState, readVersion } from "./database.ts";
import { isDiskFault } from "./inspection.ts";
import { SCHEMA_VERSION } from "./schema.ts";

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
  /** The newest clock epoch; null in an empty journal. */
  readonly clock: Pick<Epoch, "quality" | "knownBy" | "correctedUs"> | null;
  /** Bytes of the file that hold something. */
  readonly usedBytes: number;
  /** Where the journal is kept; only a gateway that runs keeps it elsewhere than on disk. */
  readonly medium: JournalMedium;
}

/** What a journal's file tells. */
export interface FileReport extends JournalReport {
  /** Why the file cannot be read, or not be used by this version; null when nothing speaks against it. */
  readonly fault: string | null;
}

/** What is told of a journal that is not there yet, or cannot be read. */
export const EMPTY_REPORT: FileReport = {
  boards: [],
  sinks: [],
  newest: null,
  clock: null,
  usedBytes: 0,
  medium: { kind: "disk" },
  fault: null,
};

/** Reads a journal. @throws {Error} if the disk or its rights stand in the way */
export function readReport(path: string): FileReport {
  try {
    return sizeOf(path) === 0 ? EMPTY_REPORT : readSound(path);
  } catch (error) {
    if (isDiskFault(error)) throw error;
    const fault = error instanceof Error ? error.message : String(error);
    return { ...EMPTY_REPORT, fault };
  }
}

function readSound(path: string): FileReport {
  const db = openDatabase(path, { readOnly: true });
  try {
    const version = readVersion(db);
    // One look: a commit between two queries would not add up.
    db.exec("BEGIN");
    // A gateway is just making it, or was killed while it did.
    if (version === 0) return EMPTY_REPORT;
    const state = readState(db);
    const after = db.prepare(
      "SELECT epoch, mono_us AS monoUs FROM packets WHERE seq > ? ORDER BY seq LIMIT 1",
    );
    return {
      boards: state.boards,
      usedBytes: state.usedBytes,
      medium: { kind: "disk" },
      fault: version > SCHEMA_VERSION
        ? `a newer version of this program wrote it (${version})`
        : null,
      clock: state.epochs.at(-1) ?? null,
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
