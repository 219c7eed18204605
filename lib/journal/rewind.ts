/**
 * Giving a sink again what it has had: for a database that lost its data.
 *
 * - The cursor goes back to before the first row of a time or later that the sink has had. Clocks are set back, so a row
 *   behind that one may be older; none before it is newer.
 * - What was delivered ahead of the past (`mqtt.replay = "live_first"`) comes again like the rest.
 * - The rows that come again are booked as `requeued`; those that were deleted in between are not
 *   booked again. Parked readings stay parked.
 * - While the rows are counted none of those that matter is deleted, and the gateway goes on: what the
 *   sink is given meanwhile may reach it twice.
 *
 * @module
 */

import type { EventTime } from "../model.ts";
import type { Cursor } from "./cursor.ts";
import type { StoredRow } from "./disk.ts";
import type { Position, Stretch } from "./ledger.ts";

/** Before all rows. */
const BEGINNING: Position = { seq: 0, total: 0 };

/** Options for {@linkcode rewind}. */
export interface RewindOptions {
  /** Microseconds since 1970; `-Infinity`: all that the journal holds. */
  readonly toUs: number;
  /** Only says what would be done. @default {false} */
  readonly dryRun?: boolean;
  /** Aborted to change nothing any more. */
  readonly signal?: AbortSignal;
  /** How far the counting is, from 0 to 1. */
  onProgress?(part: number): void;
}

/** What a rewind does. */
export interface Rewound {
  /** Up to here the sink has had rows, and behind there it gets them again. Equal: it has had none of that time. */
  readonly from: number;
  readonly to: number;
  /** What the sink gets again. */
  readonly packets: number;
  readonly readings: number;
  /** When the first of these packets happened; null if there are none. */
  readonly firstUs: number | null;
  /** When the journal's oldest packet happened: before that it has nothing to give; null: it is empty. */
  readonly oldestUs: number | null;
}

/** What a rewind needs of the journal. */
export interface RewindHost {
  /** The next rows on the disk after `seq`. */
  read(seq: number): Promise<readonly StoredRow[]>;
  /** Time of day in microseconds. */
  timeUs(at: EventTime): number;
  /** Comes when everything that is known now is on the disk. */
  flush(): Promise<void>;
}

/** Takes `cursor` back; comes when the disk has it. @throws if `signal` is aborted before it is done */
export async function rewind(
  cursor: Cursor,
  host: RewindHost,
  { toUs, dryRun = false, signal, onProgress }: RewindOptions,
): Promise<Rewound> {
  using hold = cursor.hold();
  // What was chosen for deletion before is gone after this.
  await host.flush();
  const from = endOf(cursor);
  let to: Position | undefined;
  let firstUs: number | null = null;
  let oldest: { seq: number; timeUs: number } | undefined;
  /** Where rows are missing behind `to`. */
  const gaps: Stretch[] = [];
  let last = BEGINNING;
  for (;;) {
    const rows = await host.read(last.seq);
    signal?.throwIfAborted();
    for (const row of rows) {
      const timeUs = host.timeUs(row);
      oldest ??= { seq: row.seq, timeUs };
      const before = { seq: row.seq - 1, total: row.total - row.readings };
      if (to === undefined && timeUs >= toUs && cursor.isDone(row.seq)) {
        to = before;
        firstUs = timeUs;
      } else if (to !== undefined && before.seq > last.seq) {
        gaps.push({ from: last, to: before });
      }
      last = { seq: row.seq, total: row.total };
    }
    const end = endOf(cursor);
    // In the same step as the change below: nothing gets done in between.
    if (rows.length === 0 || last.seq >= end) break;
    hold.from = to?.seq ?? last.seq;
    if (oldest !== undefined) {
      onProgress?.((last.seq - oldest.seq) / (end - oldest.seq));
    }
  }
  const oldestUs = oldest?.timeUs ?? null;
  if (to === undefined) {
    return { from, to: from, packets: 0, readings: 0, firstUs, oldestUs };
  }
  const again = cursor.doneAfter(to).map((done) => standing(done, gaps));
  const result = {
    from: endOf(cursor),
    to: to.seq,
    packets: again.reduce((sum, { packets }) => sum + packets, 0),
    readings: again.reduce((sum, { readings }) => sum + readings, 0),
    firstUs,
    oldestUs,
  };
  if (dryRun) return result;
  cursor.rewind(to, result.readings);
  await host.flush();
  return result;
}

/** The newest row that is done. */
function endOf(cursor: Cursor): number {
  return cursor.doneAfter(BEGINNING).at(-1)?.to.seq ?? 0;
}

/** What a stretch holds without the rows that are missing. */
function standing(
  { from, to }: Stretch,
  gaps: readonly Stretch[],
): { packets: number; readings: number } {
  let [packets, readings] = [to.seq - from.seq, to.total - from.total];
  for (const gap of gaps) {
    packets -= overlap(from.seq, to.seq, gap.from.seq, gap.to.seq);
    readings -= overlap(from.total, to.total, gap.from.total, gap.to.total);
  }
  return { packets, readings };
}

function overlap(
  from: number,
  to: number,
  otherFrom: number,
  otherTo: number,
): number {
  return Math.max(0, Math.min(to, otherTo) - Math.max(from, otherFrom));
}
