/**
 * Rewinds, and what they owe: everything of their time that the sink has had and the journal still has
 * comes again, is booked once as requeued, and nothing else.
 *
 * @module
 */

import type { Cursor } from "../../lib/journal/cursor.ts";
import type { StoredRow } from "../../lib/journal/disk.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import type { LedgerState, Position } from "../../lib/journal/ledger.ts";
import type { MemoryFile } from "./memory_store.ts";
import { keyOf, type SentReading } from "./place.ts";

/** Options for {@linkcode Rewinds}. */
export interface RewindsOptions {
  /** A promise is broken. */
  fail(what: string): void;
  file(): MemoryFile;
  /** Readings of paths that go nowhere. */
  isUnknown(path: string): boolean;
}

/** A rewind that somebody asks for. */
export interface AskedRewind {
  readonly sink: string;
  readonly toUs: number;
  readonly dryRun: boolean;
  /** The gateway stops. */
  readonly signal: AbortSignal;
}

/** A reading that is to come again. */
export interface OwedReading extends SentReading {
  /** Its row. */
  readonly seq: number;
}

/** Readings by their keys. */
type Owed = Map<string, OwedReading>;

/** See the module's text. */
export class Rewinds {
  readonly #options: RewindsOptions;
  /** By target: what it is to have again. */
  readonly #owed = new Map<string, Owed>();
  /** The same, of a rewind that the disk need not have yet. */
  #begun: { target: string; owed: Owed } | undefined;
  readonly #counts = new Map<string, number>();
  /** Packets that may go where they have not been, late. */
  readonly #late = new Map<string, Set<number>>();

  constructor(options: RewindsOptions) {
    this.#options = options;
  }

  /** Rewinds, and looks at what that does. */
  async rewind(journal: Journal, asked: AskedRewind): Promise<void> {
    const { sink, toUs } = asked;
    const { fail, file } = this.#options;
    const cursor = journal.cursor(sink);
    const timeUs = (row: StoredRow) => journal.epochs.time(row).timeUs;
    const offsets = () =>
      new Map(file().rows.map((row) => [row.epoch, timeUs(row) - row.monoUs]));
    const offsetsBefore = offsets();
    const had = cursor.ledger;
    const due = file().rows
      .filter((row) => isDone(had, row) && timeUs(row) >= toUs);
    using _ = onRewind(cursor, (to, before, after) => {
      if (asked.dryRun) fail(`a rewind of ${sink} was not to be done`);
      const again = file().rows
        .filter((row) => row.seq > to.seq && isDone(before, row));
      const readings = again.reduce((sum, row) => sum + row.readings, 0);
      const requeued = after.requeued - before.requeued;
      if (requeued !== readings) {
        fail(`${sink} has ${requeued} readings requeued, and not ${readings}`);
      }
      const done = again.find((row) => isDone(after, row));
      if (done !== undefined) fail(`row ${done.seq} stays done for ${sink}`);
      // Meanwhile the times may have been corrected, on the disk or not yet.
      const isSettled = [...offsets()].every(([epoch, us]) =>
        offsetsBefore.get(epoch) === us
      );
      if (isSettled) {
        const left = due.find((row) =>
          row.seq <= to.seq && file().rows.includes(row)
        );
        if (left !== undefined) fail(`row ${left.seq} is not sent again`);
        if (again[0] === undefined || timeUs(again[0]) < toUs) {
          fail(`a rewind of ${sink} goes back to ${to.seq}, and too far`);
        }
      }
      this.#begin(journal, sink, again);
    });
    const { dryRun, signal } = asked;
    await journal.rewind(sink, { toUs, dryRun, signal });
    this.#keep();
  }

  /** A target has been told a reading, or has refused it. */
  answered(target: string, key: string): void {
    this.#owed.get(target)?.delete(key);
    if (this.#begun?.target === target) this.#begun.owed.delete(key);
  }

  /** What the disk need not have is forgotten. */
  restarted(): void {
    this.#begun = undefined;
  }

  /** Whether a packet may come for the first time behind newer ones. */
  mayBeLate(target: string, number: number): boolean {
    return this.#late.get(target)?.has(number) ?? false;
  }

  /** How often a target's cursor was taken back. */
  count(target: string): number {
    return this.#counts.get(target) ?? 0;
  }

  /** What a target has not had again. */
  owed(target: string): Iterable<OwedReading> {
    return this.#owed.get(target)?.values() ?? [];
  }

  #begin(journal: Journal, sink: string, rows: readonly StoredRow[]): void {
    const { file, isUnknown } = this.#options;
    const { target } = journal.standings().find(({ name }) => name === sink)!;
    this.#counts.set(target, this.count(target) + 1);
    const owed: Owed = new Map();
    const late = this.#late.get(target) ?? new Set();
    this.#late.set(target, late);
    for (const { seq, body, ...row } of rows) {
      const board = file().boards.get(row.board)?.name ?? "";
      for (const [path, value] of Object.entries(JSON.parse(body))) {
        if (isUnknown(path)) continue;
        const [number, place] = [value as number, { board, path }];
        owed.set(keyOf(number, place), { seq, number, place });
        late.add(number);
      }
    }
    this.#begun = { target, owed };
  }

  #keep(): void {
    if (this.#begun === undefined) return;
    const { target, owed } = this.#begun;
    this.#begun = undefined;
    const before = this.#owed.get(target) ?? new Map();
    this.#owed.set(target, new Map([...before, ...owed]));
  }
}

/** Calls `seen` whenever `cursor` goes back, until it is disposed. */
function onRewind(
  cursor: Cursor,
  seen: (to: Position, before: LedgerState, after: LedgerState) => void,
): Disposable {
  const { rewind } = cursor;
  cursor.rewind = (to, readings) => {
    const before = cursor.ledger;
    rewind.call(cursor, to, readings);
    seen(to, before, cursor.ledger);
  };
  return { [Symbol.dispose]: () => cursor.rewind = rewind };
}

function isDone(
  { cursor, deliveredAhead }: LedgerState,
  { seq }: StoredRow,
): boolean {
  return seq <= cursor.seq ||
    deliveredAhead.some(({ from, to }) => seq > from.seq && seq <= to.seq);
}
