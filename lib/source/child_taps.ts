/**
 * One board's taps: recorders come and go while its children do.
 *
 * @module
 */

import { getBoardLogger } from "./board_log.ts";
import type { ChildTap } from "./child.ts";
import {
  Recorder,
  type RecorderOptions,
  type RecordingTarget,
} from "./recorder.ts";
import { formatEntry, type RecordedChild } from "./recording.ts";

/** Options for {@linkcode ChildTaps}. */
export type ChildTapsOptions = Pick<RecorderOptions, "board" | "timeOfDay">;

/** Hands what it sees to every recorder there is. */
export class ChildTaps implements ChildTap {
  readonly #options: ChildTapsOptions;
  readonly #recorders = new Set<Recorder>();
  #running: RecordedChild | null = null;

  constructor(options: ChildTapsOptions) {
    this.#options = options;
  }

  /** Records from now on until it is disposed. */
  record(target: RecordingTarget): AsyncDisposable {
    const running = this.#running;
    const recorder = new Recorder({ ...this.#options, target, running });
    this.#recorders.add(recorder);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#recorders.delete(recorder);
        await recorder[Symbol.asyncDispose]();
      },
    };
  }

  /** Hands out the lines of a recording from now on until `signal` is aborted. */
  async stream(
    send: (line: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const log = getBoardLogger("source", this.#options.board);
    log.info("A command records what the board prints");
    const ended = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    {
      await using _recording = this.record({
        name: "the command that asked for it",
        async write(entries) {
          for (const entry of entries) {
            if (signal.aborted) return;
            await send(formatEntry(entry)).catch((error) => {
              // Ctrl-C ends the command in the middle of a line.
              if (!signal.aborted) throw error;
            });
          }
        },
      });
      await ended;
    }
    log.info("The command has ended its recording");
  }

  started(child: RecordedChild): void {
    this.#running = child;
    for (const one of this.#recorders) one.started(child);
  }

  printed(pipe: "out" | "err", bytes: Uint8Array): void {
    for (const one of this.#recorders) one.printed(pipe, bytes);
  }

  ended(code: number): void {
    this.#running = null;
    for (const one of this.#recorders) one.ended(code);
  }
}
