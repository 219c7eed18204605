/**
 * How things stand, in one picture: for a person first one sentence, for a program all of it.
 *
 * @module
 */

import { formatDuration } from "../duration.ts";
import type { LineCounts } from "../journal/disk.ts";
import { journalPath } from "../journal/folder.ts";
import { lockOwner } from "../journal/lock.ts";
import { readReport, type SinkReport } from "../journal/report.ts";

/** How things stand. Times are RFC 3339; ages and the like are in seconds. */
export interface Status {
  /** How things stand, in one sentence. */
  readonly summary: string;
  /** The process id of the gateway that runs, 0 if it is not known; null when none does. */
  readonly gateway: number | null;
  /** The newest packet in the journal. */
  readonly newest_packet: {
    readonly seq: number;
    readonly time: string;
    readonly age_s: number;
  } | null;
  /** Lines read from each board over all runs: lines = packets + rejects + other. */
  readonly boards: readonly (LineCounts & { readonly name: string })[];
  readonly sinks: readonly SinkStatus[];
  readonly journal: { readonly path: string; readonly used_bytes: number };
}

/** A sink's ledger, in readings: received + requeued = delivered + waiting + dropped. */
export interface SinkStatus {
  readonly name: string;
  readonly target: string;
  readonly received: number;
  readonly requeued: number;
  readonly delivered: number;
  readonly waiting: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** False: the journal is damaged, or the program is wrong. */
  readonly balanced: boolean;
  readonly cursor: {
    /** Packets up to here are done. */
    readonly seq: number;
    /** How old the oldest packet is that waits; 0 when none does. */
    readonly age_s: number;
  };
}

/**
 * Reads how things stand from the journal in `folder`, whether a gateway runs or not.
 *
 * @param now microseconds since 1970
 * @throws {Error} if there is a journal and it cannot be read
 */
export async function readStatus(folder: string, now: number): Promise<Status> {
  const gateway = await lockOwner(folder);
  const path = journalPath(folder);
  const exists = await Deno.stat(path).then(() => true, () => false);
  const report = exists
    ? readReport(path)
    : { boards: [], sinks: [], newest: null, usedBytes: 0 };
  const ageS = (us: number) => Math.max(0, Math.round((now - us) / 1e6));
  const sinks = report.sinks.map((sink) => toSinkStatus(sink, ageS));
  const newest = report.newest && {
    seq: report.newest.seq,
    time: new Date(report.newest.timeUs / 1000).toISOString(),
    age_s: ageS(report.newest.timeUs),
  };
  return {
    summary: summarize(gateway, newest, sinks),
    gateway,
    newest_packet: newest,
    boards: report.boards.map(({ id: _, latest: __, ...lines }) => lines),
    sinks,
    journal: { path, used_bytes: report.usedBytes },
  };
}

function toSinkStatus(
  { name, target, ledger, waiting, imbalance, oldestWaitingUs }: SinkReport,
  ageS: (us: number) => number,
): SinkStatus {
  return {
    name,
    target,
    received: ledger.received,
    requeued: ledger.requeued,
    delivered: ledger.delivered,
    waiting,
    dropped: ledger.dropped,
    balanced: imbalance === 0,
    cursor: {
      seq: ledger.cursor.seq,
      age_s: oldestWaitingUs === null ? 0 : ageS(oldestWaitingUs),
    },
  };
}

/** What a sink may owe while it keeps up: the flush of a cursor, and a request under way. */
const KEEPS_UP_S = 10;

function summarize(
  gateway: number | null,
  newest: Status["newest_packet"],
  sinks: readonly SinkStatus[],
): string {
  const runs = gateway === null
    ? "No gateway runs"
    : `A gateway runs (process ${gateway || "unknown"})`;
  if (newest === null) return `${runs}, and no packet has ever come`;
  const packet = `the newest packet is ${age(newest.age_s)} old`;
  const broken = sinks.filter(({ balanced }) => !balanced);
  if (broken.length > 0) {
    const names = broken.map(({ name }) => name).join(", ");
    return `${runs}, ${packet}, and the ledger of ${names} does not balance`;
  }
  const late = sinks.filter(({ cursor, waiting }) =>
    waiting > 0 && (gateway === null || cursor.age_s > KEEPS_UP_S)
  );
  if (late.length === 0) return `${runs}, ${packet}, everything is delivered`;
  const waits = late.map(({ name, waiting, cursor }) =>
    `${waiting} readings wait for ${name}, the oldest for ${age(cursor.age_s)}`
  );
  return `${runs}, ${packet}, ${waits.join("; ")}`;
}

function age(seconds: number): string {
  return formatDuration(seconds * 1000);
}

/** The status as a person reads it, without a line end. */
export function formatStatus(status: Status): string {
  const lines = [`${status.summary}.`, ""];
  const { newest_packet: newest, journal } = status;
  const facts: [string, string][] = [
    [
      "Newest packet",
      newest === null
        ? "none"
        : `${newest.seq}, ${newest.time} (${age(newest.age_s)} ago)`,
    ],
    ...status.boards.map((board) =>
      [
        board.name === "" ? "Lines" : `Lines of ${board.name}`,
        formatLines(board),
      ] as [string, string]
    ),
    [
      "Journal",
      `${journal.path}, ${(journal.used_bytes / 1e6).toFixed(1)} MB used`,
    ],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) {
    lines.push(`${name.padEnd(width)}  ${value}`);
  }
  for (const sink of status.sinks) lines.push("", ...formatSink(sink));
  return lines.join("\n");
}

function formatLines(
  { lines, packets, rejects, other, truncated }: Status["boards"][number],
): string {
  const cut = truncated > 0 ? `; ${truncated} were too long and cut` : "";
  return `${lines} = ${packets} packets + ${rejects} rejects + ${other} other${cut}`;
}

function formatSink(sink: SinkStatus): string[] {
  const dropped = Object.entries(sink.dropped);
  const sum = dropped.reduce((sum, [, count]) => sum + count, 0);
  const reasons = dropped.map(([reason, count]) => `${reason} ${count}`);
  const rows: [string, number, string][] = [
    ["received", sink.received, ""],
    ...(sink.requeued > 0
      ? [["requeued", sink.requeued, ""] as [string, number, string]]
      : []),
    ["delivered", sink.delivered, ""],
    [
      "waiting",
      sink.waiting,
      sink.cursor.age_s > 0 ? `the oldest for ${age(sink.cursor.age_s)}` : "",
    ],
    ["dropped", sum, reasons.join(", ")],
  ];
  const width = Math.max(...rows.map(([, count]) => String(count).length));
  return [
    `${sink.name} → ${sink.target}, delivered up to packet ${sink.cursor.seq}` +
    (sink.balanced ? "" : "; THE LEDGER DOES NOT BALANCE"),
    ...rows.map(([name, count, note]) =>
      `  ${name.padEnd(9)} ${String(count).padStart(width)}  ${note}`.trimEnd()
    ),
  ];
}
