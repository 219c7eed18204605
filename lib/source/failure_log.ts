/**
 * What the log is told of a program's failures: the same one once, and once that it is over.
 *
 * @module
 */

import { getBoardLogger } from "./board_log.ts";
import type { ChildExit } from "./child.ts";
import type { Failure } from "./failure.ts";
import { verbatim } from "./firmware_text.ts";
import type { RestartRule } from "./launcher.ts";

const log = getBoardLogger("source");

/** Tells of the failures of one program; the same again is a matter for debugging. */
export class FailureLog {
  readonly #name: string;
  /** The failure that the log knows of; empty when all is well. */
  #told = "";

  /** @param name the program's */
  constructor(name: string) {
    this.#name = name;
  }

  /** Whether a failure was told that is not over. */
  get isOpen(): boolean {
    return this.#told !== "";
  }

  /** The program ended with exit code 0, and by its rule that is the end. */
  endedWell(
    { ranMs }: Pick<ChildExit, "ranMs">,
    rule: RestartRule | undefined,
  ): void {
    this.#told = "";
    const after = `${Math.round(ranMs / 1000)} s`;
    log.info(
      verbatim(
        `"${this.#name}" has ended with exit code 0 after ${after} and is not started again ("restart" is "${rule}"): what it printed goes out all the same`,
      ),
    );
  }

  /**
   * The program ended, though nobody asked for it; it is started again after `pauseMs`, or never where
   * that is undefined.
   */
  ended(
    { code, ranMs }: Pick<ChildExit, "code" | "ranMs">,
    { kind, error, todo }: Failure,
    pauseMs: number | undefined,
  ): void {
    const known = kind !== "unknown";
    const what = known ? `${capitalize(kind)}: ` : "";
    const after = `${Math.round(ranMs / 1000)} s${error ? `: ${error}` : ""}`;
    const hint = known ? `. To do: ${todo}` : "";
    const again = pauseMs === undefined
      ? 'it is not started again ("restart" is "never")'
      : `it is started again in ${Math.round(pauseMs / 1000)} s`;
    this.#say(
      `${kind} ${code} ${error} ${todo}`,
      "warning",
      `${what}"${this.#name}" ended with exit code ${code} after ${after}${hint}; ${again}`,
    );
  }

  /** There is nothing to start. */
  refused({ kind, error, todo }: Failure): void {
    this.#say(
      `${kind} ${error}`,
      "error",
      `${error}. To do: ${todo}; it is looked for again every minute`,
    );
  }

  /** It is past what failed. */
  over(restarts: number): void {
    this.#told = "";
    log.info(verbatim(`"${this.#name}" runs again (restarts: ${restarts})`));
  }

  /** The next failure is told, whichever it is. */
  forget(): void {
    this.#told = "";
  }

  #say(failure: string, level: "warning" | "error", message: string): void {
    log[this.#told === failure ? "debug" : level](verbatim(message));
    this.#told = failure;
  }
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
