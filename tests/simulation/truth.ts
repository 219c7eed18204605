/**
 * What really happened, and what must never happen: knows every packet, sees every write and every
 * answer, and holds the core to its promises after each of them.
 *
 * Every reading's value is the number of its packet, so whatever comes out anywhere is known at once.
 *
 * @module
 */

import type { Commit, SinkState, StoredRow } from "../../lib/journal/disk.ts";
import {
  Ledger,
  type LedgerState,
  type Stretch,
} from "../../lib/journal/ledger.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import { STAMP_US } from "../../lib/model.ts";
import type { MemoryFile } from "./memory_store.ts";
import type { Point } from "./simulated_database.ts";
import {
  keyOf,
  type Place,
  placeOfSeries,
  placeOfTopic,
  readMessage,
  RETAINED_PATHS,
  type SentReading,
} from "./place.ts";
import { Rewinds } from "./rewinds.ts";
import type { Published } from "./simulated_broker.ts";
import type { SinkSetup } from "./sink_setup.ts";
import { Topics } from "./topics.ts";

/** A packet that a board sent. */
export interface SentPacket {
  readonly number: number;
  readonly board: string;
  /** By the wall clock, in milliseconds since 1970. */
  readonly wallMs: number;
}

/** What is checked against. */
export interface TruthOptions {
  /** A promise is broken. */
  fail(what: string): void;
  file(): MemoryFile;
  /** Whether a power cut now would leave this row. */
  isSafe(seq: number): boolean;
  /** Whether messages go out in order and none is lost on the way: not at QoS 0. */
  readonly ordered: boolean;
  /** Whether the journal may give up rows that are not delivered. */
  readonly mayEvict: boolean;
  /** Whether the wall clock is taken for right as it is. */
  readonly trusted: boolean;
  /** Whether the wall clock never steps. */
  readonly steady: boolean;
  /** Whether a message may go out again, because something went wrong with it or was forgotten. */
  readonly mayRepeat: boolean;
  /** Whether a sink may get another target. */
  readonly mayMove: boolean;
  /** Readings of paths that go nowhere. */
  isUnknown(path: string): boolean;
}

/**
 * How far a time may be from the wall clock when the packet came, in microseconds: a second until an
 * epoch ends, two that a clock which was set back is held, and the stamps of one burst.
 */
const TIME_TOLERANCE_US = 3_100_000;

/** A reading that a target does not get, and its row. */
type LeftOut = SentReading & { readonly seq: number };

/** See the module's text. */
export class Truth {
  readonly rewinds: Rewinds;
  readonly #options: TruthOptions;
  readonly #packets: SentPacket[] = [];
  readonly #topics: Topics;
  /** The packet in each row of the file, and the other way round. */
  readonly #inRow = new Map<number, number>();
  readonly #rowOf = new Map<number, { seq: number; paths: string[] }>();
  /** Readings that a target has acknowledged, or refused at least once. */
  readonly #acknowledged = new Map<string, Set<string>>();
  readonly #refused = new Map<string, Set<string>>();
  readonly #cuts = new Map<string, number>();
  /** Readings that a target has not had, and a newer one of which it is to have. */
  readonly #superseded = new Map<string, Map<string, LeftOut>>();
  /** By sink: what had been delivered ahead of the past to the target before. */
  readonly #inherited = new Map<number, readonly Stretch[]>();
  #sinks: Pick<SinkSetup, "prefix" | "replay"> = { prefix: "", replay: "all" };
  readonly #timeOf = new Map<number, number>();
  readonly #packetAt = new Map<string, number>();
  readonly #cursors = new Map<number, number>();
  /** Ledgers as they were last seen, by run of the gateway. */
  #seen = new Map<string, number[]>();

  constructor(options: TruthOptions) {
    this.#options = options;
    this.rewinds = new Rewinds(options);
    this.#topics = new Topics({
      ...options,
      mayBeLate: (target, number) => this.rewinds.mayBeLate(target, number),
    });
  }

  /** How many packets were sent. */
  get sent(): number {
    return this.#packets.length;
  }

  /** A board sends a packet: its number. */
  send(board: string, wallMs: number): number {
    const number = this.#packets.length + 1;
    this.#packets.push({ number, board, wallMs });
    return number;
  }

  /** The gateway was killed, or could not write its last commit. */
  crashed(): void {
    this.#topics.crashed();
  }

  /** The gateway was started anew: ledgers go on from what the disk has. */
  restarted(sinks: Pick<SinkSetup, "prefix" | "replay">): void {
    this.rewinds.restarted();
    this.#sinks = sinks;
    this.#topics.restarted(sinks);
    this.#seen = new Map();
    this.#cursors.clear();
    for (const sink of this.#options.file().sinks.values()) {
      this.#cursors.set(sink.id, sink.ledger.cursor.seq);
      this.#undo(sink);
    }
    // Rows that a power cut took are nobody's any more.
    const rows = new Set(this.#options.file().rows.map(({ seq }) => seq));
    const newest = this.#options.file().rows.at(-1)?.seq ?? 0;
    for (const [seq, number] of this.#inRow) {
      if (seq <= newest || rows.has(seq)) continue;
      this.#inRow.delete(seq);
      this.#rowOf.delete(number);
    }
  }

  /** A client has a session with the broker. */
  connected(): void {
    this.#topics.connected();
  }

  /** What a power cut has made undone is not left out yet. */
  #undo({ target, ledger }: SinkState): void {
    const done = new Ledger(ledger);
    const superseded = this.#superseded.get(target);
    const { rows } = this.#options.file();
    const newest = rows.at(-1)?.seq ?? 0;
    for (const [key, { seq }] of superseded ?? []) {
      // A ledger forgets what it has done with rows that are deleted.
      const stands = seq > newest || rows.some((row) => row.seq === seq);
      if (stands && !done.isDone(seq)) superseded?.delete(key);
    }
  }

  /** The disk has `commit`. */
  written(commit: Commit): void {
    const { fail } = this.#options;
    const file = this.#options.file();
    for (const row of commit.rows) this.#row(row, file);
    for (const sink of commit.sinks) {
      if (!sink.active) continue;
      this.#passed(sink, file);
      this.#balance(sink);
      const parked = file.parked.filter((one) => one.sink === sink.id).length;
      if (parked !== sink.ledger.parked) {
        fail(
          `the ledger of ${sink.name} has ${sink.ledger.parked} readings parked, the table ${parked}`,
        );
      }
    }
  }

  #row(row: StoredRow, file: MemoryFile): void {
    const { fail } = this.#options;
    if (!file.epochs.has(row.epoch)) {
      fail(`row ${row.seq} is written without its epoch ${row.epoch}`);
    }
    const index = file.rows.findIndex(({ seq }) => seq === row.seq);
    const before = file.rows[index - 1];
    if (before?.seq === row.seq - 1) {
      if (row.total !== before.total + row.readings) {
        fail(`the running total of row ${row.seq} is ${row.total}`);
      }
    }
    const readings = JSON.parse(row.body) as Record<string, number>;
    const number = Object.values(readings)[0];
    if (number === undefined) return;
    const known = this.#inRow.get(row.seq);
    if (known !== undefined && known !== number) {
      fail(`row ${row.seq} held packet ${known}, and now ${number}`);
    }
    const other = this.#rowOf.get(number);
    if (other !== undefined && other.seq !== row.seq) {
      fail(`packet ${number} is in two rows`);
    }
    this.#inRow.set(row.seq, number);
    this.#rowOf.set(number, { seq: row.seq, paths: Object.keys(readings) });
  }

  /** A cursor on the disk has passed only what it may. */
  #passed({ id, name, target, ledger }: SinkState, file: MemoryFile): void {
    const { fail } = this.#options;
    this.#stretches(name, ledger);
    const before = this.#cursors.get(id);
    const { seq } = ledger.cursor;
    this.#cursors.set(id, seq);
    if (before === undefined) {
      this.#inherited.set(id, ledger.deliveredAhead);
      return;
    }
    if (seq < before && this.rewinds.count(target) === 0) {
      fail(`the cursor of ${name} went back from ${before} to ${seq}`);
    }
    for (const row of file.rows) {
      if (row.seq <= before) continue;
      const ahead = ledger.deliveredAhead
        .some(({ from, to }) => row.seq > from.seq && row.seq <= to.seq);
      if (row.seq > seq && !ahead) continue;
      const inherited = this.#inherited.get(id)
        ?.some(({ from, to }) => row.seq > from.seq && row.seq <= to.seq);
      if (inherited) continue;
      const board = file.boards.get(row.board)?.name ?? "";
      for (const [path, number] of Object.entries(JSON.parse(row.body))) {
        this.#ended({ name, target }, row.seq, {
          number: number as number,
          place: { board, path },
        });
      }
    }
  }

  /** A reading is done: its server has it, or has refused it, or is to have a newer one. */
  #ended(
    { name, target }: Pick<SinkState, "name" | "target">,
    seq: number,
    reading: SentReading,
  ): void {
    const { fail, isUnknown } = this.#options;
    const { number, place } = reading;
    if (isUnknown(place.path)) return;
    const key = keyOf(number, place);
    if (
      this.#acknowledged.get(target)?.has(key) ||
      this.#refused.get(target)?.has(key)
    ) return;
    const mayBeLeftOut = name === "mqtt" && this.#sinks.replay === "latest" &&
      this.#newest(place) > number;
    if (!mayBeLeftOut) {
      fail(
        `the ledger of ${name} has done with row ${seq}, and ${key} is not acknowledged`,
      );
    }
    let superseded = this.#superseded.get(target);
    if (superseded === undefined) {
      this.#superseded.set(target, superseded = new Map());
    }
    superseded.set(key, { ...reading, seq });
  }

  /** What is done beyond the cursor is in order, apart, and not at the cursor. */
  #stretches(name: string, { cursor, deliveredAhead }: LedgerState): void {
    let end = cursor;
    for (const { from, to } of deliveredAhead) {
      if (from.seq <= end.seq || to.seq <= from.seq || from.total < end.total) {
        this.#options.fail(
          `${name} has done ${
            JSON.stringify(deliveredAhead)
          } beyond ${cursor.seq}`,
        );
      }
      end = to;
    }
  }

  #balance({ name, ledger, seenTotal }: SinkState): void {
    const { received, requeued, delivered, dropped, parked, ahead, cursor } =
      ledger;
    const early = ledger.deliveredAhead
      .reduce((sum, { from, to }) => sum + to.total - from.total, 0);
    const waiting = seenTotal - cursor.total - ahead - early + parked;
    const ended = Object.values(dropped).reduce((sum, one) => sum + one, 0);
    if (received + requeued !== delivered + waiting + ended) {
      this.#options.fail(
        `the ledger of ${name} on the disk does not balance: ${
          JSON.stringify({ ...ledger, waiting })
        }`,
      );
    }
  }

  /** After each step: the ledgers in memory balance, and what they count only grows. */
  standings(journal: Journal): void {
    const { fail, mayEvict } = this.#options;
    for (const one of journal.standings()) {
      const { name, target, ledger, waiting, imbalance } = one;
      const { received, requeued, delivered, dropped, parked, ahead } = ledger;
      if (imbalance !== 0) fail(`the ledger of ${name} is off by ${imbalance}`);
      if (waiting < 0 || parked < 0 || ahead < 0) {
        fail(`the ledger of ${name} counts below zero: ${JSON.stringify(one)}`);
      }
      if (dropped.corrupt !== undefined) {
        fail(`${name} misses ${dropped.corrupt} readings that nobody gave up`);
      }
      if (dropped.evicted !== undefined && !mayEvict) {
        fail(`${dropped.evicted} readings were given up for want of nothing`);
      }
      const counts = [
        received,
        requeued,
        delivered,
        ledger.cursor.seq + this.rewinds.count(target) * 1e9,
        ...Object.values(dropped),
      ];
      const before = this.#seen.get(name);
      if (before?.some((count, index) => (counts[index] ?? 0) < count)) {
        fail(
          `a count of ${name} went back: ${before.join(" ")} to ${
            counts.join(" ")
          }`,
        );
      }
      this.#seen.set(name, counts);
    }
  }

  /** The broker has a message. */
  published(message: Published): void {
    const { number, timeUs } = readMessage(message);
    this.#isSafe(number, `was published to ${message.topic}`);
    this.#topics.published(message);
    if (timeUs !== undefined) this.#time(number, timeUs);
  }

  /** The broker does not take a message. */
  notPublished(message: Published): void {
    this.#topics.notPublished(message);
  }

  /** The link was cut while a message was under way: one that this happens to three times may be taken for the cause. */
  cutAt(message: Published): void {
    const { target, place, number } = readMessage(message);
    const key = keyOf(number, place);
    const cuts = (this.#cuts.get(`${target} ${key}`) ?? 0) + 1;
    this.#cuts.set(`${target} ${key}`, cuts);
    if (cuts >= 3) this.#answered(this.#refused, target, key);
  }

  /** The broker has forgotten what it retained. */
  forgotten(): void {
    this.#topics.forgotten();
  }

  /** The sink was told what became of a message. */
  messageAnswered(message: Published, code: number): void {
    const { target, place, number } = readMessage(message);
    const to = code === 0 ? this.#acknowledged : this.#refused;
    this.#answered(to, target, keyOf(number, place));
  }

  /** The database has a point. */
  stored({ series, bucket, value, timeUs }: Point): void {
    this.#isSafe(value, `was written to ${series}`);
    this.#time(value, timeUs);
    void bucket;
  }

  /** The sink was told what became of points. */
  pointsAnswered(
    points: readonly Point[],
    outcome: "stored" | "refused",
  ): void {
    const to = outcome === "stored" ? this.#acknowledged : this.#refused;
    for (const point of points) {
      this.#answered(
        to,
        `db:8086/org/${point.bucket}`,
        keyOf(point.value, placeOfSeries(point.series)),
      );
    }
  }

  #answered(to: Map<string, Set<string>>, target: string, key: string): void {
    add(to, target, key);
    this.rewinds.answered(target, key);
  }

  #isSafe(number: number, what: string): void {
    const seq = this.#rowOf.get(number)?.seq;
    if (seq === undefined || !this.#options.isSafe(seq)) {
      this.#options.fail(`packet ${number} ${what} before the disk had it`);
    }
  }

  /** A packet's time is right, always the same, and its board's only one of it. */
  #time(number: number, timeUs: number): void {
    const { fail } = this.#options;
    const packet = this.#packets[number - 1];
    if (packet === undefined) return fail(`packet ${number} was never sent`);
    const known = this.#timeOf.get(number);
    if (known === timeUs) return;
    if (known !== undefined) {
      return fail(`packet ${number} had the time ${known}, and now ${timeUs}`);
    }
    this.#timeOf.set(number, timeUs);
    const offUs = timeUs - packet.wallMs * 1000;
    const isRight = Math.abs(offUs) <= TIME_TOLERANCE_US;
    if (this.#options.trusted && !isRight && !this.#isCrowded) {
      fail(`the time of packet ${number} is off by ${offUs / 1e6} s`);
    }
    const at = `${packet.board} ${timeUs}`;
    const other = this.#packetAt.get(at);
    if (other !== undefined) {
      fail(`packets ${other} and ${number} have the same time ${timeUs}`);
    }
    this.#packetAt.set(at, number);
  }

  /** With more epochs than remainders of a stamp one may have to be moved behind others. */
  get #isCrowded(): boolean {
    return this.#options.file().epochs.size > STAMP_US;
  }

  /** Everything is delivered, and the gateway has stopped. */
  atTheEnd(
    options: { retained: ReadonlyMap<string, string>; retains: boolean },
  ): void {
    const { fail, mayRepeat } = this.#options;
    const file = this.#options.file();
    for (const sink of file.sinks.values()) {
      const { name, target, active, ledger } = sink;
      this.#leftOut(sink);
      if (!active) continue;
      const acknowledged = this.#acknowledged.get(target)?.size ?? 0;
      this.#sentAgain(sink);
      const delivered = ledger.delivered - ledger.requeued;
      // One that was acknowledged, and whose row comes again for another, may be left out then.
      const atMost = delivered +
        (this.#topics.leavesOut ? ledger.dropped.superseded ?? 0 : 0);
      if (
        delivered > acknowledged || (!mayRepeat && acknowledged > atMost)
      ) {
        fail(
          `${name} books ${delivered} readings as delivered, ${acknowledged} were acknowledged`,
        );
      }
    }
    for (const name of ["mqtt", "influxdb"]) this.#rejects(name, file);
    if (options.retains) this.#retainedIsNewest(options.retained);
  }

  /** What a rewind has promised has come, unless it was given up. */
  #sentAgain({ name, target }: SinkState): void {
    const { fail, file, mayEvict } = this.#options;
    for (const { seq, number, place } of this.rewinds.owed(target)) {
      if (mayEvict && !file().rows.some((row) => row.seq === seq)) continue;
      if (
        name === "mqtt" && this.#topics.leavesOut &&
        this.#newest(place) > number
      ) {
        continue;
      }
      fail(`${name} has not had ${keyOf(number, place)} again after a rewind`);
    }
  }

  /** What a target has not had is counted, and it has had something newer. */
  #leftOut({ name, target, ledger }: SinkState): void {
    const { fail, mayEvict } = this.#options;
    const acknowledged = this.#acknowledged.get(target);
    const refused = this.#refused.get(target);
    const isEnded = (key: string) =>
      acknowledged?.has(key) || refused?.has(key);
    const missing = [...this.#superseded.get(target) ?? []]
      .filter(([key]) => !isEnded(key)).map(([, reading]) => reading);
    const { superseded = 0, evicted = 0 } = ledger.dropped;
    // What a crash made undone may have been given up instead.
    if (superseded + evicted < missing.length) {
      fail(
        `${name} books ${superseded} readings as superseded, and ${missing.length} are missing`,
      );
    }
    if (mayEvict) return;
    for (const { number, place } of missing) {
      const newer = Array.from(
        { length: this.#packets.length - number },
        (_, i) => keyOf(number + 1 + i, place),
      );
      if (!newer.some(isEnded)) {
        fail(
          `${name} has left out ${keyOf(number, place)}, and has nothing newer`,
        );
      }
    }
  }

  #rejects(name: string, file: MemoryFile): void {
    const kept = file.rejects.filter(({ origin }) => origin === name).length;
    let booked = 0;
    let isAgain = false;
    for (const sink of file.sinks.values()) {
      if (sink.name !== name) continue;
      booked += sink.ledger.dropped.rejected ?? 0;
      isAgain ||= this.rewinds.count(sink.target) > 0;
    }
    // Two targets may refuse the same, and one the same again; a commit that is tried again adds nothing that is there.
    const isRight = this.#options.mayMove || isAgain
      ? kept <= booked && (kept > 0) === (booked > 0)
      : kept === booked;
    if (!isRight) {
      this.#options.fail(
        `${name} books ${booked} rejected readings, and ${kept} are kept`,
      );
    }
  }

  #retainedIsNewest(retained: ReadonlyMap<string, string>): void {
    // A value that was delivered, and whose row was given up for its other readings or after a crash,
    // is told again by the next session only.
    if (this.#options.mayEvict) return;
    for (const topic of this.#topics.names) {
      const { target, place, past } = placeOfTopic(topic);
      if (past || !RETAINED_PATHS.includes(place.path)) continue;
      if (!topic.startsWith(`${this.#sinks.prefix}/`)) continue;
      const newest = this.#newest(place);
      const key = keyOf(newest, place);
      // What was refused is not to be retained, be it when it was told again to a broker that forgot it.
      if (!this.#acknowledged.get(target)?.has(key)) continue;
      if (this.#topics.wasTurnedAway(target, key)) continue;
      const value = retained.get(topic);
      if (Number(value) !== newest) {
        this.#options.fail(
          `${topic}: ${value} is retained, and the newest is ${newest}`,
        );
      }
    }
  }

  /** The newest packet that ever had a row with a reading there. */
  #newest({ board, path }: Place): number {
    let newest = 0;
    for (const [number, { paths }] of this.#rowOf) {
      if (this.#packets[number - 1]?.board !== board) continue;
      if (paths.includes(path)) newest = Math.max(newest, number);
    }
    return newest;
  }
}

function add(to: Map<string, Set<string>>, target: string, key: string): void {
  let keys = to.get(target);
  if (keys === undefined) to.set(target, keys = new Set());
  keys.add(key);
}
