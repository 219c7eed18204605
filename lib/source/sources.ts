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
    let running = this.#sources.size;
    await Promise.all(
      [...this.#sources].map(([board, source]) =>
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
