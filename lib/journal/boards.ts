/**
 * The boards a journal knows: their lines counted over all runs, and each reading's newest value.
 *
 * @module
 */

import type { BoardClockCounts, Row } from "../model.ts";
import type { BoardState, Latest, LatestValue, LineCounts } from "./disk.ts";

/** One board. */
export interface Board {
  readonly id: number;
  readonly name: string;
  /** What earlier runs counted. */
  readonly before: LineCounts;
  /** What this run counts. */
  readonly counts: LineCounts;
  readonly latest: Latest;
  readonly clockBefore: BoardClockCounts;
  readonly clock: BoardClockCounts;
  /** Grows with each change of `latest`. */
  changes: number;
}

/** A reading's newest value, and where it belongs. */
export interface LatestReading extends LatestValue {
  readonly board: string;
  readonly path: string;
}

const NO_LINES: LineCounts = {
  lines: 0,
  packets: 0,
  rejects: 0,
  other: 0,
  truncated: 0,
};

const NO_CLOCK: BoardClockCounts = {
  reboots: 0,
  wraps: 0,
  repeats: 0,
  jumps: 0,
};

/** All boards of a journal. */
export class Boards {
  readonly #byName = new Map<string, Board>();
  readonly #names = new Map<number, string>();
  /** What {@linkcode Boards.changed} has given of each board, without its newest values. */
  readonly #given = new Map<Board, string>();

  constructor(states: readonly BoardState[]) {
    for (const { id, name, latest, clock, ...before } of states) {
      this.#add({
        id,
        name,
        before,
        counts: NO_LINES,
        latest,
        clockBefore: clock,
        clock: NO_CLOCK,
        changes: 0,
      });
    }
  }

  /** A board of the configuration; `counts` and `clock` are read whenever the board is written. */
  register(
    name: string,
    counts: LineCounts,
    clock: BoardClockCounts = NO_CLOCK,
  ): Board {
    const known = this.#byName.get(name);
    const board: Board = {
      id: known?.id ?? this.#byName.size + 1,
      name,
      before: known === undefined ? NO_LINES : sum(known),
      counts,
      latest: known?.latest ?? {},
      clockBefore: known === undefined ? NO_CLOCK : sumClock(known),
      clock,
      changes: 0,
    };
    this.#add(board);
    return board;
  }

  /** The board of this name, as far as it is known; a new one without lines if it is not. */
  of(name: string): Board {
    return this.#byName.get(name) ?? this.register(name, NO_LINES);
  }

  /** The board's name; empty for an unknown one. */
  name(id: number): string {
    return this.#names.get(id) ?? "";
  }

  /** The board's id; 0 for an unknown one. */
  id(name: string): number {
    return this.#byName.get(name)?.id ?? 0;
  }

  /** Remembers the readings of a row as the newest. */
  note(board: Board, { seq, timeUs, readings }: Row, epoch: number): void {
    board.changes++;
    for (const { path, value } of readings) {
      board.latest[path] = { seq, value, timeUs, epoch };
    }
  }

  /** The times of a clock epoch were corrected. */
  move(epoch: number, byUs: number): void {
    for (const board of this.#byName.values()) {
      const { latest } = board;
      for (const [path, newest] of Object.entries(latest)) {
        if (newest.epoch !== epoch) continue;
        board.changes++;
        // In its place a new one: commits that wait hold the old one.
        latest[path] = { ...newest, timeUs: newest.timeUs + byUs };
      }
    }
  }

  /** Remembers those readings of a late row that are the newest by their time. */
  noteLate(board: Board, { seq, timeUs, readings }: Row): void {
    board.changes++;
    for (const { path, value } of readings) {
      if ((board.latest[path]?.timeUs ?? -Infinity) > timeUs) continue;
      board.latest[path] = { seq, value, timeUs };
    }
  }

  /** The row in which the newest value of `path` stands, if that is the one of `timeUs`; else 0. */
  seqOf(board: string, path: string, timeUs: number): number {
    const newest = this.#byName.get(board)?.latest[path];
    return newest?.timeUs === timeUs ? newest.seq : 0;
  }

  /** Whether no newer row has a reading at `path` of the row's board: a later row may hold older ones. */
  isNewest(row: Row, path: string): boolean {
    const newest = this.#byName.get(row.board)?.latest[path]?.seq;
    return newest === undefined || newest === row.seq;
  }

  /** The newest value of every reading of every board. */
  *latest(): Iterable<LatestReading> {
    for (const { name, latest } of this.#byName.values()) {
      for (const [path, newest] of Object.entries(latest)) {
        yield { board: name, path, ...newest };
      }
    }
  }

  /** All boards as they are written. */
  states(): BoardState[] {
    return [...this.#byName.values()].map(stateOf);
  }

  /**
   * The boards that are not what this gave last, as they are written: of twenty boards a commit has the
   * one whose packet it brings.
   */
  changed(): BoardState[] {
    return [...this.#byName.values()].filter((board) => {
      const { changes } = board;
      const now = JSON.stringify([changes, sum(board), sumClock(board)]);
      if (this.#given.get(board) === now) return false;
      this.#given.set(board, now);
      return true;
    }).map(stateOf);
  }

  #add(board: Board): void {
    this.#byName.set(board.name, board);
    this.#names.set(board.id, board.name);
  }
}

/** A copy, because a commit may be tried again later. */
function stateOf(board: Board): BoardState {
  return {
    id: board.id,
    name: board.name,
    ...sum(board),
    latest: { ...board.latest },
    clock: sumClock(board),
  };
}

function sum({ before, counts }: Board): LineCounts {
  return {
    lines: before.lines + counts.lines,
    packets: before.packets + counts.packets,
    rejects: before.rejects + counts.rejects,
    other: before.other + counts.other,
    truncated: before.truncated + counts.truncated,
  };
}

function sumClock({ clockBefore, clock }: Board): BoardClockCounts {
  return {
    reboots: clockBefore.reboots + clock.reboots,
    wraps: clockBefore.wraps + clock.wraps,
    repeats: clockBefore.repeats + clock.repeats,
    jumps: clockBefore.jumps + clock.jumps,
  };
}
