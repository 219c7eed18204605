/**
 * The durable log between the boards and the sinks: the main thread's side.
 *
 * What holds before and after every call:
 *
 * - A row is given to a sink only after the disk has it. Rows are numbered 1, 2, 3 … in the order
 *   they came; each sink gets them in that order.
 * - A sink's cursor passes a row only when the sink has reported it done.
 * - What waits for the disk is bounded (`pending.ts`); a packet beyond that is dropped and booked
 *   as `overrun`. Nobody who appends is made to wait for more than a moment.
 * - Each sink's ledger is written in the transaction that changes what it counts.
 * - After a crash everything committed is there; the sinks get again what was delivered in the last
 *   second before it.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { counted } from "../counted.ts";
import type {
  BoardClockCounts,
  EventTime,
  Reading,
  Row,
  TelemetryPacket,
  TimeQuality,
} from "../model.ts";
import { ownText } from "../own_text.ts";
import { Accounts, extentOf, type SinkRegistration } from "./accounts.ts";
import { type Board, Boards, type LatestReading } from "./boards.ts";
import { Committer } from "./committer.ts";
import { Cursor, type CursorHost } from "./cursor.ts";
import {
  type AsyncDisk,
  type Commit,
  type CommitResult,
  type DiskState,
  type JournalMedium,
  type KeptReject,
  type LineCounts,
  logBytesOf,
} from "./disk.ts";
import type { LedgerState, Position } from "./ledger.ts";
import { Overruns } from "./overruns.ts";
import { Epochs } from "./epochs.ts";
import { Pages } from "./pages.ts";
import { Pending } from "./pending.ts";
import { Pruner } from "./pruner.ts";
import { describeRecovery } from "./recovery.ts";
import { Rejects, type SecondReading } from "./rejects.ts";
import type { JournalReport } from "./report.ts";
import { rewind, type RewindOptions, type Rewound } from "./rewind.ts";
import { Reserver } from "./reserver.ts";
import {
  encodeReadings,
  RecentRows,
  type RowContext,
  takeReadings,
  toRow,
} from "./rows.ts";

/** How often delivered rows are looked at for their age. */
const AGE_CHECK_MS = 60_000;
/** The longest that a writer waits for the disk to catch up before it goes on regardless. */
const ROOM_WAIT_MS = 10;
/** Pause before a failed commit is tried again. */
const COMMIT_RETRY_MS = 1000;
/** The most rows read from the disk at once. */
const PAGE_ROWS = 1000;
/** The most readings, unless a sink asks for more. */
const PAGE_READINGS = 9000;

/** Options for {@linkcode Journal.open}. */
export interface JournalOptions {
  readonly disk: AsyncDisk & { readonly medium?: JournalMedium };
  /** The file. */
  readonly path: string;
  /** Bytes that the file and its write-ahead log may use. */
  readonly maxBytes: number;
  /** Seconds that delivered rows are kept. */
  readonly historyS: number;
  readonly sinks: readonly SinkRegistration[];
  /** Identifies the operating system's run; empty where it has no such id. */
  readonly bootId: string;
  /** Microseconds since 1970 by the wall clock. */
  now(): number;
  /** Microseconds since the operating system's start. @default {performance.now} */
  monotonicUs?(): number;
  /** Pause before a failed commit is tried again, in milliseconds. @default {1000} */
  readonly retryMs?: number;
  /** Whether the file is filled to its limit beforehand. @default {false} */
  readonly reserve?: boolean;
  /** Readings of the newest rows that are kept in memory. @default {10000} */
  readonly maxRecentReadings?: number;
  /** Bytes of rows that may wait in memory for the disk. @default {MAX_PENDING_BYTES} */
  readonly maxPendingBytes?: number;
}

/** A packet and when it happened. */
export interface TimedPacket {
  readonly packet: TelemetryPacket;
  readonly at: EventTime;
}

/** A board's side of the journal. */
export interface BoardLog {
  /**
   * Takes packets. They are committed soon; the promise only asks the writer to wait a moment (at
   * most 10 ms) while more than `capacity` packets wait.
   */
  append(packets: readonly TimedPacket[], capacity: number): Promise<void>;
  /** Keeps a line that could not be used; `at`: when it was read, now unless told otherwise. */
  reject(line: string, reason: string, at?: EventTime): void;
}

/** How a sink stands. */
export interface SinkStanding {
  readonly name: string;
  readonly target: string;
  readonly ledger: LedgerState;
  /** Readings not yet done. */
  readonly waiting: number;
  /** 0, or the program is wrong. */
  readonly imbalance: number;
}

/** The durable log. */
export class Journal implements AsyncDisposable {
  /** What turns the rows' monotonic times into time of day. */
  readonly epochs: Epochs;
  readonly #options: JournalOptions;
  readonly #log = getLogger(["gateway", "journal"]);
  readonly #boards: Boards;
  readonly #accounts: Accounts;
  readonly #recent: RecentRows;
  readonly #pages = new Pages();
  readonly #pending: Pending;
  readonly #overruns = new Overruns();
  readonly #committer: Committer;
  readonly #pruner: Pruner;
  /** What could not be used. */
  readonly rejects: Rejects;
  readonly #reserver: Reserver;
  readonly #listeners = new Set<() => void>();
  readonly #rowContext: RowContext = {
    boardName: (id) => this.#boards.name(id),
    time: (at) => this.epochs.time(at),
  };

  /** The newest row appended, committed or not. */
  #end: Position;
  /** When the newest packet happened. */
  #newest: EventTime | null;
  #committedSeq: number;
  #filled: CommitResult;
  #ageTimer: ReturnType<typeof setInterval> | undefined;

  private constructor(options: JournalOptions, state: DiskState) {
    this.#options = options;
    this.#filled = { usedBytes: state.usedBytes };
    this.#recent = new RecentRows(
      this.#rowContext,
      options.maxRecentReadings,
    );
    this.#pending = new Pending(state.lastParked, options.maxPendingBytes);
    this.#boards = new Boards(state.boards);
    const { newest } = state;
    const extent = extentOf(state);
    this.epochs = new Epochs({
      known: state.epochs,
      newest,
      bootId: options.bootId,
      monotonicUs: () => this.#monotonicUs(),
      changed: (epoch, movedUs) => {
        this.#pending.epochs.push(epoch);
        if (movedUs !== 0) this.#boards.move(epoch.id, movedUs);
      },
      settled: () => this.#committer.schedule(),
    });
    this.#end = extent.end;
    this.#newest = newest;
    this.#committedSeq = extent.end.seq;
    this.#accounts = new Accounts(
      state.sinks,
      options.sinks,
      extent,
      (id, { name, needsTime = false }, ledger) =>
        new Cursor({ id, name, needsTime, ledger, host: this.#host }),
    );
    this.#committer = new Committer({
      disk: options.disk,
      path: options.path,
      retryMs: options.retryMs ?? COMMIT_RETRY_MS,
      take: (which) => this.#take(which),
      committed: (commit, result) => this.#committed(commit, result),
    });
    this.rejects = new Rejects({
      disk: options.disk,
      pending: this.#pending,
      boards: this.#boards,
      accounts: this.#accounts,
      appendLate: (reject, reading) => this.#appendLate(reject, reading),
      flush: () => this.flush(),
    });
    this.#pruner = new Pruner({
      ...options,
      accounts: this.#accounts,
      pending: this.#pending,
      forget: (seq) => {
        this.#recent.forget(seq);
        this.#pages.forget(seq);
      },
      newest: () => this.#committedSeq,
      readingsPerRow: () => this.#readingsPerRow(),
      timeUs: (at) => this.epochs.time(at).timeUs,
      isOlder: (at, ageUs) => this.epochs.isOlder(at, ageUs),
      chosen: () => this.#committer.schedule(),
    });
    this.#reserver = new Reserver({
      disk: options.disk,
      fileBytes: options.maxBytes,
      fill: options.reserve ?? false,
    });
  }

  /**
   * Opens the file, or makes it, and registers the configuration's sinks.
   *
   * @throws {Error} if the file cannot be opened
   */
  static async open(options: JournalOptions): Promise<Journal> {
    try {
      const logBytes = logBytesOf(options.maxBytes);
      const state = await options.disk.open(options.path, logBytes);
      const journal = new Journal({
        ...options,
        maxBytes: options.maxBytes - logBytes,
      }, state);
      journal.#sayRecoveries(state);
      await journal.#committer.open();
      for (const move of journal.#accounts.moved) {
        journal.#log.warn(
          "{name} goes to {to} now, and not to {from}: {waiting} for it in the journal",
          {
            ...move,
            waiting: counted(move.waiting, "reading waits", "readings wait"),
          },
        );
      }
      journal.#reserver.start();
      journal.#ageTimer = setInterval(
        () => {
          journal.#overruns.minute();
          journal.#pruner.expire(journal.#filled);
        },
        AGE_CHECK_MS,
      );
      return journal;
    } catch (error) {
      await options.disk.close().catch(() => {});
      throw new Error(
        `Cannot open the journal "${options.path}": "iiot-gateway check" looks at its folder and disk`,
        { cause: error },
      );
    }
  }

  /** Calls `listener` after each commit; returns how to stop it. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A board's side; `counts` and `clock` are read whenever the board is written. */
  board(name: string, counts: LineCounts, clock?: BoardClockCounts): BoardLog {
    const board = this.#boards.register(name, counts, clock);
    this.#pending.share(board.id);
    return {
      append: (packets, capacity) => {
        for (const packet of packets) this.#append(board, packet);
        this.#committer.schedule();
        return this.#room(board, capacity);
      },
      reject: (line, reason, at) => {
        this.#pending.addReject({
          timeUs: at === undefined
            ? this.#options.now()
            : this.epochs.time(at).timeUs,
          board: name,
          origin: "source",
          reason: ownText(reason),
          body: ownText(line),
        });
        this.#committer.touch();
      },
    };
  }

  /** The cursor of a registered sink. @throws {Error} if it is not registered */
  cursor(name: string): Cursor {
    const account = this.#accounts.active.find((one) => one.name === name);
    if (account === undefined) {
      throw new Error(`The journal knows no sink "${name}"`);
    }
    return account.cursor;
  }

  /** Whether no newer row has a reading at `path` of the row's board. */
  isNewest(row: Row, path: string): boolean {
    return this.#boards.isNewest(row, path);
  }

  /** The newest value of every reading of every board. */
  *latest(): Iterable<LatestReading & { readonly timeQuality: TimeQuality }> {
    for (const { epoch, ...newest } of this.#boards.latest()) {
      const timeQuality = this.epochs.storedQuality(epoch ?? 0);
      yield { ...newest, timeQuality };
    }
  }

  /**
   * How long ago a row happened, in microseconds: by the monotonic clock where that still runs. One
   * from before that started is at least as old as it is, whatever the time of day says.
   */
  ageUs({ timeUs, monoUs }: Pick<Row, "timeUs" | "monoUs">): number {
    return monoUs === undefined
      ? Math.max(this.#options.now() - timeUs, this.#monotonicUs())
      : this.#monotonicUs() - monoUs;
  }

  /** Where the journal is kept: on disk, or in memory because the disk fails. */
  get medium(): JournalMedium {
    return this.#options.disk.medium ?? { kind: "disk" };
  }

  /** How the configured sinks stand. */
  standings(): SinkStanding[] {
    return this.#accounts.active.map(({ name, target, ledger }) => ({
      name,
      target,
      ledger: ledger.state,
      waiting: ledger.waiting(this.#end.total),
      imbalance: ledger.imbalance(this.#end.total),
    }));
  }

  /** How things stand now; like `readReport`, but of what has not reached the disk yet as well. */
  async report(): Promise<JournalReport> {
    const standings = this.standings();
    const oldest = await Promise.all(
      // A disk that cannot be read must not keep anybody from hearing of it.
      standings.map(({ ledger }) =>
        this.#read(ledger.cursor.seq, 1).catch(() => [])
      ),
    );
    return {
      boards: this.#boards.states(),
      sinks: standings.map((standing, index) => ({
        ...standing,
        oldestWaitingUs: oldest[index]?.[0]?.timeUs ?? null,
      })),
      newest: this.#newest && {
        seq: this.#end.seq,
        timeUs: this.epochs.time(this.#newest).timeUs,
      },
      clock: this.epochs.newest,
      usedBytes: this.#filled.usedBytes,
      medium: this.medium,
    };
  }

  /** Takes the cursor of a registered sink back to a time: see `rewind.ts`. */
  async rewind(name: string, options: RewindOptions): Promise<Rewound> {
    return await rewind(this.cursor(name), {
      read: (seq) => this.#options.disk.read(seq, PAGE_ROWS),
      timeUs: (at) => this.epochs.time(at).timeUs,
      flush: () => {
        this.#pending.urgent = true;
        return this.flush();
      },
    }, options);
  }

  /** Comes when everything appended so far is on the disk. */
  async flush(): Promise<void> {
    await this.#committer.flush();
  }

  /** Writes what is left and closes the file. @throws {Error} if the disk does not take it */
  async close(): Promise<void> {
    clearInterval(this.#ageTimer);
    this.#overruns.close();
    await this.#reserver.close();
    try {
      await this.#committer.close();
      await this.#pruner.close();
    } catch (error) {
      throw new Error(
        `Cannot write the journal "${this.#options.path}": the packets after ${this.#committedSeq} are lost`,
        { cause: error },
      );
    } finally {
      await this.#options.disk.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #host(): CursorHost {
    return {
      read: (seq, maxReadings) => this.#read(seq, maxReadings),
      time: (at) => this.epochs.time(at),
      timesVersion: () => this.epochs.version,
      changed: () => this.#committer.touch(),
      total: () => this.#end.total,
      newest: () => this.#committedSeq,
      ageUs: (row) => this.ageUs(row),
      boards: this.#boards,
      pending: this.#pending,
      disk: this.#options.disk,
      flush: () => this.flush(),
    };
  }

  #append(board: Board, { packet, at }: TimedPacket): void {
    const { readings } = packet;
    for (const { reason } of packet.dropped) {
      this.#accounts.dropAtBirth(reason, 1);
    }
    const body = encodeReadings(readings);
    if (!this.#pending.fits(board.id, body)) {
      this.#accounts.dropAtBirth("overrun", readings.length);
      this.#overruns.add(this.epochs.time(at).timeUs);
      return;
    }
    const row = this.#addRow(board, packet, at, body);
    this.#accounts.receive(readings.length);
    this.#newest = at;
    this.#boards.note(board, row, at.epoch);
  }

  /** Appends what a reject held, unless memory is full. */
  #appendLate(
    { board: name, timeUs, body: line }: KeptReject,
    { packet, counted, reasons }: NonNullable<SecondReading>,
  ): boolean {
    const body = encodeReadings(packet.readings);
    const board = this.#boards.of(name);
    if (!this.#pending.fits(board.id, body)) return false;
    const epoch = this.epochs.timeOfDay();
    const at = { epoch, monoUs: timeUs };
    const row = this.#addRow(board, packet, at, body);
    this.#boards.noteLate(board, row);
    if (counted) this.#accounts.requeue(packet.readings.length);
    else this.#accounts.receive(packet.readings.length);
    for (const { reason } of packet.dropped) {
      this.#accounts.dropAtBirth(reason, 1);
    }
    for (const reason of reasons) {
      this.#pending.addReject({
        timeUs,
        board: name,
        origin: "source",
        reason,
        body: line,
      });
    }
    this.#committer.schedule();
    return true;
  }

  /** The next row, for the disk; gives it as the sinks get it. */
  #addRow(
    board: Board,
    { boardTs, readings }: {
      boardTs: number | null;
      readings: readonly Reading[];
    },
    at: EventTime,
    body: string,
  ): Row {
    const seq = this.#end.seq + 1;
    const total = this.#end.total + readings.length;
    const time = this.epochs.time(at);
    this.#end = { seq, total };
    this.#pending.add({
      ...at,
      seq,
      board: board.id,
      boardTs,
      readings: readings.length,
      total,
      body,
    });
    return { seq, board: board.name, ...time, boardTs, readings, total };
  }

  /** Waits a moment while more of a board's packets than `capacity` wait for the disk. */
  async #room({ id }: Board, capacity: number): Promise<void> {
    if (this.#pending.rowsOf(id) <= capacity) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ROOM_WAIT_MS);
    const stop = this.onCommit(resolve);
    await promise;
    clearTimeout(timer);
    stop();
  }

  #monotonicUs(): number {
    return this.#options.monotonicUs?.() ?? performance.now() * 1000;
  }

  /** How many rows to read at once: who asks for one looks at a place, others come for the next ones. */
  #pageRows(maxReadings: number): number {
    if (maxReadings === 1) return 1;
    const readings = Math.max(maxReadings, PAGE_READINGS);
    return Math.ceil(Math.min(readings / this.#readingsPerRow(), PAGE_ROWS));
  }

  /** On average, at least 1. */
  #readingsPerRow(): number {
    return Math.max(1, this.#end.total / Math.max(1, this.#end.seq));
  }

  async #read(seq: number, maxReadings: number): Promise<Row[]> {
    const isIn = (seq: number, rows: readonly [number, number] | null) =>
      rows !== null && seq >= rows[0] && seq <= rows[1];
    for (let after = seq;;) {
      const before = this.#pruner.deleting;
      if (isIn(after + 1, before)) after = before![1];
      if (after >= this.#committedSeq) return [];
      const recent = this.#recent.after(after, maxReadings);
      if (recent !== null) return recent;
      // Less than was asked for is the end of a page, and may not be all: a batch of which a server takes
      // nothing has to become another one.
      const ready = this.#pages.after(after, maxReadings, this.#committedSeq);
      const stored = ready.length > 0
        ? ready
        : await this.#options.disk.read(after, this.#pageRows(maxReadings));
      // Rows may have been chosen for deletion before or while they were read, and the file may hold
      // rows of a commit that the disk has reported as failed.
      const kept = stored.filter(({ seq }) =>
        seq <= this.#committedSeq && !isIn(seq, before) &&
        !isIn(seq, this.#pruner.deleting)
      );
      const newest = stored.at(-1);
      if (ready.length === 0 && kept.length > 1) this.#pages.keep(after, kept);
      if (kept.length > 0 || newest === undefined) {
        return takeReadings(kept, 0, maxReadings)
          .map((row) => toRow(row, this.#rowContext));
      }
      // A page of rows that nobody is given is not the end.
      after = newest.seq;
    }
  }

  #take({ all, durable }: { all: boolean; durable: boolean }): Commit | null {
    const { rows, deleted, epochs } = this.#pending;
    if (rows === 0 && deleted === null && epochs.length === 0 && !all) {
      return null;
    }
    return this.#pending.take(
      this.#boards.changed(),
      this.#accounts.states(this.#end.total),
      { durable },
    );
  }

  #sayRecoveries({ recoveries = [] }: CommitResult): void {
    // Rows may be gone of which nothing else has told.
    if (recoveries.length > 0) this.#pages.forget(Infinity);
    for (const recovery of recoveries) {
      const { level, text, values } = describeRecovery(recovery);
      this.#log[level](text, values);
    }
  }

  #committed({ rows, epochs, deleted }: Commit, filled: CommitResult): void {
    this.#filled = filled;
    this.#sayRecoveries(filled);
    const { version } = this.epochs;
    this.epochs.committed(epochs);
    // Rows in memory keep the time that they had; on the disk it follows from their epoch.
    if (this.epochs.version !== version) {
      this.#recent.forget(this.#committedSeq);
    }
    this.#pending.release(rows);
    // What every sink has is asked for by nobody: kept for longer it grows old in memory, and the collection
    // of what has is what stalls a packet most (`deno task bench --points deleting`).
    this.#recent.forget(
      Math.min(...this.#accounts.active.map(({ cursor }) => cursor.seq)),
    );
    this.#recent.push(rows);
    this.#committedSeq = rows.at(-1)?.seq ?? this.#committedSeq;
    for (const listener of [...this.#listeners]) listener();
    this.#pruner.committed(filled, {
      deleted: deleted !== null,
      rows: rows.length,
      times: epochs.length > 0,
    });
  }
}
