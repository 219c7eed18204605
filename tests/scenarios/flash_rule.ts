/**
 * Flash cycles: a board is programmed only where its flash is not known to hold its firmware, or where
 * the configuration wants it; and never more often than the gateway says.
 *
 * - `never`: never.
 * - `when-changed`: not again after a `run` that was seen to succeed, unless the file was replaced since,
 *   or the board was silent twice over, or twice without RTT.
 * - `always`: as above where probe-rs does not compare first, but once for each start of the gateway.
 * - A cycle is spent only for a new firmware, a blank board, or one before that was broken off.
 *
 * @module
 */

import type { Call, Evidence } from "./evidence.ts";
import type { Plan, PlannedBoard } from "./plan.ts";
import { eventsOf } from "../../lib/simulator/probe_rs/scenario.ts";

/** A sign of success is on the disk by then. */
const REMEMBERED_WITHIN_S = 2;
/** The file is read so long before the program is started. */
const READ_BEFORE_S = 5;
/** Starts without RTT after which another board may be there. */
const WITHOUT_RTT = 2;
/** Starts for silence that must have been seen: the second may be over before anybody looks. */
const SEEN_SILENT = 1;

/** What of it is not so. */
export function checkFlash(evidence: Evidence): string[] {
  return evidence.plan.boards.flatMap((planned, board) =>
    [
      ...checkRuns(evidence, planned, board),
      ...checkCycles(evidence, planned, board),
    ].map((fault) => `Board "${planned.name}": ${fault}`)
  );
}

/** Every `run` has its reason. */
function checkRuns(
  evidence: Evidence,
  { flash, name }: PlannedBoard,
  board: number,
): string[] {
  const runs = runsOf(evidence, board);
  if (flash === "never") {
    return runs.map(({ from_s }) =>
      `programmed at ${from_s.toFixed(1)} s, and it never is to be`
    );
  }
  const isCompared = comparesFirst(evidence.plan);
  if (flash === "always" && isCompared) return [];
  return runs.flatMap((run, i) => {
    const before = runs.slice(0, i).findLast((one) =>
      flash !== "always" || one.session === run.session
    );
    const doneS = before && successOf(evidence, before);
    if (before === undefined || doneS === undefined) return [];
    const { asked_s = 0, how } = evidence.sessions[before.session] ?? {};
    const isKnown = before.session === run.session || how !== "killed" ||
      asked_s - doneS > REMEMBERED_WITHIN_S;
    const isReplaced = evidence.firmware.some((one) =>
      one.board === board && one.at_s >= before.from_s - READ_BEFORE_S &&
      one.at_s > 0 && one.at_s <= run.from_s
    );
    const isSilent = evidence.samples.some(({ report, to_s }) =>
      to_s <= run.from_s + READ_BEFORE_S && to_s >= before.from_s &&
      (report?.children?.[name]?.silence?.restarts ?? 0) >= SEEN_SILENT
    );
    const withoutRtt = evidence.calls.filter((one) =>
      one.board === board && one.end?.why === "no RTT" &&
      one.from_s >= before.from_s && one.from_s <= run.from_s
    ).length;
    if (!isKnown || isReplaced || isSilent) {
      return [];
    }
    if (withoutRtt >= WITHOUT_RTT) {
      return [];
    }
    return [
      `programmed again at ${run.from_s.toFixed(1)} s, though that of ${
        before.from_s.toFixed(1)
      } s had succeeded at ${doneS.toFixed(1)} s`,
    ];
  });
}

/** The true count stays within the rules, and the gateway's is never below it. */
function checkCycles(
  evidence: Evidence,
  { flash, name, probe }: PlannedBoard,
  board: number,
): string[] {
  const { plan, samples, sessions, firmware } = evidence;
  const { flash_cycles, cyclesAtMost } = evidence.boards[board]!;
  const faults: string[] = [];
  const runs = runsOf(evidence, board);
  const broken =
    runs.filter((run) => successOf(evidence, run) === undefined).length;
  const versions = firmware.filter((one) => one.board === board).length;
  const swaps = eventsOf(plan.scenario, probe)
    .filter((one) => one.do === "blank").length;
  const blind = comparesFirst(plan)
    ? 0
    : flash === "always"
    ? sessions.length
    : runs.length;
  const most = flash === "never" ? 0 : versions + swaps + broken + blind;
  if (flash_cycles > most) {
    faults.push(
      `${flash_cycles} flash cycles, and the rules allow ${most}`,
    );
  }
  if (cyclesAtMost < flash_cycles) {
    faults.push(
      `${flash_cycles} flash cycles, and the gateway says at most ${cyclesAtMost}`,
    );
  }
  for (const { boards, report, from_s } of samples) {
    const said = report?.children?.[name]?.flash?.cyclesAtMost;
    const cycles = boards[board]?.flash_cycles ?? 0;
    if (said === undefined || said >= cycles) continue;
    faults.push(
      `${cycles} flash cycles at ${
        from_s.toFixed(1)
      } s, and the gateway says at most ${said}`,
    );
    break;
  }
  return faults;
}

function runsOf({ calls }: Evidence, board: number): Call[] {
  return calls.filter((one) => one.board === board && one.command === "run");
}

function comparesFirst({ scenario: { version } }: Plan): boolean {
  return !version.startsWith("0.24");
}

/** When a `run` was seen to have programmed: it reads the board then. */
function successOf(
  { samples }: Evidence,
  { board, pid, pieces }: Call,
): number | undefined {
  const seen = samples.find(({ boards }) => boards[board]?.reader === pid);
  const times = [seen?.from_s, pieces[0]?.at_s].filter((one) =>
    one !== undefined
  );
  return times.length === 0 ? undefined : Math.min(...times);
}
