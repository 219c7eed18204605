/**
 * The journal's worker, seen from the main thread.
 *
 * @module
 */

import type { AsyncDisk, Disk } from "./disk.ts";
import type { Answer, Call } from "./worker.ts";

/**
 * A {@linkcode Disk} on a worker thread. Calls are carried out in the order they are made.
 *
 * The whole program is one file once it is bundled, so the worker is then that same file, and
 * `main.ts` sees where it runs.
 */
export class WorkerDisk implements AsyncDisk {
  readonly #worker: Worker;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #died = Promise.withResolvers<Error>();
  #death: Error | undefined;
  #lastId = 0;

  constructor() {
    const here = import.meta.url;
    const entry = here.endsWith("/worker_disk.ts")
      ? new URL("./worker.ts", here).href
      : here;
    this.#worker = new Worker(entry, { type: "module", name: "journal" });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const call = this.#calls.get(data.id);
      this.#calls.delete(data.id);
      if ("error" in data) {
        const { error, errcode } = data;
        call?.reject(Object.assign(new Error(error), { errcode }));
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

  open = this.#method("open");
  commit = this.#method("commit");
  read = this.#method("read");
  oldest = this.#method("oldest");
  parked = this.#method("parked");
  oldestParked = this.#method("oldestParked");
  rejects = this.#method("rejects");

  async close(): Promise<void> {
    try {
      await this.#method("close")();
    } finally {
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
