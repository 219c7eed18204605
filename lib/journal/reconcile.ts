/**
 * Brings rows and ledgers into agreement after a salvage.
 *
 * - Rows that a ledger has given up stay given up: none comes back as waiting.
 * - Readings that no row holds any more are booked as `corrupt`, once, in each sink that had not had
 *   them.
 * - `seq` and `total` never go back: where the newest rows are gone, a row without readings stands in
 *   for them.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import {
  epochValues,
  INTO_EPOCHS,
  readState,
  undoneReadings,
} from "./database.ts";
import {
  type BoardState,
  type Commit,
  EMPTY_COMMIT,
  type Epoch,
  type Latest,
  type SinkState,
  type StoredRow,
} from "./disk.ts";
import { Ledger, type LedgerState, type Position } from "./ledger.ts";
import type { SafetyCopy } from "./safety_copy.ts";
import { TIME_OF_DAY } from "./schema.ts";
import { digest, readSeal, type Seal, type Stretch } from "./seal.ts";

/** More packets than come between two safety copies: no number of theirs is given again. */
export const UNKNOWN_ROWS = 1_000_000;

/** What came of it. */
export interface Reconciliation {
  /** Brings the ledgers, and what stands in for lost rows. */
  readonly commit: Commit;
  /** Stretches of rows that are given up. */
  readonly deleted: readonly Stretch[];
  /** Readings that are newly booked as `corrupt`, by the sink's name. */
  readonly missing: Readonly<Record<string, number>>;
}

/**
 * Reconciles what `db` holds, within a transaction of the caller's: removes the rows that must not come
 * back, and gives the commit that does the rest.
 *
 * @param copy what is known from elsewhere
 * @param whole whether `db` is known to hold the newest row; otherwise only a copy that was written as
 *   the journal was closed tells where it ended, unless something newer is found
 * @param nowUs microseconds since 1970, for rows of which nothing else tells the time
 */
export function reconcile(
  db: DatabaseSync,
  copy: SafetyCopy | undefined,
  { whole, nowUs }: { whole: boolean; nowUs: number },
): Reconciliation {
  const sinks = newestSinks(db, copy);
  const deleted = [
    ...sinks.flatMap(({ seal }) => seal?.deleted ?? []),
    ...copy?.deleted ?? [],
  ];
  for (const [first, last] of deleted) {
    db.prepare("DELETE FROM packets WHERE seq BETWEEN ? AND ?")
      .run(first, last);
  }
  const proven = sinks.some(({ seal }) =>
    seal?.digest === digest((sql) => db.prepare(sql))
  );
  const epochs = restoreEpochs(db, copy, proven);
  const boards = restoreBoards(db, copy, proven);
  // A row without its time is of no use to a sink, and one that contradicts the totals is none of ours.
  db.exec(`
    DELETE FROM packets WHERE epoch NOT IN (SELECT id FROM epochs);
    DELETE FROM packets WHERE seq IN (SELECT seq FROM (
      SELECT seq, total - readings < lag(total) OVER (ORDER BY seq) AS wrong FROM packets
    ) WHERE wrong)`);
  const { newest } = readState(db);
  const known = [newest, copy?.end, ...sinks.map(({ seal }) => seal?.end)]
    .filter((one) => one !== undefined && one !== null);
  const end = {
    seq: Math.max(0, ...known.map(({ seq }) => seq)),
    total: Math.max(
      ...[0, ...known.map(({ total }) => total)],
      ...sinks.map(({ state }) => state.seenTotal),
    ),
  };
  const closed = copy?.closed === true && end.seq === copy.end.seq;
  if (!whole && !closed && end.seq > 0) end.seq += UNKNOWN_ROWS;
  const missing: Record<string, number> = {};
  const reconciled = sinks.map(({ state }): SinkState => {
    if (!state.active) return state;
    const ledger = reconcileLedger(db, state, end);
    missing[state.name] = ledger.missing;
    return { ...state, seenTotal: end.total, ledger: ledger.state };
  });
  const standIn = makeStandIn({ boards, epochs, newest, end, nowUs });
  return {
    deleted,
    missing,
    commit: {
      ...EMPTY_COMMIT,
      rows: standIn?.rows ?? [],
      epochs: standIn?.epochs ?? [],
      boards,
      sinks: reconciled,
    },
  };
}

/** The newest state of each sink, from the database or from the copy. */
function newestSinks(
  db: DatabaseSync,
  copy: SafetyCopy | undefined,
): { state: SinkState; seal?: Seal }[] {
  const seals = new Map(
    db.prepare("SELECT id, seal FROM sinks").all().map((row) =>
      [Number(row["id"]), String(row["seal"])] as const
    ),
  );
  const found = readState(db).sinks.map((state) => {
    const seal = readSeal(state, seals.get(state.id) ?? "");
    return { state, ...seal && { seal } };
  });
  for (const state of copy?.sinks ?? []) {
    const i = found.findIndex((one) => one.state.id === state.id);
    const one = found[i];
    if (one === undefined) found.push({ state });
    else if (
      (one.seal?.end.seq ?? 0) < (copy?.end.seq ?? 0) &&
      one.state.seenTotal <= state.seenTotal
    ) found[i] = { state };
  }
  return found;
}

/** The boards; where nothing proves them, only those newest values that a row or the copy confirms. */
function restoreBoards(
  db: DatabaseSync,
  copy: SafetyCopy | undefined,
  proven: boolean,
): BoardState[] {
  const boards = readState(db).boards.map((board) => {
    if (proven) return board;
    const latest = copy?.boards.find(({ id }) => id === board.id)?.latest;
    return { ...board, latest: confirm(db, board.latest, latest ?? {}) };
  });
  const others = (copy?.boards ?? []).filter((board) =>
    !boards.some(({ id, name }) => id === board.id || name === board.name)
  );
  return [...boards, ...others];
}

function confirm(db: DatabaseSync, latest: Latest, copied: Latest): Latest {
  const body = db.prepare("SELECT body FROM packets WHERE seq = ?");
  const confirmed: Latest = { ...copied };
  for (const [path, newest] of Object.entries(latest)) {
    const row = body.get(Number(newest?.seq));
    const value = row && JSON.parse(String(row["body"]))[path];
    if (value !== undefined && value === newest.value) confirmed[path] = newest;
  }
  return confirmed;
}

/** Inserts clock epochs that are missing: from the copy, or from the newest value that has a row. */
function restoreEpochs(
  db: DatabaseSync,
  copy: SafetyCopy | undefined,
  proven: boolean,
): readonly Epoch[] {
  const insert = db.prepare(
    `INSERT OR ${proven ? "IGNORE" : "REPLACE"} ${INTO_EPOCHS}`,
  );
  for (const epoch of copy?.epochs ?? []) insert.run(...epochValues(epoch));
  const lost = db.prepare(
    "SELECT seq, epoch, mono_us AS monoUs FROM packets WHERE epoch NOT IN (SELECT id FROM epochs) AND seq = ?",
  );
  for (const { latest } of readState(db).boards) {
    for (const { seq, timeUs } of Object.values(latest)) {
      const row = lost.get(seq);
      if (row === undefined) continue;
      const offsetUs = timeUs - Number(row["monoUs"]);
      const id = Number(row["epoch"]);
      const lastUs = Number(row["monoUs"]);
      insert.run(...epochValues({ ...TIME_OF_DAY, id, offsetUs, lastUs }));
    }
  }
  return readState(db).epochs;
}

/** The ledger of a sink whose journal ends at `end` and holds the rows that `db` has. */
function reconcileLedger(
  db: DatabaseSync,
  { id, seenTotal, ledger: state }: SinkState,
  end: Position,
): { state: LedgerState; missing: number } {
  const before = state.dropped.corrupt ?? 0;
  const ledger = new Ledger(state);
  ledger.receive(end.total - seenTotal);
  const done = state.deliveredAhead.reduce(
    (sum, { from, to }) => sum + to.total - from.total,
    0,
  );
  const gone = end.total - state.cursor.total - done -
    undoneReadings(db, state);
  if (gone > state.ahead) ledger.lose("corrupt", gone - state.ahead);
  ledger.unpark(trimParked(db, id, state), "corrupt");
  const after = ledger.state;
  const missing = (after.dropped.corrupt ?? 0) - before;
  if (gone >= state.ahead) return { state: after, missing };
  // Rows that were given up are there after all: they are put back.
  const requeued = after.requeued + state.ahead - gone;
  return { state: { ...after, ahead: gone, requeued }, missing };
}

/** Removes parked readings that the ledger does not know; gives how many of those it knows are gone. */
function trimParked(
  db: DatabaseSync,
  sink: number,
  { parked, cursor }: LedgerState,
): number {
  db.prepare(
    `DELETE FROM parked WHERE sink = ?1 AND (seq > ?2 OR id NOT IN (
       SELECT id FROM parked WHERE sink = ?1 AND seq <= ?2 ORDER BY id DESC LIMIT ?3
     ))`,
  ).run(sink, cursor.seq, parked);
  const { left } = {
    ...db.prepare("SELECT count(*) AS left FROM parked WHERE sink = ?").get(
      sink,
    ),
  };
  return parked - Number(left);
}

/** A row without readings at the journal's end, where the newest row is not it. */
function makeStandIn({ boards, epochs, newest, end, nowUs }: {
  boards: Commit["boards"];
  epochs: readonly Epoch[];
  newest: StoredRow | null;
  end: Position;
  nowUs: number;
}): { rows: StoredRow[]; epochs: Epoch[] } | undefined {
  if (end.seq === (newest?.seq ?? 0)) return undefined;
  const row = {
    ...{ seq: end.seq, total: end.total },
    ...{ boardTs: null, readings: 0, body: "{}" },
  };
  if (newest !== null) {
    const { board, epoch, monoUs } = newest;
    return { rows: [{ ...row, board, epoch, monoUs }], epochs: [] };
  }
  const times = boards.flatMap(({ latest }) =>
    Object.values(latest).map(({ timeUs }) => timeUs)
  );
  const id = Math.max(0, ...epochs.map((one) => one.id)) + 1;
  const offsetUs = times.length > 0 ? Math.max(...times) : nowUs;
  return {
    rows: [{ ...row, board: boards[0]?.id ?? 1, epoch: id, monoUs: 0 }],
    epochs: [{ ...TIME_OF_DAY, id, offsetUs }],
  };
}
