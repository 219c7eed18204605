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

import { describeError } from "../error_text.ts";
import { getBoardLogger } from "./board_log.ts";
import { type ChildExit, runChild } from "./child.ts";
import {
  type Failure,
  type Pace,
  PACES,
  type PauseBounds,
  recognizeFailure,
} from "./failure.ts";
import { verbatim } from "./firmware_text.ts";
import type { FlashReport } from "./flash_memory.ts";
import type { Launch, Launcher } from "./launcher.ts";
import { wait } from "../wait.ts";

/** How a supervisor's child is. */
export interface SupervisorState {
  /**
   * `starting` may take seconds: the program is looked at first. `waiting`: for the next start.
   * `released`: the probe is somebody else's for a time.
   */
  readonly phase: "starting" | "running" | "waiting" | "released" | "stopped";
  /** Only while it runs. */
  readonly pid?: number;
  /** Until it is started, while it waits for that or is released. */
  readonly nextStartInMs?: number;
  /** Starts after the first. */
  readonly restarts: number;
  readonly lastExit?: ChildExit;
  /** Why it does not run, or did not last; gone once it has printed for a while again. */
  readonly failure?: Failure;
  /** What is known of the board's flash, where the launcher programs it. */
  readonly flash?: FlashReport;
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
  readonly launcher: Launcher;
  /** The child's whole environment (`childEnvironment`). */
  readonly env: Readonly<Record<string, string>>;
  /** Makes the backoff of failures whose pauses have these bounds. */
  backoff(bounds: PauseBounds): Backoff;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly stopTimeoutMs: number;
  /**
   * Reads the stdout of one child, and comes back when it has ended: with what it said of its own end,
   * if it did. Should it reject, the child is stopped and started again.
   */
  onStdout(stdout: ReadableStream<Uint8Array>): Promise<string | void>;
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
/** Between two looks for a program that is not there, or is not one that can be used. */
const LOOK_AGAIN_MS = 60_000;

const log = getBoardLogger("source");

/** Keeps one child running until it is stopped or disposed. */
export class Supervisor implements AsyncDisposable {
  readonly #options:
    & SupervisorOptions
    & Required<Pick<SupervisorOptions, "now" | "wait">>;
  readonly #stopping = new AbortController();
  /** Aborted to end the child that runs, or the pause, for a new start. */
  #restarting = new AbortController();
  #running: Promise<void> | undefined;
  readonly #backoffs: Readonly<Record<Pace, Backoff>>;
  #state: SupervisorState = { phase: "stopped", restarts: 0 };
  /** The failure that the log knows of; empty when all is well. */
  #failure = "";

  constructor(options: SupervisorOptions) {
    this.#options = {
      ...options,
      now: options.now ?? (() => performance.now()),
      wait: options.wait ?? wait,
    };
    this.#backoffs = {
      fast: options.backoff(PACES.fast),
      usual: options.backoff(PACES.usual),
      slow: options.backoff(PACES.slow),
    };
  }

  /** How the child is now. */
  get state(): SupervisorState {
    const { flash } = this.#options.launcher;
    return flash === undefined ? this.#state : { ...this.#state, flash };
  }

  /**
   * Keeps the child running until `signal` is aborted or `stop` is called, and comes back when the
   * child is gone and all it printed is read. A supervisor runs once.
   */
  run(signal?: AbortSignal): Promise<void> {
    const stopping = this.#stopping.signal;
    this.#running ??= this.#keepRunning(
      signal ? AbortSignal.any([signal, stopping]) : stopping,
    ).catch((error) => this.#fail(error));
    return this.#running;
  }

  /** Stops the child; comes back when `run` does. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /**
   * Ends the child in order and starts the next one at once; a pause between two is cut short. Does
   * nothing while the board is being programmed.
   */
  restart(why: string): void {
    // Half a firmware is worse than whatever the child is to be started anew for.
    if (this.#options.launcher.isProgramming) return;
    this.#restarting.abort(why);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #keepRunning(signal: AbortSignal): Promise<void> {
    const { launcher, wait } = this.#options;
    const watching = launcher.watch?.((why) => this.restart(why), signal);
    for (let starts = 0; !signal.aborted;) {
      this.#restarting = new AbortController();
      const restarting = this.#restarting.signal;
      const either = AbortSignal.any([signal, restarting]);
      this.#become("starting");
      const launch = await launcher.prepare(signal, { silentRestarts: 0 });
      if (signal.aborted) break;
      let pauseMs = LOOK_AGAIN_MS;
      if ("command" in launch) {
        this.#state = { ...this.#state, restarts: starts++ };
        const exit = await this.#runOnce(launch, either);
        this.#state = { ...this.#state, lastExit: exit };
        if (signal.aborted) break;
        if (restarting.aborted) {
          log.info(
            verbatim(`Starting "${this.#name}" anew: ${restarting.reason}`),
          );
          continue;
        }
        this.#become("waiting");
        pauseMs = await this.#takeEnd(exit, either);
      } else {
        this.#takeRefusal(launch);
      }
      this.#become("waiting");
      await wait(pauseMs, either);
    }
    await watching;
    this.#become("stopped");
  }

  #runOnce(launch: Launch, signal: AbortSignal): Promise<ChildExit> {
    const { now } = this.#options;
    const started = now();
    return runChild({
      ...this.#options,
      ...launch,
      signal,
      onStart: (pid) => {
        launch.onStarted?.();
        this.#become("running", pid);
        // During an outage each try would say so.
        const level = this.#failure === "" ? "info" : "debug";
        log[level](verbatim(`Started "${this.#name}" as process ${pid}`));
      },
      onChunk: () => {
        if (this.#failure === "" || now() - started < STEADY_AFTER_MS) return;
        this.#failure = "";
        const { failure: _over, ...rest } = this.#state;
        this.#state = rest;
        log.info(
          verbatim(
            `"${this.#name}" runs again (restarts: ${this.#state.restarts})`,
          ),
        );
      },
    });
  }

  get #name(): string {
    return this.#options.launcher.name;
  }

  #become(phase: SupervisorState["phase"], pid?: number): void {
    const { pid: _before, ...rest } = this.#state;
    this.#state = { ...rest, phase, ...(pid === undefined ? {} : { pid }) };
  }

  /** Takes the end of a child that nobody asked for; gives the pause before the next. */
  async #takeEnd(exit: ChildExit, signal: AbortSignal): Promise<number> {
    const { code, error, ranMs } = exit;
    const recognized = recognizeFailure(exit);
    const failure = await this.#options.launcher.ended?.(recognized, signal) ??
      recognized;
    this.#state = { ...this.#state, failure };
    if (ranMs >= WELL_AFTER_MS) {
      for (const backoff of Object.values(this.#backoffs)) backoff.reset();
    }
    const pauseMs = this.#backoffs[failure.pace].next();
    const known = failure.kind !== "unknown";
    const what = known ? `${capitalize(failure.kind)}: ` : "";
    const after = `${Math.round(ranMs / 1000)} s${error ? `: ${error}` : ""}`;
    const todo = known ? `. To do: ${failure.todo}` : "";
    const again = `it is started again in ${Math.round(pauseMs / 1000)} s`;
    this.#sayFailure(
      `${failure.kind} ${code} ${error} ${failure.todo}`,
      "warning",
      `${what}"${this.#name}" ended with exit code ${code} after ${after}${todo}; ${again}`,
    );
    return pauseMs;
  }

  /** Takes why there is nothing to start. */
  #takeRefusal(failure: Failure): void {
    const { kind, error, todo } = failure;
    this.#state = { ...this.#state, failure };
    this.#sayFailure(
      `${kind} ${error}`,
      "error",
      `${error}. To do: ${todo}; it is looked for again every minute`,
    );
  }

  /** Takes a fault of this program: nothing is started any more. */
  #fail(fault: unknown): never {
    const error = describeError(fault);
    const todo = "restart the gateway, and report this fault";
    this.#become("stopped");
    this.#state = {
      ...this.#state,
      failure: { kind: "unknown", pace: "slow", error, todo },
    };
    throw fault;
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

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
