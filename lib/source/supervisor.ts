/**
 * Runs one child again and again, and never leaves it alone.
 *
 * - At most one child lives, and none longer than `run`.
 * - Its stdout is read to its end, also while it is being stopped and when nobody wants it any more:
 *   a probe-rs whose stdout is full serves no signals, and one that is killed for it leaves the
 *   firmware frozen until the next reset.
 * - However it ends, it is started again after the backoff, until it is told to stop; but for a launcher
 *   whose `restart` says otherwise: then it has ended for good, and says so.
 * - The same failure is said once, and once that it is over.
 * - While it is released no child lives, and none is started before its time.
 *
 * @module
 */

import { describeError } from "../error_text.ts";
import { getBoardLogger } from "./board_log.ts";
import { type ChildExit, type ChildTap, runChild } from "./child.ts";
import {
  type Failure,
  type Pace,
  PACES,
  type PauseBounds,
  recognizeFailure,
} from "./failure.ts";
import { FailureLog } from "./failure_log.ts";
import { verbatim } from "./firmware_text.ts";
import type { Launch, Launcher, StartReason } from "./launcher.ts";
import type { Leftover } from "./leftover.ts";
import { Release } from "./release.ts";
import { StateKeeper, type SupervisorState } from "./supervisor_state.ts";
import { formatDuration } from "../duration.ts";
import { wait } from "../wait.ts";

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
  /** Knows what a gateway that was killed has left behind. @default {nobody does} */
  readonly leftover?: Leftover;
  /** Why the child is started now. @default {for no silence} */
  startReason?(): StartReason;
  /**
   * Reads the stdout of one child, and comes back when it has ended: with what it said of its own end,
   * if it did. Should it reject, the child is stopped and started again.
   */
  onStdout(stdout: ReadableStream<Uint8Array>): Promise<string | void>;
  /** Sees every child. @default {nobody} */
  readonly tap?: ChildTap | undefined;
  /** Called after each change of {@linkcode Supervisor.state}. */
  onStateChange?(): void;
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
/** A child that runs so long is noted, for the next gateway should this one be killed. */
const NOTED_AFTER_MS = 1_000;
/** Between two looks for a program that is not there, or is not one that can be used. */
const LOOK_AGAIN_MS = 60_000;

/** Why nothing was released, by the phase. */
const REFUSED: Partial<Record<SupervisorState["phase"], string>> = {
  stopped: "The gateway is just ending: the probe is free",
  ended:
    "The program of the board has ended and is not started again: it holds nothing",
};
const TAKEN_BACK = "The probe was taken back before it was free";

const log = getBoardLogger("source");

/** Keeps one child running until it is stopped or disposed. */
export class Supervisor implements AsyncDisposable {
  readonly #options:
    & SupervisorOptions
    & Required<Pick<SupervisorOptions, "now" | "wait" | "startReason">>;
  readonly #stopping = new AbortController();
  /** Aborted to end the child that runs, or the pause, for a new start. */
  #restarting = new AbortController();
  #running: Promise<void> | undefined;
  readonly #backoffs: Readonly<Record<Pace, Backoff>>;
  readonly #state: StateKeeper;
  readonly #release: Release;
  readonly #failures: FailureLog;

  constructor(options: SupervisorOptions) {
    this.#options = {
      ...options,
      now: options.now ?? (() => performance.now()),
      wait: options.wait ?? wait,
      startReason: options.startReason ?? (() => ({ silentRestarts: 0 })),
    };
    this.#failures = new FailureLog(options.launcher.name);
    this.#state = new StateKeeper(this.#options);
    this.#release = new Release(this.#options.now);
    this.#backoffs = {
      fast: options.backoff(PACES.fast),
      usual: options.backoff(PACES.usual),
      slow: options.backoff(PACES.slow),
    };
  }

  /** How the child is now. */
  get state(): SupervisorState {
    return this.#state.current;
  }

  /**
   * Keeps the child running until `signal` is aborted, `stop` is called, the launcher has no more to start
   * or the child has ended for good, and comes back when the child is gone and all it printed is read. A supervisor runs once.
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
   * Ends the child in order and starts the next one at once; a pause between two is cut short. False, and
   * nothing happens, while the board is being programmed, and where it is never to be started again.
   */
  restart(why: string): boolean {
    const { isProgramming, restart } = this.#options.launcher;
    // Half a firmware is worse than whatever the child is to be started anew for.
    if (isProgramming || restart === "never") return false;
    if (this.#release.leftMs === undefined) {
      log.info(verbatim(`Starting "${this.#name}" anew: ${why}`));
    }
    this.#restarting.abort();
    return true;
  }

  /**
   * Ends the child in order and starts none for `forMs`, so that somebody else can have the probe; comes
   * back when the child is gone. Again: for so long from then on.
   *
   * @throws {Error} if the board is being programmed, the gateway ends, or somebody takes the probe back before it is free
   */
  async release(forMs: number): Promise<void> {
    // Half a firmware is worse than having to wait for it.
    if (this.#options.launcher.isProgramming) {
      throw new Error(
        "The board is just being programmed: try again when that is over",
      );
    }
    const had = this.#release.begin(forMs);
    this.#restarting.abort();
    if (await had) return;
    throw new Error(REFUSED[this.state.phase] ?? TAKEN_BACK);
  }

  /** Ends a release before its time; whether there was one. */
  take(): boolean {
    const wasOn = this.#release.take();
    if (wasOn) this.#restarting.abort();
    return wasOn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #keepRunning(signal: AbortSignal): Promise<void> {
    const { launcher, leftover, startReason, wait } = this.#options;
    this.#state.become("starting");
    await leftover?.end({ ...this.#options, signal });
    let lastPhase: "ended" | "stopped" = "stopped";
    for (let starts = 0; !signal.aborted;) {
      this.#restarting = new AbortController();
      const restarting = this.#restarting.signal;
      const either = AbortSignal.any([signal, restarting]);
      if (await this.#stayAway(either)) continue;
      this.#state.become("starting");
      const launch = await launcher.prepare(either, startReason())
        .catch(faultOf);
      if (either.aborted) continue;
      if (launch === null) break;
      let pauseMs = LOOK_AGAIN_MS;
      if ("command" in launch) {
        this.#state.change({ restarts: starts++ });
        const exit = await this.#runOnce(launch, either);
        this.#state.change({ lastExit: exit });
        if (signal.aborted) break;
        if (restarting.aborted) continue;
        if (isForGood(launcher, exit)) {
          await this.#endForGood(exit, either);
          lastPhase = "ended";
          break;
        }
        this.#state.become("waiting");
        pauseMs = await this.#takeEnd(exit, either);
      } else {
        this.#state.change({ failure: launch });
        this.#failures.refused(launch);
      }
      this.#state.become("waiting", { startInMs: pauseMs });
      await wait(pauseMs, either);
    }
    if (lastPhase === "stopped") this.#state.become(lastPhase);
    this.#release.close();
    await leftover?.settled(wait);
  }

  /** Waits while the probe is released, or until the next order; false: it is not, or no longer. */
  async #stayAway(signal: AbortSignal): Promise<boolean> {
    const { leftMs } = this.#release;
    if (leftMs === undefined) return false;
    if (leftMs === 0) {
      this.#release.end();
      log.info("The release is over: the probe is taken back");
      return false;
    }
    // Whoever has the probe now may have mended what was wrong.
    this.#failures.forget();
    this.#resetBackoffs();
    this.#state.become("released", { startInMs: leftMs, isWell: true });
    const forMs = this.#release.free();
    if (forMs !== undefined) {
      const time = formatDuration(forMs);
      log.info(
        verbatim(
          `Released for ${time}: "${this.#name}" is ended and the probe is free; then it is started again`,
        ),
      );
    }
    await this.#options.wait(leftMs, signal);
    return true;
  }

  /** Notes a child that lasts: one that fails at once, every few seconds for months, would wear the disk. */
  async #noteLeftover(pid: number, gone: AbortSignal): Promise<void> {
    await this.#options.wait(NOTED_AFTER_MS, gone);
    if (!gone.aborted) await this.#options.leftover?.note(pid);
  }

  async #runOnce(launch: Launch, signal: AbortSignal): Promise<ChildExit> {
    const { launcher, now } = this.#options;
    const started = now();
    const gone = new AbortController();
    const watching = [
      this.#outlast(gone.signal),
      launcher.watch?.((why) => this.restart(why), gone.signal),
    ];
    const exit = await runChild({
      ...this.#options,
      ...launch,
      onStdoutChunk: (chunk) =>
        this.#state.watch(() => launch.onStdoutChunk?.(chunk)),
      onStderrLine: (line) =>
        this.#state.watch(() => launch.onStderrLine?.(line)),
      signal,
      onStart: (pid) => {
        launch.onStarted?.();
        this.#state.become("running", { pid });
        watching.push(this.#noteLeftover(pid, gone.signal));
        // During an outage each try would say so.
        const level = this.#failures.isOpen ? "debug" : "info";
        const why = launcher.isProgramming ? ", to program the board" : "";
        log[level](verbatim(`Started "${this.#name}" as process ${pid}${why}`));
      },
      onChunk: () => {
        if (now() - started >= STEADY_AFTER_MS) this.#overcome();
      },
    });
    gone.abort();
    await Promise.all(watching);
    return exit;
  }

  /** Has a failure over that a child outlasts in silence: some boards speak once an hour. */
  async #outlast(gone: AbortSignal): Promise<void> {
    const { launcher, wait } = this.#options;
    do await wait(WELL_AFTER_MS, gone); while (
      launcher.isProgramming && !gone.aborted
    );
    if (!gone.aborted) this.#overcome();
  }

  #overcome(): void {
    if (!this.#failures.isOpen) return;
    this.#state.forgetFailure();
    this.#failures.over(this.state.restarts);
  }

  get #name(): string {
    return this.#options.launcher.name;
  }

  #resetBackoffs(): void {
    for (const backoff of Object.values(this.#backoffs)) backoff.reset();
  }

  /** Takes the end of a child that is not started again. */
  async #endForGood(exit: ChildExit, signal: AbortSignal): Promise<void> {
    const { launcher } = this.#options;
    if (exit.code === 0) {
      this.#state.become("ended", { isWell: true });
      this.#failures.endedWell(exit, launcher.restart);
      return;
    }
    const failure = await this.#failureOf(exit, signal);
    this.#state.become("ended");
    this.#state.change({ failure });
    this.#failures.ended(exit, failure, undefined);
  }

  /** Takes the end of a child that nobody asked for; gives the pause before the next. */
  async #takeEnd(exit: ChildExit, signal: AbortSignal): Promise<number> {
    const failure = await this.#failureOf(exit, signal);
    this.#state.change({ failure });
    // Writing a flash takes its time, and wears it each time.
    const wasWell = exit.ranMs >= WELL_AFTER_MS &&
      failure.kind !== "flashing failed";
    if (wasWell) this.#resetBackoffs();
    const pauseMs = this.#backoffs[failure.pace].next();
    this.#failures.ended(exit, failure, pauseMs);
    return pauseMs;
  }

  async #failureOf(exit: ChildExit, signal: AbortSignal): Promise<Failure> {
    const recognized = recognizeFailure(exit);
    return await this.#options.launcher.ended?.(recognized, signal) ??
      recognized;
  }

  /** Takes a fault of this program: nothing is started any more, and the probe is free. */
  #fail(fault: unknown): never {
    this.#state.become("stopped");
    this.#release.close();
    this.#state.change({ failure: faultOf(fault) });
    throw fault;
  }
}

/** Whether a child that ended so, though nobody asked for it, is not started again. */
function isForGood(
  { restart }: Pick<Launcher, "restart">,
  { code }: ChildExit,
): boolean {
  return restart === "never" || (restart === "on-failure" && code === 0);
}

/** A fault of this program. */
function faultOf(fault: unknown): Failure {
  const error = describeError(fault);
  const todo = "restart the gateway, and report this fault";
  return { kind: "unknown", pace: "slow", error, todo };
}
