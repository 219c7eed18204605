/**
 * The sources of all boards of one gateway: each by itself, whatever becomes of the others.
 *
 * @module
 */

import { describeError } from "../error_text.ts";
import { getBoardLogger, ofBoard } from "./board_log.ts";
import type { Source } from "./source.ts";
import type { SupervisorState } from "./supervisor.ts";

const log = getBoardLogger("source");

/** What is asked of a source. */
export type BoardSource = Pick<Source, "run" | "stop" | "state">;

/** Runs sources, each under its board's name, from `run` to `stop`. */
export class Sources implements AsyncDisposable {
  readonly #sources: ReadonlyMap<string, BoardSource>;
  /** What those have failed of that have. */
  readonly #errors = new Map<string, string>();

  constructor(sources: ReadonlyMap<string, BoardSource>) {
    this.#sources = sources;
  }

  /** How each board's child is, by the board's name. */
  get states(): Record<string, SupervisorState> {
    return Object.fromEntries(
      [...this.#sources].map(([board, { state }]) => {
        const error = this.#errors.get(board);
        return [board, error === undefined ? state : failed(state, error)];
      }),
    );
  }

  /**
   * Runs until `signal` is aborted or `stop` is called. A child that ends is its source's matter; a
   * source that fails itself is a fault of this program, and only its own board stands still for it.
   *
   * @throws what the last one failed of, when all have failed
   */
  async run(signal?: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#sources].map(([board, source]) =>
        ofBoard(board, async () => {
          try {
            await source.run(signal);
          } catch (error) {
            this.#errors.set(board, describeError(error));
            if (this.#errors.size === this.#sources.size) throw error;
            log.error("Cannot go on with this board: {error}. To do: {todo}", {
              error,
              todo: TODO,
            });
          }
        })
      ),
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

const TODO = "restart the gateway, and report this fault";

function failed(
  { restarts }: SupervisorState,
  error: string,
): SupervisorState {
  return {
    phase: "stopped",
    restarts,
    failure: { kind: "unknown", pace: "slow", error, todo: TODO },
  };
}
