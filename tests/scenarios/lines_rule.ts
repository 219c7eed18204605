/**
 * No missed line: every line that a board's program wrote is counted as a packet, a reject or another
 * one, and every packet is in the journal, in its order and once; but for what was written in the last
 * moments before the gateway was killed.
 *
 * - What a program that was killed wrote last may have been cut or not written at all.
 * - Lines that are no packets are counted on the disk with the next packet: a kill costs the count of those
 *   behind the last one.
 *
 * @module
 */

import { type Call, type Evidence, packetsIn } from "./evidence.ts";

/** What is read is on the disk within that. */
const LOST_AT_MOST_S = 2;
/** As in the configuration's default: a longer line is cut. */
const MAX_LINE_BYTES = 8192;
/** Packets named in one complaint. */
const NAMED = 5;

/** A packet that was printed. */
interface Printed {
  readonly key: string;
  readonly at_s: number;
  /** It need not be in the journal. */
  readonly isExcused: boolean;
}

/** What of it is not so. */
export function checkLines(evidence: Evidence): string[] {
  return evidence.plan.boards.flatMap(({ name }, board) => {
    const calls = evidence.calls.filter((one) => one.board === board);
    return [
      ...checkCounts(evidence, board, calls),
      ...checkPackets(evidence, board, calls),
    ].map((fault) => `Board "${name}": ${fault}`);
  });
}

function checkCounts(
  evidence: Evidence,
  board: number,
  calls: readonly Call[],
): string[] {
  const { lines, packets, rejects, other } = evidence.boards[board]!.counts;
  const faults: string[] = [];
  if (lines !== packets + rejects + other) {
    faults.push(`${lines} lines are not ${packets} + ${rejects} + ${other}`);
  }
  let [least, most] = [0, 0];
  for (const call of calls) {
    const lastS = lastPacketS(evidence, calls, call);
    const sure = textOf(
      call,
      (i) => !isExcused(evidence, call, i) && call.pieces[i]!.at_s <= lastS,
    );
    least += countLines(sure).least;
    most += countLines(textOf(call, () => true)).most;
  }
  if (lines < least || lines > most) {
    faults.push(
      `${lines} lines were counted, and ${least} to ${most} were written`,
    );
  }
  return faults;
}

function checkPackets(
  evidence: Evidence,
  board: number,
  calls: readonly Call[],
): string[] {
  const printed = calls.flatMap((call) => printedBy(evidence, call));
  const missed: Printed[] = [];
  /** What stands in the journal and was excused. */
  const spare: string[] = [];
  let next = 0;
  for (const key of evidence.boards[board]!.journalled) {
    const found = printed.findIndex((one, i) => i >= next && one.key === key);
    if (found < 0) {
      return [`the journal holds ${key}, which was not printed then`];
    }
    missed.push(...printed.slice(next, found));
    if (printed[found]!.isExcused) spare.push(key);
    next = found + 1;
  }
  missed.push(...printed.slice(next));
  // What nobody took of one program, the board gives to the next again.
  const lost = missed.filter((one) =>
    !one.isExcused && !spare.includes(one.key)
  );
  if (lost.length === 0) return [];
  const named = lost.slice(0, NAMED).map(({ key, at_s }) =>
    `${key} (printed at ${at_s.toFixed(1)} s)`
  );
  return [
    `${lost.length} of ${printed.length} packets are not in the journal: ${
      named.join("; ")
    }`,
  ];
}

/** The packets of a call: one stands where its end was written. */
function printedBy(evidence: Evidence, call: Call): Printed[] {
  let line = "";
  return call.pieces.flatMap(({ at_s, text }, i) => {
    const whole = line + text;
    const end = whole.lastIndexOf("\n") + 1;
    line = whole.slice(end);
    return packetsIn(whole.slice(0, end)).map((key) => ({
      key,
      at_s,
      isExcused: isExcused(evidence, call, i),
    }));
  });
}

/** Whether nobody can say what became of a piece: whoever wrote or read it was killed. */
function isExcused(
  { sessions }: Evidence,
  { session, end, pieces }: Call,
  i: number,
): boolean {
  const reader = sessions[session];
  const isLate = reader?.how === "killed" &&
    (pieces[i]?.at_s ?? 0) >= reader.asked_s - LOST_AT_MOST_S;
  return isLate || end === undefined && i === pieces.length - 1;
}

/** Until when the lines of a call are counted on the disk, whatever became of the gateway. */
function lastPacketS(
  evidence: Evidence,
  calls: readonly Call[],
  { session }: Call,
): number {
  if (evidence.sessions[session]?.how !== "killed") return Infinity;
  const sure = calls.filter((one) => one.session === session)
    .flatMap((call) => printedBy(evidence, call))
    .filter((one) => !one.isExcused);
  return Math.max(0, ...sure.map(({ at_s }) => at_s));
}

function textOf(call: Call, isMeant: (i: number) => boolean): string {
  return call.pieces.filter((_, i) => isMeant(i)).map(({ text }) => text)
    .join("");
}

/** How many lines a reader may find: within one that is too long others may begin. */
function countLines(text: string): { least: number; most: number } {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const long = lines.filter(({ length }) => length > MAX_LINE_BYTES);
  return { least: lines.length, most: lines.length + long.length };
}
