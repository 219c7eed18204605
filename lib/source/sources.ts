/**
 * The sources of all boards of one gateway: each by itself, whatever becomes of the others.
 *
 * @module
 */

import { getBoardLogger, ofBoard } from "./board_log.ts";
import type { Source } from "./source.ts";

const log = getBoardLogger("source");

/** Runs sources, each under its board's name, from `run` to `stop`. */
export class Sources implements AsyncDisposable {
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #notRun = new Set<string>();

  constructor(sources: ReadonlyMap<string, Source>) {
    this.#sources = sources;
  }

  /** Each one, by its board's name. */
  get boards(): Readonly<Record<string, Source>> {
    return Object.fromEntries(this.#sources);
  }

  /**
   * Runs until `signal` is aborted or `stop` is called. A child that ends is its source's matter; a
   * source that fails itself is a fault of this program, and only its own board stands still for it.
   *
   * @throws what the last one failed of, when all have failed
   */
  async run(signal?: AbortSignal): Promise<void> {
    const toRun = [...this.#sources].filter(([board]) =>
      !this.#notRun.has(board)
    );
    let running = toRun.length;
    await Promise.all(
      toRun.map(([board, source]) =>
        ofBoard(board, async () => {
          try {
            await source.run(signal);
          } catch (error) {
            if (--running === 0) throw error;
            log.error(
              "Cannot go on with this board: {error}. To do: restart the gateway, and report this fault",
              { error },
            );
          }
        })
      ),
    );
  }

  /** The boards whose probe is released, and how many milliseconds are left of that. */
  get released(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#sources].flatMap(([board, { state }]) =>
        state.phase === "released"
          ? [[board, state.nextStartInMs ?? 0] as const]
          : []
      ),
    );
  }

  /** The boards whose program has ended and is not started again. */
  get ended(): ReadonlySet<string> {
    const ended = [...this.#sources].filter(([, { state }]) =>
      state.phase === "ended"
    );
    return new Set([...this.#notRun, ...ended.map(([board]) => board)]);
  }

  /** Leaves out boards that had {@linkcode ended} before; ahead of `run`. */
  leaveOut(ended: ReadonlySet<string>): void {
    for (const board of ended) this.#notRun.add(board);
  }

  /** Releases probes that were {@linkcode released} before; ahead of `run` nothing is started in between. */
  release(released: ReadonlyMap<string, number>): void {
    for (const [board, forMs] of released) {
      // Should it be taken back meanwhile, nobody waits for it.
      this.#sources.get(board)?.release(forMs).catch(() => {});
    }
  }

  /** Stops all children at the same time; comes back when the last one is gone. */
  async stop(): Promise<void> {
    const stops = [...this.#sources.values()].map((one) => one.stop());
    // One that has failed has said so already.
    await Promise.allSettled(stops);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
