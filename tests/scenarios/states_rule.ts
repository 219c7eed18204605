/**
 * The state is always true: what the gateway says of a board is so, but for the moment of a change.
 *
 * - It runs where a process reads the board, and that is the one it names; it does not run where none does.
 * - A released probe is held by none of ours.
 * - A failure has a name of what was wrong, and is over soon after that is.
 * - It is silent where no telemetry came for as long as the configuration says, and only there.
 * - The flash holds what it says that it holds.
 * - A firmware is frozen only by who was killed or does not end in order.
 *
 * @module
 */

import type { FailureKind } from "../../lib/source/failure.ts";
import type { SourceState } from "../../lib/source/source.ts";
import type { Conditions } from "../../lib/simulator/probe_rs/scenario.ts";
import {
  type Call,
  type Evidence,
  packetsIn,
  type Sample,
} from "./evidence.ts";
import type { Plan } from "./plan.ts";
import { conditionsOf, happened, heldBetween } from "./truth.ts";

/** What is wrong with a state, and how long it may be so, in seconds. */
interface Complaint {
  readonly text: string;
  readonly grace_s: number;
}

/** A board at a moment, as the complaints need it. */
interface View {
  readonly evidence: Evidence;
  readonly board: number;
  readonly sample: Sample;
  readonly state: SourceState;
  /** What held from the beginning of the sample to its end; undefined: it changed. */
  readonly conditions: Conditions | undefined;
  /** Calls of this session that had begun before. */
  readonly calls: readonly Call[];
}

/** A change takes its time on a machine that is busy. */
const CHANGE_S = 2;
/** To look at the program, or to wait for a file that is being written. */
const START_S = 13;
/** A failure that comes back fast is tried again within that. */
const FAST_S = 10;
/** Who prints that long is past what fails at its start. */
const STEADY_S = 5;
/** Silence is looked for once a second, and must be seen twice. */
const LOOKS_S = 4;
/** Complaints of one board that are told. */
const TOLD = 3;

/** What of it is not so. */
export function checkStates(evidence: Evidence): string[] {
  return evidence.plan.boards.flatMap(({ name }, board) =>
    [
      ...checkSamples(evidence, board).slice(0, TOLD),
      ...checkFrozen(evidence, board),
    ].map((fault) => `Board "${name}": ${fault}`)
  );
}

/** Finds complaints that last. */
function checkSamples(evidence: Evidence, board: number): string[] {
  const faults: string[] = [];
  /** Since when each complaint has stood. */
  const since = new Map<string, number>();
  const told = new Set<string>();
  for (const sample of evidence.samples) {
    const complaints = complaintsOf(evidence, board, sample);
    const texts = complaints.map(({ text }) => text);
    for (const text of since.keys()) {
      if (!texts.includes(text)) since.delete(text);
    }
    for (const { text, grace_s } of complaints) {
      // What was so at the end of one look and the beginning of another was so all the time.
      const fromS = since.get(text) ?? sample.to_s;
      since.set(text, fromS);
      if (grace_s > 0 && sample.from_s - fromS < grace_s) continue;
      if (told.has(text)) continue;
      told.add(text);
      faults.push(`it says that it ${text} (${fromS.toFixed(1)} s)`);
    }
  }
  return faults;
}

function complaintsOf(
  evidence: Evidence,
  board: number,
  sample: Sample,
): Complaint[] {
  const name = evidence.plan.boards[board]!.name;
  const state = sample.report?.children?.[name];
  if (state === undefined) return [];
  const { from_s, to_s, session } = sample;
  const before = conditionsOf(evidence.plan, board, from_s);
  const after = conditionsOf(evidence.plan, board, to_s);
  const isSame = JSON.stringify(before) === JSON.stringify(after);
  const view: View = {
    evidence,
    board,
    sample,
    state,
    conditions: isSame ? before : undefined,
    calls: evidence.calls.filter((one) =>
      one.board === board && one.session === session && one.from_s <= from_s
    ),
  };
  return [
    ...ofProcess(view),
    ...ofFailure(view),
    ...ofSilence(view),
    ...ofFlash(view),
  ];
}

function ofProcess(
  { state: { phase, pid }, sample: { alive, to_s }, calls, conditions }: View,
): Complaint[] {
  const living = calls.filter((one) =>
    alive.includes(one.pid) && (one.end?.at_s ?? Infinity) > to_s
  );
  const others = living.filter((one) => one.pid !== pid).map(({ pid }) => pid);
  const complaints: Complaint[] = [];
  if (phase === "running" && !alive.includes(pid ?? 0)) {
    complaints.push({
      text: `runs as process ${pid}, which there is not`,
      grace_s: CHANGE_S,
    });
  }
  if (others.length > 0) {
    complaints.push({
      text: `is ${phase} (process ${pid}), while ${others} reads the board`,
      grace_s: phase === "released" ? 0 : CHANGE_S,
    });
  }
  if (phase === "starting" || phase === "stopped") {
    complaints.push({
      text: `is ${phase}, for ever`,
      grace_s: phase === "starting" ? START_S : CHANGE_S,
    });
  }
  if (phase === "running" && conditions && !conditions.stalled) {
    if (!conditions.plugged || !conditions.powered) {
      const what = conditions.plugged ? "board" : "probe";
      complaints.push({
        text: `runs without a ${what}`,
        grace_s: CHANGE_S + 2,
      });
    }
  }
  return complaints;
}

function ofFailure(
  { evidence, board, state, sample, calls }: View,
): Complaint[] {
  const { phase, failure, pid } = state;
  if (phase === "waiting" && failure === undefined) {
    return [{ text: "waits, for no reason", grace_s: CHANGE_S }];
  }
  if (failure === undefined) return [];
  const { kind, pace, error } = failure;
  const { from_s, to_s } = sample;
  const isFast = phase === "waiting" && pace === "fast";
  const fromS = isFast ? from_s - FAST_S - CHANGE_S : 0;
  if (!isPossible(evidence.plan, board, kind, [fromS, to_s])) {
    return [{ text: `has failed of "${kind}" (${error})`, grace_s: 0 }];
  }
  const call = calls.find((one) => one.pid === pid);
  if (phase !== "running" || call === undefined) return [];
  const pieces = call.pieces.filter(({ at_s }) =>
    at_s >= from_s - STEADY_S - CHANGE_S && at_s <= from_s
  );
  const first = pieces[0]?.at_s ?? Infinity;
  const last = pieces.at(-1)?.at_s ?? 0;
  // It is over with the first piece that comes so late.
  const isOver = last - first >= STEADY_S && last > call.from_s + STEADY_S + 1;
  return isOver
    ? [{ text: `has failed of "${kind}", long after`, grace_s: CHANGE_S }]
    : [];
}

/** Whether something in that time can have had this name. */
function isPossible(
  plan: Plan,
  board: number,
  kind: FailureKind,
  time: readonly [number, number],
): boolean {
  const held = (wanted: (conditions: Conditions) => boolean) =>
    heldBetween(plan, board, time, wanted);
  const minor = Number(plan.scenario.version.split(".")[1]);
  const isClosed = held(({ permitted }) => !permitted);
  // Whoever was killed may hold the probe until it hears signals again.
  const wasKilled = plan.acts.some((one) => one.do === "kill") &&
    held(({ stalled }) => stalled);
  switch (kind) {
    case "probe missing":
      return held(({ plugged }) => !plugged);
    case "probe busy":
      return held(({ taken }) => taken) || wasKilled ||
        // These do not say why a probe cannot be opened.
        isClosed && (minor === 28 || minor === 29);
    case "no permission":
      return isClosed;
    case "target lost":
      return held(({ plugged, powered }) => !plugged || !powered) ||
        happened(plan, board, time, ["unplug", "power_off", "blank"]);
    case "flashing failed":
      return held(({ erasable }) => !erasable) ||
        happened(plan, board, time, ["unplug", "power_off", "blank"]);
    case "no RTT":
      // That one ends where the firmware does not fit the file, and without RTT.
      return minor === 24;
    default:
      return false;
  }
}

function ofSilence(
  { evidence, state, sample: { from_s }, calls }: View,
): Complaint[] {
  const { phase, silence, pid } = state;
  const timeoutS = evidence.plan.silenceTimeoutS;
  const call = calls.find((one) => one.pid === pid);
  if (silence !== undefined) {
    if (phase !== "running") {
      return [{ text: `is silent while it is ${phase}`, grace_s: 0 }];
    }
    const last = lastPacketS(calls, from_s);
    return last > from_s - timeoutS + 1
      ? [{ text: "is silent, while telemetry comes", grace_s: CHANGE_S }]
      : [];
  }
  if (phase !== "running" || call === undefined) return [];
  const since = Math.max(call.from_s, lastPacketS(calls, from_s));
  return from_s - since > timeoutS + LOOKS_S
    ? [{ text: "is not silent, and nothing comes", grace_s: CHANGE_S }]
    : [];
}

/** When telemetry was written last. */
function lastPacketS(calls: readonly Call[], beforeS: number): number {
  const times = calls.flatMap(({ pieces }) =>
    pieces.findLast(({ at_s, text }) =>
      at_s <= beforeS && packetsIn(text).length > 0
    )?.at_s ?? []
  );
  return Math.max(0, ...times);
}

function ofFlash(
  { evidence: { plan }, board, state, sample }: View,
): Complaint[] {
  const said = state.flash?.firmware ?? null;
  const known = sample.boards[board]?.sha256 ?? null;
  const isSwapped = happened(plan, board, [0, sample.to_s], ["blank"]);
  return said === null || said === known || isSwapped ? [] : [{
    text: `has the firmware ${said.slice(0, 8)}, and its flash ${
      known?.slice(0, 8) ?? "nothing whole"
    }`,
    grace_s: CHANGE_S,
  }];
}

/** From 0.28 on an end in order leaves the firmware running; a program that hangs can only be killed. */
function checkFrozen({ boards, plan }: Evidence, board: number): string[] {
  const { freezes } = boards[board]!;
  const minor = Number(plan.scenario.version.split(".")[1]);
  const mayHang = happened(plan, board, [0, Infinity], ["stall"]);
  return freezes === 0 || minor < 28 || mayHang
    ? []
    : [`its firmware froze ${freezes} times`];
}
