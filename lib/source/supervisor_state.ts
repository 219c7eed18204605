/**
 * How a supervisor's child is, and who hears of it.
 *
 * What can be found out when it is asked for is not kept: the pause that is left, and what the launcher
 * knows.
 *
 * @module
 */

import type { ChildExit } from "./child.ts";
import type { Failure } from "./failure.ts";
import type { FlashReport } from "./flash_memory.ts";
import type { Launcher } from "./launcher.ts";

/** How a supervisor's child is. */
export interface SupervisorState {
  /**
   * `starting` may take seconds: the program is looked at first. `waiting`: for the next start.
   * `released`: the probe is somebody else's for a time. `ended`: by itself, and it is not started again.
   */
  readonly phase:
    | "starting"
    | "running"
    | "waiting"
    | "released"
    | "ended"
    | "stopped";
  /** Only while it runs. */
  readonly pid?: number;
  /** It runs, and programs the board: nothing comes of that until it is done. */
  readonly isProgramming?: true;
  /** Until it is started, while it waits for that or is released. */
  readonly nextStartInMs?: number;
  /** Starts after the first. */
  readonly restarts: number;
  readonly lastExit?: ChildExit;
  /** Why it does not run, or did not last; gone once it has lasted for a while again. */
  readonly failure?: Failure;
  /** What is known of the board's flash, where the launcher programs it. */
  readonly flash?: FlashReport;
}

type Kept = Omit<SupervisorState, "nextStartInMs" | "isProgramming" | "flash">;

/** What changes with a phase. */
export interface PhaseDetails {
  readonly pid?: number;
  /** Until the next start. */
  readonly startInMs?: number;
  /** What failed before is over. @default {false} */
  readonly isWell?: boolean;
}

/** Options for {@linkcode StateKeeper}. */
export interface StateKeeperOptions {
  readonly launcher: Pick<Launcher, "flash" | "isProgramming">;
  /** Called after each change. */
  onStateChange?(): void;
  /** Milliseconds that only grow. */
  now(): number;
}

/** Keeps the state of one supervisor. */
export class StateKeeper {
  readonly #options: StateKeeperOptions;
  #kept: Kept = { phase: "stopped", restarts: 0 };
  #nextStartMs: number | undefined;

  constructor(options: StateKeeperOptions) {
    this.#options = options;
  }

  /** The state now. */
  get current(): SupervisorState {
    const { launcher: { flash, isProgramming }, now } = this.#options;
    return {
      ...this.#kept,
      ...(isProgramming && this.#kept.phase === "running" && { isProgramming }),
      ...(flash && { flash }),
      ...(this.#nextStartMs !== undefined &&
        { nextStartInMs: Math.max(0, this.#nextStartMs - now()) }),
    };
  }

  /** A phase begins. */
  become(
    phase: SupervisorState["phase"],
    { startInMs, isWell = false, ...pid }: PhaseDetails = {},
  ): void {
    this.#nextStartMs = startInMs === undefined
      ? undefined
      : this.#options.now() + startInMs;
    const { pid: _before, failure, ...rest } = this.#kept;
    this.#set({
      ...rest,
      ...(failure && !isWell && { failure }),
      phase,
      ...pid,
    });
  }

  /** Something else is another than it was. */
  change(part: Omit<Partial<Kept>, "phase" | "pid">): void {
    this.#set({ ...this.#kept, ...part });
  }

  /** What failed before is over. */
  forgetFailure(): void {
    const { failure: _over, ...rest } = this.#kept;
    this.#set(rest);
  }

  /** Calls `see`, which may find out that the board is programmed. */
  watch(see: () => void): void {
    const { launcher, onStateChange } = this.#options;
    const before = launcher.isProgramming;
    see();
    if (launcher.isProgramming !== before) onStateChange?.();
  }

  #set(kept: Kept): void {
    this.#kept = kept;
    this.#options.onStateChange?.();
  }
}
