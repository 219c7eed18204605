/**
 * A recording instead of a board.
 *
 * @module
 */

import type { Launch, Launcher } from "./launcher.ts";

/** Starts a player for each recorded run of the board's program, one after the other. */
export class ReplayLauncher implements Launcher {
  readonly name = "recording";
  readonly #runs: number;
  readonly #command: (run: number) => readonly string[];
  #next = 0;

  /**
   * @param runs how many the recording holds
   * @param command prints a run, from 0, and ends as it did
   */
  constructor(runs: number, command: (run: number) => readonly string[]) {
    this.#runs = runs;
    this.#command = command;
  }

  prepare(): Promise<Launch | null> {
    const run = this.#next++;
    return Promise.resolve(
      run < this.#runs ? { command: this.#command(run) } : null,
    );
  }
}
