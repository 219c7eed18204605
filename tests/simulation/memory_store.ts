/**
 * A journal's file in memory that does what `Store` does with SQLite;
 * `tests/journal/model_test.ts` runs the same commands on both.
 *
 * @module
 */

import type {
  BoardState,
  Commit,
  CommitResult,
  Disk,
  DiskState,
  Epoch,
  KeptReject,
  OldestRow,
  ParkedReading,
  Reserved,
  SinkState,
  StoredParkedReading,
  StoredRow,
} from "../../lib/journal/disk.ts";

import { NO_TIME_US, TIME_OF_DAY } from "../../lib/journal/schema.ts";
import { KEPT_EPOCHS } from "../../lib/journal/tables.ts";

/** What an empty file takes, and a row besides its body, in bytes. */
const FILE_BYTES = 1024;
const ROW_BYTES = 60;

/** What stands in the file; it outlives those who have it open. */
export class MemoryFile {
  rows: StoredRow[] = [];
  readonly epochs = new Map<number, Epoch>();
  readonly boards = new Map<number, BoardState>();
  readonly sinks = new Map<number, SinkState>();
  rejects: KeptReject[] = [];
  parked: ParkedReading[] = [];
  bytes = FILE_BYTES;

  /** What a killed process leaves. */
  copy(): MemoryFile {
    return Object.assign(new MemoryFile(), structuredClone({ ...this }));
  }

  /** Does what one transaction does. */
  apply(commit: Commit): void {
    for (const epoch of commit.epochs) this.epochs.set(epoch.id, epoch);
    if (commit.deleted !== null) this.#deleteRows(...commit.deleted);
    for (const row of commit.rows) {
      // It is there already where the disk has lied about it.
      if (this.rows.some(({ seq }) => seq === row.seq)) continue;
      this.rows.push(row);
      this.bytes += bytesOf(row);
    }
    if (commit.rows.length > 0) this.rows.sort((one, two) => one.seq - two.seq);
    for (const board of commit.boards) this.boards.set(board.id, board);
    for (const sink of commit.sinks) this.sinks.set(sink.id, sink);
    const once = commit.again ?? false;
    this.rejects = without(this.rejects, commit.unrejected);
    for (const reject of commit.rejects) insert(reject, this.rejects, once);
    for (const reading of commit.parked) {
      if (!isIn({ id: reading.id }, this.parked)) this.parked.push(reading);
    }
    this.parked.sort((one, two) => one.id - two.id);
    this.parked = without(this.parked, commit.unparked);
    if (commit.deleted !== null) this.#deleteEpochs();
  }

  #deleteRows(first: number, last: number): void {
    this.parked = this.parked.map((reading) => {
      const row = this.rows.find(({ seq }) => seq === reading.seq);
      if (row === undefined || row.seq < first || row.seq > last) {
        return reading;
      }
      const epoch = this.epochs.get(row.epoch);
      if (epoch === undefined) return reading;
      const isKnown = epoch.quality !== "unknown";
      return {
        ...reading,
        timeUs: isKnown ? epoch.offsetUs + row.monoUs : NO_TIME_US,
      };
    });
    this.rows = this.rows.filter((row) => {
      const kept = row.seq < first || row.seq > last;
      if (!kept) this.bytes -= bytesOf(row);
      return kept;
    });
  }

  #deleteEpochs(): void {
    const oldest = this.rows[0]?.epoch ?? 0;
    const ids = [...this.epochs.keys()];
    const newest = Math.max(...ids) - KEPT_EPOCHS;
    for (const id of ids) {
      if (id < oldest && id <= newest && id !== TIME_OF_DAY.id) {
        this.epochs.delete(id);
      }
    }
  }
}

function isIn(one: object, table: readonly object[]): boolean {
  const values = Object.entries(one);
  return table.some((row) =>
    values.every(([key, value]) =>
      (row as Record<string, unknown>)[key] === value
    )
  );
}

/** Adds a row with the next id; `once`: not where the table has its like. */
function insert<T extends object>(
  one: T,
  table: (T & { readonly id: number })[],
  once: boolean,
): void {
  if (once && isIn(one, table)) return;
  table.push({ ...one, id: (table.at(-1)?.id ?? 0) + 1 });
}

function without<T extends { readonly id: number }>(
  table: T[],
  ids: readonly number[],
): T[] {
  return ids.length === 0 ? table : table.filter(({ id }) => !ids.includes(id));
}

function bytesOf({ body }: StoredRow): number {
  return body.length + ROW_BYTES;
}

/** A removed sink, with what is left for it. */
function withLeft(sink: SinkState, rows: readonly StoredRow[]): SinkState {
  const { active, ledger: { cursor, deliveredAhead } } = sink;
  if (active) return sink;
  const left = rows.filter(({ seq }) =>
    seq > cursor.seq &&
    !deliveredAhead.some(({ from, to }) => seq > from.seq && seq <= to.seq)
  ).reduce((sum, { readings }) => sum + readings, 0);
  return { ...sink, left };
}

function byId<T extends { id: number }>(table: Map<number, T>): T[] {
  return [...table.values()].sort((one, other) => one.id - other.id);
}

/** A {@linkcode MemoryFile} as a {@linkcode Disk}. */
export class MemoryStore implements Disk {
  readonly #file: () => MemoryFile;

  constructor(file: () => MemoryFile) {
    this.#file = file;
  }

  open(_path: string, _logBytes: number): DiskState {
    const { rows, boards, sinks, epochs, parked, bytes } = this.#file();
    const [oldest, newest] = [rows[0], rows.at(-1)];
    const standing = rows.reduce((sum, { readings }) => sum + readings, 0);
    // What is read from a file is nobody else's.
    return structuredClone({
      boards: byId(boards),
      sinks: byId(sinks).map((sink) => withLeft(sink, rows)),
      epochs: byId(epochs),
      oldest: oldest ?? null,
      newest: newest ?? null,
      gone: (newest?.total ?? 0) -
        ((oldest?.total ?? 0) - (oldest?.readings ?? 0)) - standing,
      lastParked: parked.at(-1)?.id ?? 0,
      usedBytes: bytes,
    });
  }

  openForReading(path: string): DiskState {
    return this.open(path, 0);
  }

  reserve(_bytes: number, _fill: boolean): Reserved {
    return { missingBytes: 0, roomy: true };
  }

  commit(commit: Commit): CommitResult {
    const file = this.#file();
    file.apply(commit);
    return { usedBytes: file.bytes };
  }

  read(seq: number, limit: number): StoredRow[] {
    const { rows } = this.#file();
    const first = rows.findIndex((row) => row.seq > seq);
    return first === -1 ? [] : rows.slice(first, first + limit);
  }

  oldest(limit: number, seq = 0): OldestRow[] {
    return this.read(seq, limit);
  }

  parked(sink: number, limit: number): StoredParkedReading[] {
    const places = new Map<string, number>();
    const { parked, rows } = this.#file();
    return parked.filter((reading) => {
      if (reading.sink !== sink) return false;
      const topic = `${reading.board}/${reading.path}`;
      const place = (places.get(topic) ?? 0) + 1;
      places.set(topic, place);
      return place <= limit;
    }).map((reading) => {
      const { epoch = null, monoUs = null } = rows.find(({ seq }) =>
        seq === reading.seq
      ) ?? {};
      return { ...reading, epoch, monoUs };
    });
  }

  oldestParked(sink: number, limit: number): number[] {
    return this.#file().parked.filter((reading) => reading.sink === sink)
      .slice(0, limit).map(({ id }) => id);
  }

  rejects(after: number, limit: number): KeptReject[] {
    return this.#file().rejects.filter(({ id }) => id > after).slice(0, limit);
  }

  close(): void {}
}
