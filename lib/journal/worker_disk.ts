/**
 * The journal's worker, seen from the main thread.
 *
 * @module
 */

import {
  type AsyncDisk,
  type Disk,
  DiskError,
  type DiskState,
} from "./disk.ts";
import type { Answer, Call } from "./worker.ts";

/** How long a disk may take to close its file: one that hangs must not keep the program. */
const CLOSE_WITHIN_MS = 5000;

/**
 * A {@linkcode Disk} on a worker thread. Calls are carried out in the order they are made.
 *
 * In the bundle the worker is a file of its own: one that had to read the whole program would begin later,
 * and keep it in memory once more (`deno task bench --executable --points start,memory`).
 */
export class WorkerDisk implements AsyncDisk {
  readonly #worker: Worker;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #died = Promise.withResolvers<Error>();
  #death: Error | undefined;
  #lastId = 0;
  #begun:
    | { path: string; logBytes: number; state: Promise<DiskState> }
    | undefined;

  constructor() {
    const here = import.meta.url;
    const file = here.endsWith("/worker_disk.ts")
      ? "worker.ts"
      : "journal_worker.js";
    this.#worker = new Worker(new URL(file, here), {
      type: "module",
      name: "journal",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const call = this.#calls.get(data.id);
      this.#calls.delete(data.id);
      if ("error" in data) {
        call?.reject(new DiskError(data.error, data.kind));
      } else call?.resolve(data.value);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#death = new Error(`The journal's worker ended: ${event.message}`);
      this.#died.resolve(this.#death);
      for (const call of this.#calls.values()) call.reject(this.#death);
      this.#calls.clear();
    };
  }

  /** Comes when the worker has ended by a fault of ours: nothing can be written any more. */
  get died(): Promise<Error> {
    return this.#died.promise;
  }

  /** Begins what the next {@linkcode WorkerDisk.open} of the same file waits for. */
  begin(path: string, logBytes: number): void {
    const state = this.#open(path, logBytes);
    state.catch(() => {}); // It is told to whoever opens.
    this.#begun = { path, logBytes, state };
  }

  open(path: string, logBytes: number): Promise<DiskState> {
    const begun = this.#begun;
    this.#begun = undefined;
    return begun?.path === path && begun.logBytes === logBytes
      ? begun.state
      : this.#open(path, logBytes);
  }

  openForReading(path: string): Promise<DiskState> {
    this.#begun = undefined;
    return this.#openForReading(path);
  }

  #open = this.#method("open");
  #openForReading = this.#method("openForReading");
  reserve = this.#method("reserve");
  commit = this.#method("commit");
  read = this.#method("read");
  oldest = this.#method("oldest");
  parked = this.#method("parked");
  oldestParked = this.#method("oldestParked");
  rejects = this.#method("rejects");

  async close(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_WITHIN_MS);
    });
    try {
      await Promise.race([this.#method("close")(), late]);
    } finally {
      clearTimeout(timer);
      this.#worker.terminate();
    }
  }

  #method<M extends keyof Disk>(method: M): AsyncDisk[M] {
    const call = (...args: unknown[]) => {
      if (this.#death !== undefined) return Promise.reject(this.#death);
      const id = ++this.#lastId;
      const settled = Promise.withResolvers<unknown>();
      this.#calls.set(id, settled);
      this.#worker.postMessage({ id, method, args } satisfies Call);
      return settled.promise;
    };
    return call as AsyncDisk[M];
  }
}
