/**
 * Giving a sink again what it has had: for a database that lost its data.
 *
 * - The cursor goes back to before the first row of a time or later. Clocks are set back, so a row
 *   behind that one may be older; none before it is newer.
 * - The rows it will pass again are booked as `requeued`; those that were deleted in between are not
 *   booked again. Parked readings stay parked.
 * - While the rows are counted none of those that matter is deleted, and the gateway goes on: what the
 *   sink is given meanwhile may reach it twice.
 *
 * @module
 */

import type { EventTime } from "../model.ts";
import type { Cursor } from "./cursor.ts";
import type { StoredRow } from "./disk.ts";
import type { Position } from "./ledger.ts";

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
  /** The cursor was here, and is now there. Equal: the sink has not had anything of that time yet. */
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
  const from = cursor.seq;
  let to: Position | undefined;
  let firstUs: number | null = null;
  let oldest: { seq: number; timeUs: number } | undefined;
  let [packets, readings, scanned] = [0, 0, 0];
  for (;;) {
    const rows = await host.read(scanned);
    signal?.throwIfAborted();
    for (const row of rows) {
      const timeUs = host.timeUs(row);
      oldest ??= { seq: row.seq, timeUs };
      if (row.seq > cursor.seq) break;
      if (to === undefined && timeUs >= toUs) {
        to = { seq: row.seq - 1, total: row.total - row.readings };
        firstUs = timeUs;
      }
      if (to === undefined) continue;
      packets++;
      readings += row.readings;
    }
    const last = rows.at(-1)?.seq ?? Infinity;
    // In the same step as the change below: the cursor cannot move in between.
    if (last >= cursor.seq) break;
    scanned = last;
    hold.from = to?.seq ?? scanned;
    if (oldest !== undefined) {
      onProgress?.((last - oldest.seq) / (cursor.seq - oldest.seq));
    }
  }
  const result = {
    packets,
    readings,
    firstUs,
    oldestUs: oldest?.timeUs ?? null,
  };
  if (to === undefined) return { ...result, from, to: from };
  if (dryRun) return { ...result, from: cursor.seq, to: to.seq };
  const before = cursor.seq;
  cursor.rewind(to, readings);
  await host.flush();
  return { ...result, from: before, to: to.seq };
}
