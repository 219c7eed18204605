/**
 * How a board's program stands, as `status` tells it.
 *
 * @module
 */

import { counted } from "../counted.ts";
import { formatDuration } from "../duration.ts";
import type { FailureKind } from "../source/failure.ts";
import type { SilenceKind } from "../source/silence.ts";
import type { SourceState } from "../source/source.ts";

/** The program that prints a board's lines. */
export interface ChildStatus {
  readonly phase: SourceState["phase"];
  /** Its process id while it runs, else null. */
  readonly process: number | null;
  /** It programs the board now, and nothing comes of that until it is done. */
  readonly programming: boolean;
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
    /** Lines that came meanwhile. */
    readonly lines: number;
    /** One of them; null where none is known. */
    readonly sample: string | null;
    readonly todo: string;
  } | null;
  /** Nodes that have spoken before and do not, while telemetry comes. */
  readonly silent_nodes: readonly {
    readonly node: string;
    readonly for_s: number;
  }[];
  /** Values that came before and do not come as often as their `expect_interval_s` wants it. */
  readonly missed_values: readonly {
    readonly topic: string;
    readonly for_s: number;
    readonly expect_interval_s: number;
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
export function toChildStatus(state: SourceState): ChildStatus;
export function toChildStatus(
  state: SourceState | undefined,
): ChildStatus | null;
export function toChildStatus(
  state: SourceState | undefined,
): ChildStatus | null {
  if (state === undefined) return null;
  const { phase, pid = null, nextStartInMs, restarts, failure } = state;
  const { isProgramming = false, silence, silentNodes = [], lastPanic } = state;
  const { missedValues = [] } = state;
  return {
    phase,
    process: pid,
    programming: isProgramming,
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
      lines: silence.lines ?? 0,
      sample: silence.sample ?? null,
      todo: silence.todo,
    },
    silent_nodes: silentNodes.map(({ node, forMs }) => ({
      node,
      for_s: seconds(forMs),
    })),
    missed_values: missedValues.map(({ topic, forMs, everyMs }) => ({
      topic,
      for_s: seconds(forMs),
      expect_interval_s: everyMs / 1000,
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

/** A board's state in one word; the list is closed. */
export type ChildWord =
  | "starting"
  | "running"
  /** Its program runs, and programs it: nothing comes of it until that is done. */
  | "programming"
  /** Its program runs, and no telemetry comes although it should. */
  | "silent"
  /** Its program does not run, or does not last; it is tried again, unless `restart` is "never". */
  | "failed"
  /** The probe is somebody else's for a time. */
  | "released"
  /** Also where it has ended by itself with exit code 0, and is not started again. */
  | "stopped";

const WORDS: Readonly<Record<SourceState["phase"], ChildWord>> = {
  starting: "starting",
  running: "running",
  waiting: "failed",
  released: "released",
  ended: "stopped",
  stopped: "stopped",
};

/**
 * The state as one word: a program that ends again and again has `failed` until it lasts, one that failed
 * and is not started again for ever.
 */
export function wordOfChild(
  { phase, failure, silence, isProgramming }: SourceState,
): ChildWord {
  const word = WORDS[phase];
  if (word === "running" && silence !== undefined) return "silent";
  const tries = word === "starting" || word === "running" || phase === "ended";
  if (tries && failure !== undefined) return "failed";
  return isProgramming ? "programming" : word;
}

/**
 * The state as one sentence, without its full stop and its first word's capital. Of a failure it is the same
 * at each try, so that it is told once.
 */
export function describeChild(state: SourceState): string {
  const child = toChildStatus(state);
  const { failure, last_panic } = child;
  const program = "the program of the board";
  if (wordOfChild(state) !== "failed" || failure === null) {
    return `${program} ${formatChild(child)}`;
  }
  const panic = failure.kind === "firmware crashed" && last_panic !== null
    ? `; the firmware panicked${formatPanic(last_panic)}`
    : "";
  const again = child.phase === "ended" ? "not started" : "tried";
  return `${program} has failed and is ${again} again: ${
    formatFailure(failure)
  }${panic}`;
}

/** What is wrong with a board, for the first sentence. */
export function faultOfChild(
  name: string,
  child: ChildStatus | null,
): string[] {
  if (child === null) return [];
  const { phase, failure, programming, silence, silent_nodes } = child;
  const { missed_values } = child;
  const board = name === "" ? "the board" : `the board ${name}`;
  if (phase === "released") {
    const left = age(child.next_start_in_s ?? 0);
    return [`the probe of ${board} is released for another ${left}`];
  }
  if (phase === "ended" && failure === null) {
    return [`the program of ${board} has ended and is not started again`];
  }
  if (failure !== null && phase !== "running") {
    const { kind, todo } = failure;
    const what = kind === "unknown" ? "ended" : `failed (${kind})`;
    return [`the program of ${board} ${what}. To do: ${todo}`];
  }
  if (silence !== null) {
    return [
      `${board} has been silent for ${
        age(silence.for_s)
      }. To do: ${silence.todo}`,
    ];
  }
  if (programming) return [`${board} is being programmed`];
  return [
    ...silent_nodes.map(({ node, for_s }) =>
      `${node} of ${board} has been silent for ${age(for_s)}`
    ),
    ...missed_values.map((one) => `${board} sends ${formatMissed(one)}`),
  ];
}

const PHASES: Readonly<Record<ChildStatus["phase"], string>> = {
  starting: "is being started",
  running: "runs",
  waiting: "waits for its next start",
  released: "has given the probe away, and is started again",
  ended: "has ended and is not started again",
  stopped: "is stopped",
};

/** `runs as process 8, 3 restarts` */
export function formatChild(
  { phase, process, programming, next_start_in_s, ...more }: ChildStatus,
): string {
  const { restarts, failure, silence, silent_nodes, last_panic } = more;
  const { missed_values } = more;
  const does = programming ? "programs the flash" : PHASES[phase];
  const which = process === null ? "" : ` as process ${process}`;
  const when = next_start_in_s === null ? "" : ` in ${age(next_start_in_s)}`;
  const parts = [
    `${does}${which}${when}, ${counted(restarts, "restart")}`,
  ];
  if (silence !== null) {
    const { kind, for_s, restarts, lines, sample, todo } = silence;
    const such = sample === null
      ? ""
      : `, ${counted(lines, "line")} such as "${sample}"`;
    const anew = restarts === 0
      ? ""
      : `, ${counted(restarts, "restart")} for it`;
    parts.push(`${kind} for ${age(for_s)}${anew}${such}. To do: ${todo}`);
  }
  for (const { node, for_s } of silent_nodes) {
    parts.push(`nothing from ${node} for ${age(for_s)}`);
  }
  parts.push(...missed_values.map(formatMissed));
  if (failure !== null) {
    parts.push(`last failure: ${formatFailure(failure)}`);
  }
  if (last_panic !== null) {
    const ago = `${age(last_panic.age_s)} ago`;
    parts.push(`the firmware panicked ${ago}${formatPanic(last_panic)}`);
  }
  return parts.join("; ");
}

function formatMissed(
  { topic, for_s, expect_interval_s }: ChildStatus["missed_values"][number],
): string {
  return `no ${topic} for ${age(for_s)}, expected every ${
    age(expect_interval_s)
  }`;
}

function formatFailure(
  { kind, error, todo }: NonNullable<ChildStatus["failure"]>,
): string {
  return `${kind}${error === null ? "" : `: ${error}`}. To do: ${todo}`;
}

function formatPanic(
  { message, location }: NonNullable<ChildStatus["last_panic"]>,
): string {
  return `${location === null ? "" : ` at ${location}`}: ${message}`;
}

function age(seconds: number): string {
  return formatDuration(seconds * 1000);
}
