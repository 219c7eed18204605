/**
 * Puts a journal that was kept in memory behind the one that a disk turned out to hold.
 *
 * - The packets take new numbers behind those of the file, so nothing of either is lost: not the
 *   history either, nor what a sink that is not configured now has to get later.
 * - A sink that had no backlog in the file goes on where it was in memory. For one that had, what it
 *   has had from memory was delivered ahead of that.
 * - What both counted is added up. A sink that memory's configuration has not is removed.
 *
 * @module
 */

import { extentOf, resume } from "./accounts.ts";
import type {
  BoardState,
  Commit,
  DiskState,
  Epoch,
  Latest,
  SinkState,
  StoredRow,
} from "./disk.ts";
import { TIME_OF_DAY } from "./schema.ts";
import {
  Ledger,
  type LedgerState,
  type Position,
  type Stretch,
} from "./ledger.ts";

/** What is kept in memory, and from which state on. */
export interface MemoryJournal {
  readonly commit: Commit;
  /** What was read from the disk when it began: counted in the file already. */
  readonly base: Pick<DiskState, "boards" | "sinks" | "oldest" | "newest">;
  /** All epochs that its rows may belong to. */
  readonly epochs: readonly Epoch[];
}

/** The commit that adds `memory` to a file that holds `file`. */
export function joinJournals(file: DiskState, memory: MemoryJournal): Commit {
  const { commit, base } = memory;
  const { end } = extentOf(file);
  const active = commit.sinks.filter((sink) => sink.active);

  const lastEpoch = Math.max(0, ...file.epochs.map(({ id }) => id));
  const epochOf = (id: number) => id === TIME_OF_DAY.id ? id : id + lastEpoch;
  const boardIds = numbered(commit.boards, file.boards, ({ name }) => name);
  const sinkIds = numbered(
    commit.sinks,
    file.sinks,
    ({ name, target }) => `${name} ${target}`,
  );
  const places = new Map<number, Position>();
  let { seq, total } = end;
  const rows = commit.rows.map((row): StoredRow => {
    places.set(row.seq, { seq: ++seq, total: total += row.readings });
    return {
      ...row,
      seq,
      total,
      epoch: epochOf(row.epoch),
      board: boardIds.get(row.board) ?? row.board,
    };
  });
  const place = (cursor: Position): Position => {
    const last = commit.rows.findLast((row) => row.seq <= cursor.seq);
    return last && places.get(last.seq) || end;
  };
  let lastParked = file.lastParked;
  return {
    rows,
    epochs: memory.epochs.map((epoch) => ({
      ...epoch,
      id: epochOf(epoch.id),
    })),
    boards: commit.boards.map((board) =>
      joinBoards(board, {
        id: boardIds.get(board.id) ?? board.id,
        file: file.boards.find(({ name }) => name === board.name),
        base: base.boards.find(({ name }) => name === board.name),
        seqOf: (old) => places.get(old)?.seq ?? 0,
        epochOf,
      })
    ),
    sinks: [
      ...file.sinks.filter((sink) => !active.some((one) => isSame(one, sink)))
        .map((sink) => ({ ...sink, active: false })),
      ...active.map((sink) =>
        joinSinks(sink, {
          id: sinkIds.get(sink.id) ?? sink.id,
          file: ledgerIn(file, sink),
          base: ledgerIn(base, sink),
          parked: commit.parked.filter((one) => one.sink === sink.id).length,
          fileEnd: end,
          place,
          total,
        })
      ),
    ],
    rejects: commit.rejects,
    parked: commit.parked.map((reading) => ({
      ...reading,
      id: ++lastParked,
      seq: places.get(reading.seq)?.seq ?? 0,
      sink: sinkIds.get(reading.sink) ?? reading.sink,
      board: boardIds.get(reading.board) ?? reading.board,
    })),
    unparked: [],
    unrejected: [],
    deleted: null,
    durable: true,
  };
}

/** The id in the file for each id in memory; new ones for what the file does not know. */
function numbered<T extends { id: number }>(
  memory: readonly T[],
  file: readonly T[],
  keyOf: (one: T) => string,
): Map<number, number> {
  const known = new Map(file.map((one) => [keyOf(one), one.id]));
  let last = Math.max(0, ...known.values());
  return new Map(
    memory.map((one) => [one.id, known.get(keyOf(one)) ?? ++last]),
  );
}

function isSame(one: SinkState, other: SinkState): boolean {
  return one.name === other.name && one.target === other.target;
}

/**
 * What a file's account of `sink` would be if the configuration had it there; undefined if it has none.
 * An address that was corrected meanwhile is the same sink, as in `accounts.ts`.
 */
function ledgerIn(
  file: MemoryJournal["base"],
  sink: SinkState,
): LedgerState | undefined {
  const extent = extentOf(file);
  const state = file.sinks.find((other) => isSame(other, sink));
  if (state !== undefined) return resume(state, extent).state;
  const moved = file.sinks.find(({ active, name }) =>
    active && name === sink.name
  );
  return moved && Ledger.takingOver(moved.ledger, extent.end).state;
}

interface BoardJoin {
  readonly id: number;
  readonly file: BoardState | undefined;
  readonly base: BoardState | undefined;
  /** A row's new number; 0 when it has none, because it was given up. */
  seqOf(seq: number): number;
  /** An epoch's new number. */
  epochOf(id: number): number;
}

function joinBoards(
  board: BoardState,
  { id, file, base, seqOf, epochOf }: BoardJoin,
): BoardState {
  const latest: Latest = { ...file?.latest };
  for (const [path, newest] of Object.entries(board.latest)) {
    if (newest.seq === base?.latest[path]?.seq) continue;
    // Its epoch has another number there.
    const { epoch, ...value } = newest;
    latest[path] = {
      ...value,
      seq: seqOf(newest.seq),
      ...epoch === undefined ? {} : { epoch: epochOf(epoch) },
    };
  }
  const sum = (key: "lines" | "packets" | "rejects" | "other" | "truncated") =>
    (file?.[key] ?? 0) + board[key] - (base?.[key] ?? 0);
  const clock = (key: keyof BoardState["clock"]) =>
    (file?.clock[key] ?? 0) + board.clock[key] - (base?.clock[key] ?? 0);
  return {
    id,
    name: board.name,
    lines: sum("lines"),
    packets: sum("packets"),
    rejects: sum("rejects"),
    other: sum("other"),
    truncated: sum("truncated"),
    clock: {
      reboots: clock("reboots"),
      wraps: clock("wraps"),
      repeats: clock("repeats"),
      jumps: clock("jumps"),
    },
    latest,
  };
}

interface SinkJoin {
  readonly id: number;
  readonly file: LedgerState | undefined;
  readonly base: LedgerState | undefined;
  /** Readings parked in memory. */
  readonly parked: number;
  /** Where the file's rows end. */
  readonly fileEnd: Position;
  /** A place in memory, in the joined file. */
  place(cursor: Position): Position;
  /** Running total of the joined file. */
  readonly total: number;
}

function joinSinks(
  sink: SinkState,
  { id, file, base, parked, fileEnd, place, total }: SinkJoin,
): SinkState {
  // A sink that the file does not know begins at its end.
  const before = file ?? Ledger.startingAt(fileEnd, fileEnd).state;
  const hasBacklog = before.cursor.seq < fileEnd.seq;
  const sum = (key: "received" | "requeued" | "delivered") =>
    before[key] + sink.ledger[key] - (base?.[key] ?? 0);
  const dropped: LedgerState["dropped"] = { ...before.dropped };
  for (
    const [reason, count] of Object.entries(sink.ledger.dropped) as [
      keyof LedgerState["dropped"],
      number,
    ][]
  ) {
    const more = count - (base?.dropped[reason] ?? 0);
    if (more > 0) dropped[reason] = (dropped[reason] ?? 0) + more;
  }
  const done = place(sink.ledger.cursor);
  const ahead = sink.ledger.deliveredAhead
    .map(({ from, to }) => ({ from: place(from), to: place(to) }));
  const ledger: LedgerState = {
    cursor: hasBacklog ? before.cursor : done,
    ahead: before.ahead,
    deliveredAhead: joined(
      hasBacklog
        ? [...before.deliveredAhead, { from: fileEnd, to: done }, ...ahead]
        : ahead,
    ),
    parked: before.parked + parked,
    received: sum("received"),
    requeued: sum("requeued"),
    delivered: sum("delivered"),
    dropped,
  };
  // Nothing, unless one of the two was off or rows were given up on their way.
  const excess = new Ledger(ledger).imbalance(total);
  if (excess < 0) ledger.requeued -= excess;
  else if (excess > 0) dropped.corrupt = (dropped.corrupt ?? 0) + excess;
  return { ...sink, id, active: true, seenTotal: total, ledger };
}

/** Stretches that are in order, without empty ones and with those that touch as one. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  const found: Stretch[] = [];
  for (const stretch of stretches) {
    if (stretch.from.seq >= stretch.to.seq) continue;
    const last = found.at(-1);
    if (last?.to.seq !== stretch.from.seq) found.push(stretch);
    else found[found.length - 1] = { from: last.from, to: stretch.to };
  }
  return found;
}
