/**
 * Runs one child again and again, and never leaves it alone.
 *
 * - At most one child lives, and none longer than `run`.
 * - Its stdout is read to its end, also while it is being stopped and when nobody wants it any more:
 *   a probe-rs whose stdout is full serves no signals, and one that is killed for it leaves the
 *   firmware frozen until the next reset.
 * - However it ends, it is started again after the backoff, until it is told to stop.
 * - The same failure is said once, and once that it is over.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type ChildExit, runChild } from "./child.ts";
import { verbatim } from "./firmware_text.ts";
import { programNotFound } from "./probe_rs.ts";
import { findProgram } from "./program.ts";
import { wait } from "../wait.ts";

/** How a supervisor's child is. */
export interface SupervisorState {
  /** `waiting`: for the next start, or for the program to be installed. */
  readonly phase: "starting" | "running" | "waiting" | "stopped";
  /** Only while it runs. */
  readonly pid?: number;
  /** Starts after the first. */
  readonly restarts: number;
  readonly lastExit?: ChildExit;
}

/** Pauses between starts. */
export interface Backoff {
  /** The next pause in milliseconds. */
  next(): number;
  /** Forgets the failures so far. */
  reset(): void;
}

/** Options for {@linkcode Supervisor}. */
export interface SupervisorOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** The child's whole environment (`childEnvironment`); its PATH is searched for the program. */
  readonly env: Readonly<Record<string, string>>;
  readonly backoff: Backoff;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly stopTimeoutMs: number;
  /**
   * Reads the stdout of one child, and comes back when it has ended. Should it reject, the child is
   * stopped and started again.
   */
  onStdout(stdout: ReadableStream<Uint8Array>): Promise<void>;
  /**
   * Milliseconds that only grow.
   *
   * @default {performance.now}
   */
  now?(): number;
  /**
   * Resolves after `ms`, or early, without an error, when `signal` is aborted.
   *
   * @default {a timer}
   */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
}

/** A child that ran so long was well: the failures before it are forgotten. */
const WELL_AFTER_MS = 60_000;
/** A child that prints after so long is past what fails at its start. */
const STEADY_AFTER_MS = 5_000;
/** Between two looks for a program that is not there. */
const NOT_FOUND_PAUSE_MS = 15_000;

const log = getLogger(["gateway", "source"]);

/** Keeps one child running until it is stopped or disposed. */
export class Supervisor implements AsyncDisposable {
  readonly #options:
    & SupervisorOptions
    & Required<Pick<SupervisorOptions, "now" | "wait">>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #state: SupervisorState = { phase: "stopped", restarts: 0 };
  /** The failure that the log knows of; empty when all is well. */
  #failure = "";

  constructor(options: SupervisorOptions) {
    this.#options = {
      ...options,
      now: options.now ?? (() => performance.now()),
      wait: options.wait ?? wait,
    };
  }

  /** How the child is now. */
  get state(): SupervisorState {
    return this.#state;
  }

  /**
   * Keeps the child running until `signal` is aborted or `stop` is called, and comes back when the
   * child is gone and all it printed is read. A supervisor runs once.
   */
  run(signal?: AbortSignal): Promise<void> {
    const stopping = this.#stopping.signal;
    this.#running ??= this.#keepRunning(
      signal ? AbortSignal.any([signal, stopping]) : stopping,
    );
    return this.#running;
  }

  /** Stops the child; comes back when `run` does. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #keepRunning(signal: AbortSignal): Promise<void> {
    const { backoff, env, wait } = this.#options;
    for (let starts = 0; !signal.aborted;) {
      this.#become("starting");
      const program = await findProgram(this.#name, env.PATH ?? "");
      let pauseMs = NOT_FOUND_PAUSE_MS;
      if (program) {
        this.#state = { ...this.#state, restarts: starts++ };
        const lastExit = await this.#runOnce(program, signal);
        this.#state = { ...this.#state, lastExit };
        if (lastExit.ranMs >= WELL_AFTER_MS) backoff.reset();
        pauseMs = backoff.next();
        if (!signal.aborted) this.#sayEnded(lastExit, pauseMs);
      } else {
        const { detail, hint } = programNotFound(this.#name, env.PATH ?? "");
        this.#sayFailure(
          "not found",
          "error",
          `${detail}; ${hint}. It is looked for again`,
        );
      }
      this.#become("waiting");
      await wait(pauseMs, signal);
    }
    this.#become("stopped");
  }

  #runOnce(program: string, signal: AbortSignal): Promise<ChildExit> {
    const { now } = this.#options;
    const started = now();
    return runChild({
      ...this.#options,
      signal,
      command: [program, ...this.#options.command.slice(1)],
      onStart: (pid) => {
        this.#become("running", pid);
        // During an outage each try would say so.
        const level = this.#failure === "" ? "info" : "debug";
        log[level](verbatim(`Started "${this.#name}" as process ${pid}`));
      },
      onChunk: () => {
        if (this.#failure === "" || now() - started < STEADY_AFTER_MS) return;
        this.#failure = "";
        log.info(
          verbatim(
            `"${this.#name}" runs again (restarts: ${this.#state.restarts})`,
          ),
        );
      },
    });
  }

  get #name(): string {
    return this.#options.command[0] ?? "";
  }

  #become(phase: SupervisorState["phase"], pid?: number): void {
    const { pid: _before, ...rest } = this.#state;
    this.#state = { ...rest, phase, ...(pid === undefined ? {} : { pid }) };
  }

  #sayEnded({ code, error, ranMs }: ChildExit, pauseMs: number): void {
    const after = `${Math.round(ranMs / 1000)} s${error ? `: ${error}` : ""}`;
    const again = `it is started again in ${Math.round(pauseMs / 1000)} s`;
    this.#sayFailure(
      `${code} ${error}`,
      "warning",
      `"${this.#name}" ended with exit code ${code} after ${after}; ${again}`,
    );
  }

  /** Says a failure that the log does not know yet; the same again is a matter for debugging. */
  #sayFailure(
    failure: string,
    level: "warning" | "error",
    message: string,
  ): void {
    log[this.#failure === failure ? "debug" : level](verbatim(message));
    this.#failure = failure;
  }
}
