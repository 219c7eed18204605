/**
 * What commands can have done with a journal: by the gateway that runs, or by the command itself when
 * none does.
 *
 * What changes something is done one at a time.
 *
 * @module
 */

import type { KeptReject } from "../journal/disk.ts";
import type { Journal } from "../journal/journal.ts";
import type { SecondReading } from "../journal/rejects.ts";
import type { ChildTaps } from "../source/child_taps.ts";
import type { Command, GatewayReport, Results } from "./protocol.ts";
import { type Board, release } from "./release.ts";
import type { Perform } from "./server.ts";

/** Options for {@linkcode Operations}. */
export interface OperationsOptions {
  readonly journal: Journal;
  /** Each sink's link, by its name. */
  links(): GatewayReport["links"];
  /** Each board that this gateway runs, by its name. */
  readonly boards: Readonly<Record<string, Board>>;
  /** Reads the line of a source's reject anew. */
  readAgain(reject: KeptReject): SecondReading;
  /**
   * Stands for the configuration by which lines are read. One that asks with another has changed its
   * config.toml since the gateway started, and would be surprised.
   */
  readonly reading: string;
  /** Readings were sent back to sinks. */
  onResent?(): void;
  /** What can be recorded of each board, by its name. */
  readonly taps: Readonly<Record<string, Pick<ChildTaps, "stream">>>;
}

/** How often an asker who waits for the board's next words hears that he is not forgotten. */
const ALIVE_MS = 10_000;

/** Carries out commands. */
export class Operations {
  readonly #options: OperationsOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** Does what `command` says. @throws {Error} if it cannot be done */
  perform: Perform = async (command, options) => {
    if (command.do === "status") return await this.#status();
    // Nobody waits for a debugger until a rewind has ended.
    if (command.do === "release") {
      return await release(this.#options.boards, command);
    }
    if (command.do === "record") return await this.#record(command, options);
    const turn = this.#last.then(() => this.#change(command, options));
    this.#last = turn.catch(() => {});
    return await turn;
  };

  async #status(): Promise<Results["status"]> {
    const { journal, links, boards } = this.#options;
    const states = Object.entries(boards).map(([name, { state }]) =>
      [name, state] as const
    );
    return {
      process: Deno.pid,
      journal: await journal.report(),
      links: links(),
      children: Object.fromEntries(states),
    };
  }

  async #record(
    { board: name }: Command & { do: "record" },
    { signal, onProgress, onPart: send }: Parameters<Perform>[1],
  ): Promise<Results["record"]> {
    const { taps } = this.#options;
    const board = taps[name];
    if (board === undefined) {
      const names = Object.keys(taps).map((one) => `"${one}"`).join(", ");
      throw new Error(
        `The running gateway has no board "${name}": it has ${names}`,
      );
    }
    const alive = setInterval(() => onProgress(0), ALIVE_MS);
    try {
      await board.stream(send, signal);
    } finally {
      clearInterval(alive);
    }
    return {};
  }

  async #change(
    command: Exclude<Command, { do: "status" | "release" | "record" }>,
    { signal, onProgress }: Parameters<Perform>[1],
  ): Promise<Results["rewind" | "resend" | "clear"]> {
    signal.throwIfAborted();
    const { journal, readAgain, reading, onResent } = this.#options;
    switch (command.do) {
      case "rewind": {
        const { sink, toUs, dryRun } = command;
        return await journal.rewind(sink, {
          toUs: toUs ?? -Infinity,
          dryRun,
          signal,
          onProgress,
        });
      }
      case "resend": {
        if (command.reading !== reading) {
          throw new Error(
            'The running gateway reads lines by another configuration than this one ("marker" or a [[metric]] was changed since it started): restart the gateway, then send the rejects again',
          );
        }
        const resent = await journal.rejects.resend(command, readAgain);
        onResent?.();
        return resent;
      }
      case "clear":
        return { cleared: await journal.rejects.clear(command) };
    }
  }
}
