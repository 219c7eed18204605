/**
 * The sources of all boards of one gateway: each by itself, whatever becomes of the others.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { describeError } from "../error_text.ts";
import type { Source } from "./source.ts";
import type { SupervisorState } from "./supervisor.ts";

const log = getLogger(["gateway", "source"]);

/** Runs sources, each under its board's name, from `run` to `stop`. */
export class Sources implements AsyncDisposable {
  readonly #sources: ReadonlyMap<string, Source>;

  constructor(sources: ReadonlyMap<string, Source>) {
    this.#sources = sources;
  }

  /** How each board's child is, by the board's name. */
  get states(): Record<string, SupervisorState> {
    return Object.fromEntries(
      [...this.#sources].map(([board, { state }]) => [board, state]),
    );
  }

  /**
   * Runs until `signal` is aborted or `stop` is called.
   *
   * @throws what the last one failed of, when all have failed
   */
  async run(signal?: AbortSignal): Promise<void> {
    let running = this.#sources.size;
    await Promise.all(
      [...this.#sources].map(async ([board, source]) => {
        try {
          await source.run(signal);
        } catch (error) {
          if (--running === 0) throw error;
          log.error(
            'The board "{board}" is not read any more, until the gateway is started anew: {error}',
            { board, error: describeError(error) },
          );
        }
      }),
    );
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
