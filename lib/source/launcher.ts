/**
 * What a supervisor starts: found out anew before each start, because it may be installed, replaced or
 * removed meanwhile.
 *
 * @module
 */

import type { Failure } from "./failure.ts";
import type { FlashReport } from "./flash_memory.ts";

/** A program that can be started. */
export interface Launch {
  /** Program and arguments; the program as a path that exists. */
  readonly command: readonly string[];
  /** @default {our own working directory} */
  readonly cwd?: string;
  /** What its environment has beside that of every child. @default {nothing} */
  readonly ownEnv?: Readonly<Record<string, string>>;
  /** Is told that it runs. */
  readonly onStarted?: () => void;
  /** Sees each chunk of its stdout before that is read. */
  readonly onStdoutChunk?: (chunk: Uint8Array) => void;
  /** Sees each line of its stderr. */
  readonly onStderrLine?: (line: string) => void;
}

/** Why it is started now. */
export interface StartReason {
  /** How often in a row it was started anew because no telemetry came. */
  readonly silentRestarts: number;
}

/**
 * When a program that has ended by itself is started again: always; unless it ended with exit code 0;
 * never.
 */
export type RestartRule = "always" | "on-failure" | "never";

/** Knows how a board's program is started. */
export interface Launcher {
  /** The program's name, for the log. */
  readonly name: string;
  /** What becomes of it when it has ended by itself. @default {"always"} */
  readonly restart?: RestartRule;
  /**
   * What to start now, or why that cannot be; null: there is no more to start, ever. Does not reject;
   * `signal` cuts it short.
   */
  prepare(
    signal: AbortSignal,
    reason: StartReason,
  ): Promise<Launch | Failure | null>;
  /**
   * Is told how a launch ended that nobody ended: what was found out before it may not be true any
   * more. Gives the failure with all that it knows of it. Does not reject; `signal` cuts it short.
   */
  ended?(failure: Failure, signal: AbortSignal): Promise<Failure>;
  /** Calls `restart` when what runs is to be started anew; until it has ended, which aborts `signal`. Does not reject. */
  watch?(restart: (why: string) => void, signal: AbortSignal): Promise<void>;
  /** The board may just be programmed, which nothing but the end shall interrupt. */
  readonly isProgramming?: boolean;
  /** What is known of the flash of the board, where it is this launcher that programs it. */
  readonly flash?: FlashReport;
}

/** The hint where probe-rs is missing, too old or broken. */
export const INSTALL_PROBE_RS =
  'install it with "cargo install probe-rs-tools --locked"';

/** Why `name` cannot be started where {@linkcode findProgram} does not find it on `path`. */
export function programNotFound(name: string, path: string): Failure {
  const error = /[/\\]/.test(name)
    ? `Cannot find the program "${name}": there is no such executable file`
    : `Cannot find the program "${name}": it is in no folder of PATH, "${path}"`;
  const todo = name === "probe-rs"
    ? INSTALL_PROBE_RS
    : 'install it or correct "command" in config.toml';
  return { kind: "not installed", error, todo, pace: "slow" };
}
