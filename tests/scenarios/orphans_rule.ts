/**
 * No orphan: when a gateway is gone, whichever way, none of its processes lives on, and while it runs it
 * never reads one board twice.
 *
 * - One that was killed has no say any more: its program ends within seconds, or when it hears signals
 *   again.
 * - One that was asked to end has ended its program before.
 *
 * @module
 */

import type { Call, Evidence } from "./evidence.ts";
import { conditionsOf } from "./truth.ts";

/** To notice that the gateway is gone, and end, on a machine that is busy. */
const GONE_WITHIN_S = 4;
/** The look itself. */
const SEEN_WITHIN_S = 0.5;

/** What of it is not so. */
export function checkOrphans(evidence: Evidence): string[] {
  return [...checkLeftovers(evidence), ...checkPairs(evidence)];
}

function checkLeftovers({ leftovers, sessions, plan }: Evidence): string[] {
  return leftovers.flatMap(({ session, pid, gone_s }) => {
    const { to_s = 0, how = "died" } = sessions[session] ?? {};
    const withinS = how === "stopped" ? SEEN_WITHIN_S : GONE_WITHIN_S;
    const hearsFromS = Math.max(
      to_s,
      ...plan.boards.map((_, board) => hearsSignals(plan, board, to_s)),
    );
    const isInTime = gone_s !== undefined &&
      gone_s - (how === "stopped" ? to_s : hearsFromS) <= withinS;
    if (isInTime) return [];
    const when = gone_s === undefined
      ? "is still there"
      : `lived ${(gone_s - to_s).toFixed(1)} s longer`;
    return [`Process ${pid} of session ${session} (${how}) ${when}`];
  });
}

/** When a board's program hears signals again, at `atS` or later. */
function hearsSignals(
  plan: Evidence["plan"],
  board: number,
  atS: number,
): number {
  for (const { at_s } of plan.scenario.event.toSorted(byTime)) {
    if (!conditionsOf(plan, board, atS).stalled) break;
    atS = Math.max(atS, at_s);
  }
  return atS;
}

function byTime(one: { at_s: number }, other: { at_s: number }): number {
  return one.at_s - other.at_s;
}

function checkPairs({ calls, samples, plan }: Evidence): string[] {
  const faults: string[] = [];
  for (const [board, { probe }] of plan.boards.entries()) {
    const own = calls.filter((one) => one.board === board);
    for (const [i, call] of own.entries()) {
      const untilS = call.end?.at_s ?? lastSeenS(call, samples);
      const other = own.slice(i + 1).find(({ session, from_s }) =>
        session === call.session && from_s < untilS
      );
      if (other === undefined) continue;
      faults.push(
        `Processes ${call.pid} and ${other.pid} read the board of ${probe} at ${
          other.from_s.toFixed(1)
        } s`,
      );
    }
  }
  return faults;
}

/** When a call was last seen alive. */
function lastSeenS({ pid }: Call, samples: Evidence["samples"]): number {
  return samples.findLast(({ alive }) => alive.includes(pid))?.from_s ?? 0;
}
