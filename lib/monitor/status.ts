/**
 * How things stand, in one picture: for a person first one sentence, for a program all of it.
 *
 * @module
 */

import type { GatewayReport } from "../control/protocol.ts";
import { counted } from "../counted.ts";
import { formatDuration } from "../duration.ts";
import { describeError } from "../error_text.ts";
import type { LinkState } from "../forwarder/link.ts";
import type { BoardClockCounts, TimeQuality } from "../model.ts";
import type { JournalMedium, LineCounts } from "../journal/disk.ts";
import { listAside } from "../journal/aside.ts";
import { journalPath } from "../journal/folder.ts";
import { lockOwner } from "../journal/lock.ts";
import { readReport, type SinkReport } from "../journal/report.ts";
import type { FlashReport } from "../source/flash_memory.ts";
import {
  type ChildStatus,
  faultOfChild,
  formatChild,
  toChildStatus,
} from "./child_status.ts";
import {
  type FlashStatus,
  formatFlash,
  toFlashStatus,
} from "./flash_status.ts";

/** How things stand. Times are RFC 3339; ages and the like are in seconds. */
export interface Status {
  /** How things stand, in one sentence. */
  readonly summary: string;
  /** The process id of the gateway that runs, 0 if it is not known; null when none does. */
  readonly gateway: number | null;
  /** Why that gateway did not answer; the rest is then of the journal's file. Null: it did, or none runs. */
  readonly silence: string | null;
  /** The newest packet in the journal. */
  readonly newest_packet: {
    readonly seq: number;
    readonly time: string;
    readonly age_s: number;
  } | null;
  /** What is known about the clock; null in an empty journal. */
  readonly clock: ClockStatus | null;
  /** Lines read from each board over all runs: lines = packets + rejects + other. */
  readonly boards: readonly (LineCounts & {
    readonly name: string;
    /** What its own clock did, by `ts`. */
    readonly clock: BoardClockCounts;
    /** Whether the configuration has it; the rows of one that it had go out all the same. */
    readonly configured: boolean;
    /** The program that prints its lines; null where no gateway tells. */
    readonly child: ChildStatus | null;
    /** What the gateway knows of its flash; null where it programs none. */
    readonly flash: FlashStatus | null;
  })[];
  readonly sinks: readonly SinkStatus[];
  readonly journal: {
    readonly path: string;
    readonly used_bytes: number;
    /** Why it cannot be read; null when it can. */
    readonly fault: string | null;
    /** Damaged ones, and those of a newer version, the oldest first. */
    readonly aside: readonly {
      readonly path: string;
      readonly kind: "damaged" | "newer";
      readonly bytes: number;
    }[];
    /** Why it is kept in memory, where a power cut loses it; null: it is on disk. */
    readonly memory: {
      readonly since: string;
      readonly reason: string;
      readonly limit_bytes: number;
    } | null;
  };
}

/** The clock of this PC, since it was last set or the gateway was started. */
export interface ClockStatus {
  readonly quality: TimeQuality;
  /** Who said that it is right; null where nobody did. */
  readonly known_by: string | null;
  /** By how much the packets' times were corrected once it was known. */
  readonly corrected_s: number;
}

/** A sink's ledger, in readings: received + requeued = delivered + waiting + dropped. */
export interface SinkStatus {
  readonly name: string;
  readonly target: string;
  /** How the link to its server stands; null where no gateway tells. */
  readonly link: LinkState | null;
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

/** Options for {@linkcode readStatus}. */
export interface StatusOptions {
  /** Microseconds since 1970. */
  readonly now: number;
  /** The names of the configuration's boards. @default {those that the journal knows} */
  readonly boards?: readonly string[];
  /** Asks the gateway that runs. */
  ask(): Promise<GatewayReport>;
  /** What is remembered of each board's flash, for when no gateway tells. @default {nothing} */
  flash?(): Promise<Readonly<Record<string, FlashReport>>>;
}

/**
 * How things stand with the journal in `folder`: the gateway that runs is asked; where none does, or
 * it does not answer, the file tells.
 *
 * @throws {Error} if the disk or its rights stand in the way
 */
export async function readStatus(
  folder: string,
  { now, boards: configured, ask, flash }: StatusOptions,
): Promise<Status> {
  const path = journalPath(folder);
  let silence: string | null = null;
  const told = await ask().catch((error) => {
    silence = describeError(error);
    return null;
  });
  const gateway = told?.process ?? await lockOwner(folder);
  if (gateway === null) silence = null;
  // A gateway that answers has opened its journal: nothing is wrong with that.
  const { fault, ...report } = told === null
    ? readReport(path)
    : { fault: null, ...told.journal };
  const ageS = (us: number) => Math.max(0, Math.round((now - us) / 1e6));
  const sinks = report.sinks.map((sink) =>
    toSinkStatus(sink, told?.links[sink.name] ?? null, ageS)
  );
  const remembered = told === null ? await flash?.() : undefined;
  const boards = report.boards.map(({ id: _, latest: __, ...lines }) => {
    const child = told?.children?.[lines.name];
    return {
      ...lines,
      // The gateway that runs may have begun with another configuration.
      configured: told?.children === undefined
        ? configured?.includes(lines.name) ?? true
        : Object.hasOwn(told.children, lines.name),
      child: toChildStatus(child),
      flash: toFlashStatus(child?.flash ?? remembered?.[lines.name]),
    };
  });
  const newest = report.newest && {
    seq: report.newest.seq,
    time: new Date(report.newest.timeUs / 1000).toISOString(),
    age_s: ageS(report.newest.timeUs),
  };
  return {
    summary: summarize(
      gateway,
      silence,
      report.medium,
      newest,
      boards,
      sinks,
      fault,
    ),
    gateway,
    silence,
    newest_packet: newest,
    clock: report.clock && {
      quality: report.clock.quality,
      known_by: report.clock.knownBy,
      corrected_s: Math.round(report.clock.correctedUs / 1e6),
    },
    boards,
    sinks,
    journal: {
      path,
      used_bytes: report.usedBytes,
      memory: toMemory(report.medium),
      fault,
      aside: listAside(path),
    },
  };
}

function toMemory(medium: JournalMedium): Status["journal"]["memory"] {
  return medium.kind === "disk" ? null : {
    since: new Date(medium.sinceUs / 1000).toISOString(),
    reason: medium.reason,
    limit_bytes: medium.limitBytes,
  };
}

function toSinkStatus(
  { name, target, ledger, waiting, imbalance, oldestWaitingUs }: SinkReport,
  link: LinkState | null,
  ageS: (us: number) => number,
): SinkStatus {
  return {
    name,
    target,
    link,
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
  silence: string | null,
  medium: JournalMedium,
  newest: Status["newest_packet"],
  boards: Status["boards"],
  sinks: readonly SinkStatus[],
  fault: string | null,
): string {
  const runs = gateway === null
    ? "No gateway runs"
    : `A gateway runs (process ${gateway || "unknown"})`;
  if (fault !== null) {
    return `${runs}, and the journal cannot be used as it is: ${fault}. A start puts it aside and begins a new one`;
  }
  if (gateway === null && newest === null) {
    return `${runs}, and no packet has ever come`;
  }
  const packet = newest === null
    ? "no packet has ever come"
    : `the newest packet is ${age(newest.age_s)} old`;
  const wrong = [
    ...(silence === null ? [] : ["the gateway does not answer"]),
    ...(medium.kind === "disk"
      ? []
      : ["the disk fails, and packets are only in memory"]),
    ...boards.flatMap(({ name, child }) => faultOfChild(name, child)),
    ...sinks.flatMap((sink) => faultsOf(sink, gateway !== null)),
  ];
  if (wrong.length === 0) {
    return `${runs}, ${packet}` +
      (newest === null ? "" : ", everything is delivered");
  }
  // That none runs is itself the first thing that is wrong.
  if (gateway === null) return `${runs}, ${packet}, ${wrong.join("; ")}`;
  const faults = wrong.join("; ");
  return `${faults[0]?.toUpperCase()}${faults.slice(1)}. ${runs}, ${packet}`;
}

/** What is wrong with a sink, the worst first. */
function faultsOf(
  { name, balanced, cursor, waiting, link }: SinkStatus,
  runs: boolean,
): string[] {
  const faults: string[] = [];
  if (!balanced) faults.push(`the ledger of ${name} does not balance`);
  if (link?.kind === "failing" || link?.kind === "blocked") {
    faults.push(`the link to ${name} ${describeLink(link)}`);
  }
  if (waiting > 0 && (!runs || cursor.age_s > KEEPS_UP_S)) {
    faults.push(
      `${
        counted(waiting, "reading waits", "readings wait")
      } for ${name}, the oldest for ${age(cursor.age_s)}`,
    );
  }
  return faults;
}

/** `has been connected for 3 h: MQTT client connected successfully …` */
export function describeLink(
  { kind, for_s, session, last_error, hint }: LinkState,
): string {
  const since = `for ${age(for_s)}`;
  switch (kind) {
    case "starting":
      return `has been connecting ${since}`;
    case "connected":
      return `has been connected ${since}: ${session}`;
    case "failing":
      return `has failed ${since}: ${last_error?.message}`;
    case "blocked":
      return `has been blocked ${since}: ${last_error?.message}. To do: ${hint}`;
  }
}

function age(seconds: number): string {
  return formatDuration(seconds * 1000);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
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
    ...(status.clock === null
      ? []
      : [["Clock", formatClock(status.clock)] as [string, string]]),
    ...status.boards.flatMap((board) => {
      const of = board.name === "" ? "" : ` of ${board.name}`;
      const rows: [string, string][] = [[`Lines${of}`, formatLines(board)]];
      if (board.child !== null) {
        rows.push([`Program${of}`, formatChild(board.child)]);
      }
      if (board.flash !== null) {
        rows.push([`Flash${of}`, formatFlash(board.flash)]);
      }
      return rows;
    }),
    [
      "Journal",
      journal.memory === null
        ? `${journal.path}, ${megabytes(journal.used_bytes)} MB used`
        : `${megabytes(journal.used_bytes)} of ${
          megabytes(journal.memory.limit_bytes)
        } MB in MEMORY since ${journal.memory.since}, because ${journal.path} fails: ${journal.memory.reason}`,
    ],
    ...journal.aside.map(({ path, kind, bytes }) =>
      [
        kind === "damaged" ? "Damaged one" : "Newer one",
        `${path}, ${(bytes / 1e6).toFixed(1)} MB, put aside`,
      ] as [string, string]
    ),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) {
    lines.push(`${name.padEnd(width)}  ${value}`);
  }
  for (const sink of status.sinks) lines.push("", ...formatSink(sink));
  return lines.join("\n");
}

function formatClock(
  { quality, known_by, corrected_s }: ClockStatus,
): string {
  const by = known_by === null ? "" : ` by ${known_by}`;
  const corrected = corrected_s === 0
    ? ""
    : `, packets of before corrected by ${age(Math.abs(corrected_s))}`;
  return `${quality}${by}${corrected}`;
}

function formatLines(
  { lines, packets, rejects, other, truncated, clock, configured }:
    Status["boards"][number],
): string {
  const cut = truncated > 0 ? `; ${truncated} were too long and cut` : "";
  const did = Object.entries(clock).filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  const board = did.length > 0 ? `; the board's clock: ${did.join(", ")}` : "";
  const gone = configured ? "" : "; it is not in the configuration any more";
  return `${lines} = ${counted(packets, "packet")} + ${
    counted(rejects, "reject")
  } + ${other} other${cut}${board}${gone}`;
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
    ...(sink.link === null ? [] : formatLink(sink.link)),
    ...rows.map(([name, count, note]) =>
      `  ${name.padEnd(9)} ${String(count).padStart(width)}  ${note}`.trimEnd()
    ),
  ];
}

function formatLink(link: LinkState): string[] {
  const lines = [`  The link ${describeLink(link)}`];
  const { kind, last_error } = link;
  if (kind === "connected" && last_error !== null) {
    lines.push(
      `  Last failure ${age(last_error.age_s)} ago: ${last_error.message}`,
    );
  }
  return lines;
}
