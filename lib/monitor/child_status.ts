/**
 * How a board's program stands, as `status` tells it.
 *
 * @module
 */

import { counted } from "../counted.ts";
import type { FailureKind } from "../source/failure.ts";
import type { SupervisorState } from "../source/supervisor.ts";

/** The program that prints a board's lines. */
export interface ChildStatus {
  readonly phase: SupervisorState["phase"];
  /** Its process id while it runs, else null. */
  readonly process: number | null;
  /** Starts after the first. */
  readonly restarts: number;
  /** Why it does not run, or did not last until now; null when all is well. */
  readonly failure: {
    readonly kind: FailureKind;
    /** What the program said itself, in one line; null: nothing. */
    readonly error: string | null;
    readonly todo: string;
  } | null;
}

/** What the gateway that runs tells of a child; null where it tells nothing. */
export function toChildStatus(
  state: SupervisorState | undefined,
): ChildStatus | null {
  if (state === undefined) return null;
  const { phase, pid = null, restarts, failure } = state;
  return {
    phase,
    process: pid,
    restarts,
    failure: failure === undefined ? null : {
      kind: failure.kind,
      error: failure.error ?? null,
      todo: failure.todo,
    },
  };
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
