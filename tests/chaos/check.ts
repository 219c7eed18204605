/**
 * Holds what arrived against what was sent, value by value.
 *
 * - Every reading of every row that the journal has ever held is in the broker (for the durable
 *   subscriber) and in the database.
 * - What the board printed and the journal never held was in memory when the process was killed: the
 *   last packets of a session that ended so, and no others; or it had gone to both servers from a
 *   memory that was joined to the disk's journal at the end, which keeps of it what still waited.
 * - Nothing is there that was not sent; no point has two times; times are those of the journal.
 * - On each topic the first deliveries are in order, what is retained never goes back, and at the end
 *   it is the newest.
 * - The ledgers balance, and agree with what was counted here.
 *
 * @module
 */

import { BUILT_IN_METRICS, type Metric } from "../../lib/catalogue.ts";
import type { Evidence } from "./evidence.ts";
import { indexOf, PATHS, valueOf } from "./packet.ts";

/** What the check found. */
export interface Verdict {
  /** Name and value, for people. */
  readonly table: readonly (readonly [name: string, value: string])[];
  /** What must not be so; empty when all is well. */
  readonly faults: readonly string[];
}

/** What the gateway had read but not journalled is no older than this when it is killed, in ms. */
const LOST_AT_MOST_MS = 5000;
/** Packets named in one complaint. */
const NAMED = 8;

/** How often a packet's readings arrived. */
interface Arrivals {
  /** Distinct readings. */
  readonly distinct: number;
  /** Beyond the first of each. */
  readonly repeats: number;
  /** Readings of the journal that never came. */
  readonly missing: number;
}

/** Holds everything in `evidence` against everything else. */
export function check(evidence: Evidence): Verdict {
  const faults = [...evidence.faults];
  const journalled = checkRows(evidence, faults);
  const unread = checkPrinted(evidence, journalled, faults);
  const inMemory = findInMemory(evidence, journalled);
  const broker = checkHeard(evidence, journalled, inMemory, faults);
  checkRetained(evidence, journalled, inMemory, faults);
  const database = checkPoints(evidence, journalled, inMemory, faults);
  const readings = journalled.size * PATHS.length;
  for (const name of ["mqtt", "influxdb"]) {
    const more = inMemory.size * PATHS.length;
    checkLedger(evidence, name, { least: readings, more }, faults);
  }
  const [board] = evidence.status.boards;
  const killed = evidence.sessions.filter(({ how }) => how === "killed");
  return {
    table: [
      ["Sessions", `${evidence.sessions.length}, killed ${killed.length}`],
      ["Printed by the board", `${evidence.printed.length} packets`],
      ["Lost with a killed process", `${unread} packets`],
      ["Journalled", `${journalled.size} packets, ${readings} readings`],
      ["In the broker", sayArrivals(broker, "repeats")],
      ["In the database", sayArrivals(database, "doubles")],
      [
        "Lines",
        board === undefined
          ? "none"
          : `${board.lines} = ${board.packets} packets + ${board.rejects} rejects + ${board.other} other; cut ${board.truncated}`,
      ],
      ...evidence.status.sinks.map((
        { name, received, requeued, delivered, waiting, dropped },
      ) =>
        [
          `Ledger of ${name}`,
          `${received} received + ${requeued} requeued = ${delivered} delivered + ${waiting} waiting + ${
            sayDropped(dropped)
          }`,
        ] as const
      ),
    ],
    faults,
  };
}

function sayArrivals(
  { distinct, repeats, missing }: Arrivals,
  word: string,
): string {
  return `${distinct} readings, ${word} ${repeats}, missing ${missing}`;
}

function sayDropped(dropped: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(dropped).map(([reason, count]) =>
    `${reason} ${count}`
  );
  return `dropped (${reasons.join(", ") || "none"})`;
}

/** Packets that the journal held, with their times in milliseconds. */
function checkRows(
  { rows, sessions, printed }: Evidence,
  faults: string[],
): Map<number, number> {
  const journalled = new Map<number, number>();
  const seen = new Set(printed.map(({ index }) => index));
  let before = -1;
  for (const { seq, index, timeUs } of rows) {
    if (index === undefined || !seen.has(index)) {
      faults.push(`Row ${seq} of the journal holds what was never printed`);
      continue;
    }
    if (index <= before) {
      faults.push(
        `Row ${seq} of the journal holds packet ${index} after packet ${before}`,
      );
    }
    before = Math.max(before, index);
    journalled.set(index, Math.floor(timeUs / 1000));
  }
  if (sessions.length > 0 && journalled.size === 0) {
    faults.push("The journal never held a packet: this run showed nothing");
  }
  return journalled;
}

/** Looks at packets that were printed and never journalled, and counts them. */
function checkPrinted(
  evidence: Evidence,
  journalled: ReadonlyMap<number, number>,
  faults: string[],
): number {
  const { printed, rows, sessions } = evidence;
  const arrived = findArrived(evidence);
  /** The newest packet of each session. */
  const newest = new Map<number, number>();
  for (const { index = -1, session } of rows) {
    newest.set(session, Math.max(newest.get(session) ?? -1, index));
  }
  const lost = printed.filter(({ index, printed }) =>
    printed && !journalled.has(index)
  );
  const unexplained = lost.filter(({ index, atMs }) => {
    // The session that it was printed in, and that should have read it.
    const session = sessions.find(({ endedAtMs }) => atMs <= endedAtMs);
    if (session?.joined && arrived(index)) return false;
    if (
      session === undefined || session.how === "stopped" && !session.excused
    ) {
      return true;
    }
    const recent = session.excused ||
      session.endedAtMs - atMs <= LOST_AT_MOST_MS;
    return !recent || index < (newest.get(session.number) ?? -1);
  });
  complain(
    faults,
    unexplained.map(({ index }) => index),
    (packets) => `Printed, and never journalled without a reason: ${packets}`,
  );
  return lost.length;
}

/** Which packets are in both servers with all their readings. */
function findArrived(
  { heard, points, prefix }: Evidence,
): (index: number) => boolean {
  const byTopic = METRICS.map(({ path, ...metric }) => ({
    path,
    values: new Set(
      heard.get(topicOf(prefix, { path, ...metric }))?.map(({ value }) =>
        value
      ),
    ),
  }));
  const bySeries = METRICS.map((metric) => ({
    path: metric.path,
    values: new Set(
      points.filter((point) => isOf(metric, point)).map(({ value }) => value),
    ),
  }));
  return (index) =>
    [...byTopic, ...bySeries].every(({ path, values }) =>
      values.has(valueOf(path, index))
    );
}

function isOf(
  { measurement, node, unit }: Metric,
  { name, tags }: Evidence["points"][number],
): boolean {
  return name === `${measurement}_value` && tags["node"] === node &&
    (tags["unit"] ?? null) === unit;
}

/** Packets that no disk took: they may have arrived before the memory that held them went. */
function findInMemory(
  { printed, sessions }: Evidence,
  journalled: ReadonlyMap<number, number>,
): Set<number> {
  const packets = printed.filter(({ index, atMs }) =>
    !journalled.has(index) && mayBeInMemory(sessions, atMs)
  );
  return new Set(packets.map(({ index }) => index));
}

/** Whether what was printed then may never have been on a disk. */
function mayBeInMemory(
  sessions: Evidence["sessions"],
  atMs: number,
): boolean {
  const session = sessions.find(({ endedAtMs }) => atMs <= endedAtMs);
  return session !== undefined && (session.excused || session.joined);
}

function checkHeard(
  { heard, prefix, printed, sessions }: Evidence,
  journalled: ReadonlyMap<number, number>,
  inMemory: ReadonlySet<number>,
  faults: string[],
): Arrivals {
  let [distinct, repeats, missing] = [0, 0, 0];
  // Of a disk that cannot be written the log's end cannot be read: what stands there comes later.
  const early = new Set(
    printed.filter(({ atMs }) => mayBeInMemory(sessions, atMs)).map((
      { index },
    ) => index),
  );
  const topics = new Set(heard.keys());
  for (const metric of METRICS) {
    const topic = topicOf(prefix, metric);
    topics.delete(topic);
    const seen = new Set<number>();
    let newest = -1;
    let newestRetained = -1;
    for (const { value, retain, again } of heard.get(topic) ?? []) {
      const index = indexOf(metric.path, value);
      if (index !== undefined && inMemory.has(index)) continue;
      if (index === undefined || !journalled.has(index)) {
        faults.push(`${topic} got ${value}, which the journal never held`);
        continue;
      }
      if (retain && !metric.retain) {
        faults.push(`${topic} got packet ${index} with retain`);
      }
      if (retain && !again && index < newestRetained) {
        faults.push(
          `${topic} retained packet ${index} after packet ${newestRetained}`,
        );
      }
      if (retain) newestRetained = Math.max(newestRetained, index);
      if (seen.has(index)) {
        repeats++;
        continue;
      }
      seen.add(index);
      if (index < newest) {
        faults.push(`${topic} got packet ${index} first after ${newest}`);
      }
      if (!early.has(index)) newest = Math.max(newest, index);
    }
    distinct += seen.size;
    const absent = [...journalled.keys()].filter((index) => !seen.has(index));
    missing += absent.length;
    complain(faults, absent, (packets) => `${topic} never got ${packets}`);
  }
  for (const topic of topics) faults.push(`Nobody publishes on ${topic}`);
  return { distinct, repeats, missing };
}

function checkRetained(
  { retained, prefix }: Evidence,
  journalled: ReadonlyMap<number, number>,
  inMemory: ReadonlySet<number>,
  faults: string[],
): void {
  const newest = Math.max(...journalled.keys());
  for (const metric of METRICS) {
    const topic = topicOf(prefix, metric);
    const wanted = metric.retain
      ? String(valueOf(metric.path, newest))
      : undefined;
    const found = retained.get(topic);
    // What went out from memory, and stands in no journal, may be newer.
    const index = indexOf(metric.path, Number(found)) ?? -1;
    if (metric.retain && index > newest && inMemory.has(index)) continue;
    if (found !== wanted) {
      faults.push(
        `${topic} retains ${found} (packet ${
          indexOf(metric.path, Number(found))
        }) and not ${wanted} (packet ${newest})`,
      );
    }
  }
}

function checkPoints(
  { points }: Evidence,
  journalled: ReadonlyMap<number, number>,
  inMemory: ReadonlySet<number>,
  faults: string[],
): Arrivals {
  let [distinct, repeats, missing] = [0, 0, 0];
  const series = Map.groupBy(
    points,
    ({ name, tags }) => `${name} ${tags["node"]} ${tags["unit"] ?? ""}`,
  );
  for (const { path, node, measurement, unit } of METRICS) {
    const name = `${measurement}_value ${node} ${unit ?? ""}`;
    const times = new Map<number, number>();
    for (const { value, timeMs } of series.get(name) ?? []) {
      const index = indexOf(path, value);
      const wanted = index === undefined ? undefined : journalled.get(index);
      if (index !== undefined && inMemory.has(index)) continue;
      if (index === undefined || wanted === undefined) {
        faults.push(`${name} holds ${value}, which the journal never held`);
        continue;
      }
      if (timeMs !== wanted) {
        faults.push(
          `${name} holds packet ${index} at ${timeMs}, the journal at ${wanted}`,
        );
      }
      // The same point twice is the same point; the same packet at another time is a second one.
      if (times.has(index) && times.get(index) !== timeMs) repeats++;
      times.set(index, timeMs);
    }
    series.delete(name);
    distinct += times.size;
    const absent = [...journalled.keys()].filter((index) => !times.has(index));
    missing += absent.length;
    complain(faults, absent, (packets) => `${name} does not hold ${packets}`);
  }
  for (const name of series.keys()) faults.push(`Nobody writes ${name}`);
  if (repeats > 0) faults.push(`The database holds ${repeats} doubles`);
  return { distinct, repeats, missing };
}

function checkLedger(
  { status }: Evidence,
  name: string,
  /** Readings of the journal, and those that only memory has held. */
  { least, more }: { readonly least: number; readonly more: number },
  faults: string[],
): void {
  const sink = status.sinks.find((one) => one.name === name);
  if (sink === undefined) {
    faults.push(`The gateway knows no sink "${name}"`);
    return;
  }
  const { received, requeued, delivered, waiting, dropped, balanced } = sink;
  const sum = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  if (!balanced || received + requeued !== delivered + waiting + sum) {
    faults.push(`The ledger of ${name} does not balance`);
  }
  if (waiting !== 0) faults.push(`${waiting} readings still wait for ${name}`);
  // Nothing else may end undelivered here: no fault damages the journal, and no server refuses a value.
  const { overrun = 0, ...others } = dropped;
  for (const [reason, count] of Object.entries(others)) {
    faults.push(`The ledger of ${name} dropped ${count} readings (${reason})`);
  }
  const taken = received - overrun;
  if (taken < least || taken > least + more) {
    faults.push(
      `The ledger of ${name} received ${received} readings (overrun ${overrun}), the journal held ${least}`,
    );
  }
}

const METRICS: readonly Metric[] = BUILT_IN_METRICS.filter(({ path }) =>
  PATHS.includes(path)
);

function topicOf(prefix: string, { node, name }: Metric): string {
  return `${prefix}/${node}/${name}`;
}

function complain(
  faults: string[],
  packets: readonly number[],
  say: (packets: string) => string,
): void {
  if (packets.length === 0) return;
  const more = packets.length > NAMED ? ` … ${packets.at(-1)}` : "";
  faults.push(
    say(
      `${packets.length} packets: ${packets.slice(0, NAMED).join(", ")}${more}`,
    ),
  );
}
