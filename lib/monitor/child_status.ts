/**
 * How a board's program stands, as `status` tells it.
 *
 * @module
 */

import { counted } from "../counted.ts";
import type { FailureKind } from "../source/failure.ts";
import type { SilenceKind } from "../source/silence.ts";
import type { SourceState } from "../source/source.ts";

/** The program that prints a board's lines. */
export interface ChildStatus {
  readonly phase: SourceState["phase"];
  /** Its process id while it runs, else null. */
  readonly process: number | null;
  /** Seconds until it is started, while it waits for that or the probe is released; else null. */
  readonly next_start_in_s: number | null;
  /** Starts after the first. */
  readonly restarts: number;
  /** Why it does not run, or did not last until now; null when all is well. */
  readonly failure: {
    readonly kind: FailureKind;
    /** What the program said itself, in one line; null: nothing. */
    readonly error: string | null;
    readonly todo: string;
  } | null;
  /** It runs, and no telemetry comes although it should; null: it comes. */
  readonly silence: {
    readonly kind: SilenceKind;
    readonly for_s: number;
    /** How often it was started anew for it. */
    readonly restarts: number;
    readonly todo: string;
  } | null;
  /** Nodes that have spoken before and do not, while telemetry comes. */
  readonly silent_nodes: readonly {
    readonly node: string;
    readonly for_s: number;
  }[];
  /** The firmware's last panic since the gateway was started. */
  readonly last_panic: {
    readonly message: string;
    /** Where the firmware says it: `src/main.rs:42:5`. */
    readonly location: string | null;
    readonly age_s: number;
  } | null;
}

/** What the gateway that runs tells of a child; null where it tells nothing. */
export function toChildStatus(
  state: SourceState | undefined,
): ChildStatus | null {
  if (state === undefined) return null;
  const { phase, pid = null, nextStartInMs, restarts, failure } = state;
  const { silence, silentNodes = [], lastPanic } = state;
  return {
    phase,
    process: pid,
    next_start_in_s: nextStartInMs === undefined
      ? null
      : seconds(nextStartInMs),
    restarts,
    failure: failure === undefined ? null : {
      kind: failure.kind,
      error: failure.error ?? null,
      todo: failure.todo,
    },
    silence: silence === undefined ? null : {
      kind: silence.kind,
      for_s: seconds(silence.forMs),
      restarts: silence.restarts,
      todo: silence.todo,
    },
    silent_nodes: silentNodes.map(({ node, forMs }) => ({
      node,
      for_s: seconds(forMs),
    })),
    last_panic: lastPanic === undefined ? null : {
      message: lastPanic.message,
      location: lastPanic.location ?? null,
      age_s: seconds(lastPanic.agoMs),
    },
  };
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}

/** What is wrong with a board's program while it does not run, for the first sentence. */
export function faultOfChild(
  name: string,
  child: ChildStatus | null,
): string[] {
  if (child === null || child.failure === null) return [];
  if (child.phase === "running") return [];
  const { kind, todo } = child.failure;
  const what = kind === "unknown" ? "ended" : `failed (${kind})`;
  const board = name === "" ? "the board" : `the board ${name}`;
  return [`the program of ${board} ${what}. To do: ${todo}`];
}

const PHASES: Readonly<Record<ChildStatus["phase"], string>> = {
  starting: "is being started",
  running: "runs",
  waiting: "waits for its next start",
  released: "has given the probe away",
  stopped: "is stopped",
};

/** `runs as process 8, 3 restarts` */
export function formatChild(
  { phase, process, restarts, failure }: ChildStatus,
): string {
  const which = process === null ? "" : ` as process ${process}`;
  const how = `${PHASES[phase]}${which}, ${counted(restarts, "restart")}`;
  if (failure === null) return how;
  const { kind, error, todo } = failure;
  const said = error === null ? "" : `: ${error}`;
  return `${how}; last failure: ${kind}${said}. To do: ${todo}`;
}
