/**
 * A disk that is slow, fails, lies and loses power.
 *
 * - Calls are carried out one at a time, in the order they were made, as a worker does.
 * - A commit is written whole or not at all. Once a durable one has been answered, it and all before
 *   it survive a power cut; of the others a power cut may lose the newest.
 * - A commit that is reported as failed may be written all the same.
 * - When the gateway is killed, the call under way may have taken effect or not; those behind it have not.
 *
 * @module
 */

import type {
  AsyncDisk,
  Commit,
  CommitResult,
} from "../../lib/journal/disk.ts";
import { MemoryFile, MemoryStore } from "./memory_store.ts";
import type { Random } from "./random.ts";
import type { Swarm } from "./swarm.ts";
import type { Owner, VirtualTime } from "./virtual_time.ts";

/** What the disk needs of its world. */
export interface SimulatedDiskOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly swarm: Swarm;
  tell(what: string, ...details: (string | number)[]): void;
  /** `commit` is in the file now; `before` is the file without it. */
  onWritten(commit: Commit, deleted: readonly number[]): void;
}

interface Call {
  /** What it does to the file, and what it answers. */
  readonly run: () => unknown;
  readonly method: string;
  readonly commit: Commit | undefined;
  readonly owner: Owner;
  readonly answer: PromiseWithResolvers<unknown>;
}

/** The disk of the gateway's machine. */
export class SimulatedDisk {
  /** Whether it still fails of itself. */
  faulty = true;
  /** Nothing can be written. */
  full = false;
  file = new MemoryFile();
  readonly #options: SimulatedDiskOptions;
  readonly #store = new MemoryStore(() => this.file);
  /** Every commit in the file, in order, and how many of them a power cut leaves for certain. */
  readonly #written: Commit[] = [];
  #synced = 0;
  readonly #calls: Call[] = [];
  #busy = false;

  constructor(options: SimulatedDiskOptions) {
    this.#options = options;
  }

  /** Whether a power cut now would leave this row. */
  isSafe(seq: number): boolean {
    return seq <= this.#safeSeq;
  }
  #safeSeq = 0;

  /** The disk as a run of the gateway sees it. */
  mount(owner: Owner): AsyncDisk {
    const call = <M extends keyof AsyncDisk>(method: M) =>
    (
      ...args: unknown[]
    ) => {
      const answer = Promise.withResolvers<unknown>();
      this.#calls.push({
        method,
        owner,
        answer,
        commit: method === "commit" ? args[0] as Commit : undefined,
        run: () =>
          (this.#store[method] as (...args: unknown[]) => unknown)(...args),
      });
      this.#next();
      return answer.promise as never;
    };
    const { swarm } = this.#options;
    const oldest = call("oldest");
    return {
      open: call("open"),
      openForReading: call("openForReading"),
      reserve: call("reserve"),
      commit: call("commit"),
      read: call("read"),
      oldest: (limit, seq) =>
        oldest(Math.min(limit, swarm.journal.oldestRows), seq),
      parked: call("parked"),
      oldestParked: call("oldestParked"),
      rejects: call("rejects"),
      close: call("close"),
    };
  }

  /** The gateway was killed; `powerCut`: with the machine. */
  crash({ powerCut }: { powerCut: boolean }): void {
    const { random, tell } = this.#options;
    const underWay = this.#busy ? this.#calls[0] : undefined;
    this.#calls.length = 0;
    this.#busy = false;
    if (underWay?.commit !== undefined && !this.full && random.chance(0.5)) {
      tell("disk: the commit under way is written");
      this.#write(underWay.commit);
    }
    if (!powerCut) return;
    const kept = random.between(this.#synced, this.#written.length);
    tell("disk: power cut, commits lost:", this.#written.length - kept);
    this.#written.length = kept;
    this.file = new MemoryFile();
    for (const commit of this.#written) this.file.apply(commit);
    this.#sync();
  }

  #next(): void {
    const call = this.#calls[0];
    if (this.#busy || call === undefined) return;
    this.#busy = true;
    const { time, random, swarm } = this.#options;
    const { commitMs, readMs, stalls } = swarm.disk;
    const takesMs = call.commit === undefined
      ? random.around(readMs)
      : this.faulty && random.chance(stalls)
      ? 2000
      : random.around(commitMs);
    time.after(takesMs, `disk: ${call.method}`, () => {
      if (this.#calls[0] !== call) return; // It was killed.
      this.#calls.shift();
      this.#busy = false;
      this.#carryOut(call);
      this.#next();
    }, time.world);
  }

  #carryOut({ run, method, commit, owner, answer }: Call): void {
    const { time, random } = this.#options;
    const answerLater = (settle: () => void) =>
      time.after(random.around(0.05), `disk: ${method} answers`, settle, owner);
    const fault = this.#fault(method);
    if (fault !== undefined) {
      return void answerLater(() => answer.reject(new Error(fault)));
    }
    if (commit === undefined) {
      const result = run();
      return void answerLater(() => answer.resolve(result));
    }
    this.#write(commit);
    if (this.faulty && random.chance(this.#options.swarm.disk.commitLies)) {
      this.#options.tell("disk: reports as failed what it has written");
      return void answerLater(() => answer.reject(new Error("disk I/O error")));
    }
    if (commit.durable) this.#sync();
    const result: CommitResult = { usedBytes: this.file.bytes };
    answerLater(() => answer.resolve(result));
  }

  #fault(method: string): string | undefined {
    const { random, swarm: { disk }, tell } = this.#options;
    if (method === "commit" && this.full) {
      tell("disk: full");
      return "database or disk is full";
    }
    const probability = method === "commit"
      ? disk.commitFails
      : method === "open"
      ? disk.openFails
      : method === "close"
      ? 0
      : disk.readFails;
    if (!this.faulty || !random.chance(probability)) return undefined;
    tell(`disk: ${method} fails`);
    return "disk I/O error";
  }

  #write(commit: Commit): void {
    const deleted = commit.deleted === null ? [] : this.file.rows
      .filter(({ seq }) =>
        seq >= commit.deleted![0] && seq <= commit.deleted![1]
      );
    this.#written.push(commit);
    this.file.apply(commit);
    this.#options.tell(
      "disk: commit",
      commit.rows.length === 0
        ? "without rows"
        : `of rows ${commit.rows[0]!.seq} to ${commit.rows.at(-1)!.seq}`,
      commit.durable ? "durable" : "",
      commit.deleted === null ? "" : `deletes ${commit.deleted.join(" to ")}`,
    );
    this.#options.onWritten(commit, deleted.map(({ seq }) => seq));
  }

  /** All that is written is safe. */
  #sync(): void {
    this.#synced = this.#written.length;
    this.#safeSeq = this.file.rows.at(-1)?.seq ?? this.#safeSeq;
  }
}
