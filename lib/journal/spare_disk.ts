/**
 * A disk that goes on in memory when the real one does not.
 *
 * What holds:
 *
 * - As long as the disk takes commits this is the disk, and nothing else.
 * - When it does not, commits gather in memory, bounded; rows are given out from the disk as far as
 *   it has them and can be read, then from memory, in the same order. Rows in memory are lost in a
 *   power cut.
 * - The disk is tried again every minute. It is opened anew for that: after a failed sync trying
 *   again proves nothing. When it has taken everything in one transaction, it is the disk again.
 * - A full disk is left time first: what fills it often goes away again.
 * - When the gateway ends, a disk that hangs is left behind ({@linkcode SpareDisk.hurry}).
 * - A folder that holds somebody else's journal when it appears (one could not be read at the start)
 *   is not written to before the end: {@linkcode SpareDisk.foreign}.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { describeError } from "../error_text.ts";
import {
  type AsyncDisk,
  type BoardState,
  type Commit,
  type CommitResult,
  DiskError,
  type DiskState,
  EMPTY_COMMIT,
  type Epoch,
  type JournalMedium,
  type KeptReject,
  type OldestRow,
  type Reserved,
  type StoredParkedReading,
  type StoredRow,
} from "./disk.ts";
import type { Recovery } from "./recovery.ts";
import { joinJournals } from "./join.ts";
import { FolderInUseError } from "./lock.ts";
import { MemoryCommit } from "./memory_commit.ts";
import { Patience, type PatienceOptions } from "./patience.ts";

/** How often the disk is tried again. */
const RETRY_MS = 60_000;
/** How long a full disk is tried before memory takes over. */
const FULL_PATIENCE_MS = 10_000;
/** How long sinks wait for rows that are on a disk which cannot be read. */
const UNREADABLE_PATIENCE_MS = 600_000;

/** Options for {@linkcode SpareDisk}. */
export interface SpareDiskOptions extends PatienceOptions {
  readonly disk: AsyncDisk;
  /** Makes the disk usable: called before each attempt to open the file to be written. */
  prepare(): Promise<void>;
  /** Microseconds since 1970 by the wall clock. */
  now(): number;
  /** How often the disk is tried again, in milliseconds. @default {60000} */
  readonly retryMs?: number;
  /** How long a full disk is tried before memory takes over. @default {10000} */
  readonly fullPatienceMs?: number;
  /** How long sinks wait for rows on a disk that cannot be read. @default {600000} */
  readonly unreadablePatienceMs?: number;
}

interface Spare {
  readonly memory: MemoryCommit;
  readonly sinceUs: number;
  reason: string;
  /** Whether the file can be kept open meanwhile: a full disk has lost nothing. */
  full: boolean;
  /** Rows on the disk that were chosen before: they are still there, and nobody is given them. */
  deleted: Commit["deleted"];
  /**
   * The newest row of each commit that failed, by its seq with its total: the disk may have it all
   * the same.
   */
  readonly attempted: Map<number, number>;
  /** When the disk could not be read first, by the monotonic clock. */
  unreadableSinceMs?: number | undefined;
}

const NOTHING: DiskState = {
  boards: [],
  sinks: [],
  epochs: [],
  oldest: null,
  newest: null,
  lastParked: 0,
  usedBytes: 0,
};

/** A disk with memory to spare. */
export class SpareDisk implements AsyncDisk {
  readonly #options: SpareDiskOptions;
  readonly #disk: AsyncDisk;
  readonly #patience: Patience;
  readonly #log = getLogger(["gateway", "journal"]);
  readonly #foreign = Promise.withResolvers<void>();
  #path = "";
  #logBytes = 0;
  /** What the disk held at the start, and the epochs of then and since. */
  #base = NOTHING;
  readonly #epochs = new Map<number, Epoch>();
  /** The boards as the last commit left them. */
  readonly #boards = new Map<number, BoardState>();
  /** The newest row that the disk is known to have, as it was opened or committed. */
  #end: Pick<StoredRow, "seq" | "total"> = { seq: 0, total: 0 };
  #spare: Spare | undefined;
  /** What was done about the file as it was opened anew, and is not told yet. */
  readonly #recoveries: Recovery[] = [];
  #isForeign = false;
  #fullSinceMs: number | undefined;
  /** The disk has taken a commit since the start: there is something to be patient for. */
  #hasTaken = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** What changes anything is done one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SpareDiskOptions) {
    this.#options = options;
    this.#disk = options.disk;
    this.#patience = new Patience(options);
  }

  /** Where the journal is kept now. */
  get medium(): JournalMedium {
    const spare = this.#spare;
    return spare === undefined ? { kind: "disk" } : {
      kind: "memory",
      sinceUs: spare.sinceUs,
      reason: spare.reason,
      full: spare.full,
      bytes: spare.memory.bytes,
      limitBytes: this.#logBytes,
    };
  }

  /**
   * Comes when the disk has come back with a journal of its own: this one must be closed, which joins
   * the two, and opened anew.
   */
  get foreign(): Promise<void> {
    return this.#foreign.promise;
  }

  /**
   * The gateway ends: from `deadline` on no call is waited for longer than three seconds, but for the one that
   * brings what memory holds to a disk that has just answered.
   */
  hurry(deadline: AbortSignal): void {
    this.#patience.hurry(deadline);
  }

  /** @throws {FolderInUseError} if another gateway has the journal */
  async open(path: string, logBytes: number): Promise<DiskState> {
    this.#path = path;
    this.#logBytes = logBytes;
    let state: DiskState;
    try {
      await this.#patience.ask(() => this.#options.prepare());
      state = await this.#patience.ask(() => this.#disk.open(path, logBytes));
    } catch (error) {
      if (error instanceof FolderInUseError) throw error;
      state = await this.#patience.ask(() => this.#disk.openForReading(path))
        .catch(() => NOTHING);
      this.#beginSpare(error);
    }
    this.#end = state.newest ?? this.#end;
    this.#base = state;
    for (const epoch of state.epochs) this.#epochs.set(epoch.id, epoch);
    for (const board of state.boards) this.#boards.set(board.id, board);
    this.#timer = setInterval(
      () => void this.#inTurn(() => this.#tryDisk()),
      this.#options.retryMs ?? RETRY_MS,
    );
    return state;
  }

  openForReading(path: string): Promise<DiskState> {
    return this.#disk.openForReading(path);
  }

  /** @throws {DiskError} as long as a full disk is left time */
  commit(commit: Commit): Promise<CommitResult> {
    return this.#inTurn(() => this.#commit(commit));
  }

  async read(seq: number, limit: number): Promise<StoredRow[]> {
    const spare = this.#spare;
    if (spare === undefined) {
      return await this.#patience.ask(() => this.#disk.read(seq, limit)).catch(
        (error) => {
          void this.#inTurn(() => this.#reopen(error));
          throw error;
        },
      );
    }
    const stored = seq < this.#end.seq
      ? await this.#readStored(spare, seq, limit)
      : [];
    return stored.length > 0 ? stored : spare.memory.read(seq, limit);
  }

  /** Of a disk that takes no deletion, nothing is offered for it. */
  async oldest(limit: number, seq = 0): Promise<OldestRow[]> {
    return this.#spare?.memory.read(seq, limit) ??
      await this.#patience.ask(() => this.#disk.oldest(limit, seq));
  }

  async parked(sink: number, limit: number): Promise<StoredParkedReading[]> {
    const memory = this.#spare?.memory;
    const stored = this.#patience.ask(() =>
      this.#disk.parked(sink, limit + (memory?.unparked.size ?? 0))
    );
    if (memory === undefined) return await stored;
    const places = new Map<string, number>();
    return [
      ...(await stored.catch(() => [])).filter(({ id }) => !memory.tells(id)),
      ...memory.parked(sink),
    ].filter(({ board, path }) => {
      const topic = `${board} ${path}`;
      const place = (places.get(topic) ?? 0) + 1;
      places.set(topic, place);
      return place <= limit;
    });
  }

  async oldestParked(sink: number, limit: number): Promise<number[]> {
    const memory = this.#spare?.memory;
    const stored = this.#patience.ask(() =>
      this.#disk.oldestParked(sink, limit + (memory?.unparked.size ?? 0))
    );
    if (memory === undefined) return await stored;
    return [
      ...(await stored.catch(() => [])).filter((id) => !memory.tells(id)),
      ...memory.parked(sink).map(({ id }) => id),
    ].slice(0, limit);
  }

  /** Those in memory have no id yet: they are to be had when the disk is back. */
  async rejects(after: number, limit: number): Promise<KeptReject[]> {
    for (let last = after;;) {
      const from = last;
      const page = await this.#patience.ask(() =>
        this.#disk.rejects(from, limit)
      );
      const kept = page.filter(({ id }) =>
        !this.#spare?.memory.unrejected.has(id)
      );
      last = page.at(-1)?.id ?? 0;
      if (kept.length > 0 || page.length === 0) return kept;
    }
  }

  /** Nothing is missing while the disk takes nothing. */
  async reserve(bytes: number, fill: boolean): Promise<Reserved> {
    if (this.#spare !== undefined) return { missingBytes: 0, roomy: true };
    return await this.#patience.ask(() => this.#disk.reserve(bytes, fill));
  }

  /** Closes the file. @throws {Error} if the disk does not take what is still in memory */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    try {
      await this.#inTurn(() => this.#leave());
    } finally {
      const closed = this.#disk.close();
      if (this.#patience.hanging) closed.catch(() => {});
      else await closed;
    }
  }

  async #commit(commit: Commit): Promise<CommitResult> {
    for (const epoch of commit.epochs) this.#epochs.set(epoch.id, epoch);
    for (const board of commit.boards) this.#boards.set(board.id, board);
    if (this.#spare !== undefined) return this.#keep(this.#spare, commit);
    try {
      return await this.#write(commit);
    } catch (error) {
      return await this.#failed(error, commit);
    }
  }

  async #write(
    commit: Commit,
    time?: "always",
  ): Promise<CommitResult> {
    const { recoveries = [], ...result } = await this.#patience.ask(
      () => this.#disk.commit(commit),
      time,
    );
    this.#end = commit.rows.at(-1) ?? this.#end;
    this.#fullSinceMs = undefined;
    this.#hasTaken = true;
    return {
      ...result,
      recoveries: [...this.#recoveries.splice(0), ...recoveries],
    };
  }

  /** Tries what can be tried at once; memory takes over if that does not help. */
  async #failed(error: unknown, commit: Commit): Promise<CommitResult> {
    const full = isFull(error);
    if (full) {
      this.#fullSinceMs ??= performance.now();
      const sinceMs = performance.now() - this.#fullSinceMs;
      const { fullPatienceMs = FULL_PATIENCE_MS } = this.#options;
      if (this.#hasTaken && sinceMs < fullPatienceMs) {
        throw error;
      }
    } else if (!this.#patience.hanging) {
      try {
        await this.#openAnew();
        // What it was given without a sync may be gone from it, and a commit has the changed boards only.
        const boards = [...this.#boards.values()];
        return await this.#write({ ...commit, boards, again: true });
      } catch {
        // The first error says more.
      }
    }
    const spare = this.#beginSpare(error);
    this.#attempt(spare, commit);
    if (!full) await this.#openReadable();
    return this.#keep(spare, commit);
  }

  #keep(spare: Spare, commit: Commit): CommitResult {
    const { memory } = spare;
    const { deleted } = commit;
    if (deleted !== null && deleted[1] <= this.#end.seq) {
      spare.deleted = deleted;
      memory.add({ ...commit, deleted: null });
    } else memory.add(commit);
    return { usedBytes: memory.bytes, limitBytes: this.#logBytes };
  }

  #attempt({ attempted }: Spare, { rows }: Commit): void {
    const newest = rows.at(-1);
    if (newest !== undefined) attempted.set(newest.seq, newest.total);
  }

  #beginSpare(error: unknown): Spare {
    const full = isFull(error);
    const reason = describeError(error);
    const spare: Spare = {
      memory: new MemoryCommit(this.#boards.values()),
      sinceUs: this.#options.now(),
      reason,
      full,
      deleted: null,
      attempted: new Map(),
    };
    this.#spare = spare;
    this.#log.error(
      'The disk does not take the journal "{path}": {reason}. Packets are only in memory from now on: a power cut loses them, and more than {limit} MB of them do not fit. {hint}; it is tried again every minute',
      {
        path: this.#path,
        reason,
        limit: (this.#logBytes / 1e6).toFixed(1),
        hint: full
          ? "Make room on the disk"
          : 'See whether it is there, may be written and is sound, with "iiot-gateway check"',
      },
    );
    return spare;
  }

  /** One attempt to write everything that is in memory. */
  async #tryDisk(): Promise<void> {
    const spare = this.#spare;
    if (spare === undefined || this.#patience.hanging || this.#isForeign) {
      return;
    }
    let isOthers = false;
    try {
      await this.#patience.ask(() => this.#options.prepare());
      if (!spare.full) {
        const state = await this.#openAnew();
        isOthers = this.#isOthers(state, spare);
        if (isOthers) {
          await this.#proveWritable(state);
          return this.#sayForeign();
        }
      }
      // First without rows: a disk that does not take even this is not sent all of them.
      await this.#write({ ...EMPTY_COMMIT, deleted: spare.deleted });
      const everything = spare.memory.toCommit();
      this.#attempt(spare, everything);
      await this.#write(everything, "always");
      this.#spare = undefined;
      this.#log.warn(
        "The disk takes the journal again after {minutes} min: everything that was in memory is on it",
        { minutes: Math.round((this.#options.now() - spare.sinceUs) / 6e7) },
      );
    } catch (error) {
      // Only a file of our own is written to without being looked at again.
      spare.full = !isOthers && isFull(error);
      spare.reason = describeError(error);
      this.#log.debug("The disk still does not take the journal: {error}", {
        error: describeError(error),
      });
      if (!spare.full && !this.#patience.hanging) await this.#openReadable();
    }
  }

  async #openAnew(): Promise<DiskState> {
    const state = await this.#patience.ask(() =>
      this.#disk.open(this.#path, this.#logBytes)
    );
    this.#recoveries.push(...state.recoveries ?? []);
    return state;
  }

  async #openReadable(): Promise<void> {
    // What cannot be read is said by those who read.
    await this.#patience.ask(() => this.#disk.openForReading(this.#path)).catch(
      () => {},
    );
  }

  /** After a failed read: the next one has a file that was opened anew, or memory. */
  async #reopen(error: unknown): Promise<void> {
    if (this.#spare !== undefined || this.#patience.hanging) return;
    await this.#openAnew().catch(async () => {
      this.#beginSpare(error);
      await this.#openReadable();
    });
  }

  /** Whether the file holds rows that this journal does not know. */
  #isOthers({ newest }: DiskState, { attempted }: Spare): boolean {
    if (newest === null || newest.seq < this.#end.seq) return false;
    const known = newest.seq === this.#end.seq
      ? this.#end.total
      : attempted.get(newest.seq);
    return newest.total !== known;
  }

  /**
   * Writes what is there already. The two journals are joined when the gateway has ended, and memory is
   * gone then: too late to find that the disk takes nothing.
   */
  async #proveWritable({ boards, sinks }: DiskState): Promise<void> {
    await this.#write({ ...EMPTY_COMMIT, boards, sinks });
  }

  #sayForeign(): void {
    this.#isForeign = true;
    this.#log.warn(
      'The disk is back, and the journal "{path}" on it holds packets of its own: the gateway begins anew to join the two',
      { path: this.#path },
    );
    this.#foreign.resolve();
  }

  async #leave(): Promise<void> {
    await this.#tryDisk();
    const spare = this.#spare;
    if (spare === undefined) return;
    try {
      if (!this.#isForeign) throw new Error(spare.reason);
      const joined = joinJournals(await this.#openAnew(), {
        commit: spare.memory.toCommit(),
        base: this.#base,
        epochs: [...this.#epochs.values()],
      });
      await this.#patience.ask(() => this.#disk.commit(joined), "always");
    } catch (error) {
      const { rows, sinks, parked } = spare.memory.toCommit();
      const refused = new Set(parked.map(({ seq }) => seq));
      const done = Math.min(
        ...sinks.filter(({ active }) => active)
          .map(({ ledger }) => ledger.cursor.seq),
      );
      const lost = rows.filter(({ seq }) =>
        seq > done || refused.has(seq)
      ).length;
      if (lost === 0) return;
      throw new Error(
        `Cannot write the journal "${this.#path}": ${lost} packets that were only in memory and have not gone to every server are lost`,
        { cause: error },
      );
    }
  }

  async #readStored(
    spare: Spare,
    seq: number,
    limit: number,
  ): Promise<StoredRow[]> {
    const [first, last] = spare.deleted ?? [0, 0];
    try {
      for (let after = seq;;) {
        if (after >= first - 1 && after < last) after = last;
        const rows = await this.#patience.ask(() =>
          this.#disk.read(after, limit)
        );
        spare.unreadableSinceMs = undefined;
        const known = rows.filter((row) =>
          row.seq <= this.#end.seq && (row.seq < first || row.seq > last)
        );
        const newest = rows.at(-1);
        if (known.length > 0 || newest === undefined) return known;
        after = newest.seq;
      }
    } catch (error) {
      const now = performance.now();
      const sinceMs = now - (spare.unreadableSinceMs ??= now);
      const { unreadablePatienceMs = UNREADABLE_PATIENCE_MS } = this.#options;
      if (sinceMs < unreadablePatienceMs) {
        throw new Error("The packets on the disk cannot be read", {
          cause: error,
        });
      }
      this.#log.error(
        "The packets on the disk have not been readable for {minutes} min: those up to {seq} are passed over and counted as corrupt",
        { minutes: Math.round(sinceMs / 60_000), seq: this.#end.seq },
      );
      return [];
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof DiskError && error.kind === "full";
}
