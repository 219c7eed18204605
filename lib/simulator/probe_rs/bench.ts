/**
 * What a bench without a board remembers from one call of the stand-in to the next: when its story
 * began, who holds which probe, what is in each board's flash, how often it was programmed, and every
 * start.
 *
 * Always true:
 *
 * - Only who holds a probe's lock writes its board's record. The lock goes with its holder, also by
 *   `kill -9`.
 * - A reader of RTT stands in the record as its holder until it has ended in order. A holder whose lock is
 *   free was killed; if it had set the channel to blocking mode, the firmware is frozen since then.
 * - A record is what one write left, whole; the log of starts and the copy of the output only grow.
 *
 * @module
 */

import { type BenchLock, type BenchStore, FolderStore } from "./bench_store.ts";
import {
  afterKill,
  type BoardRecord,
  fileOf,
  firmwareAt,
  readRecord,
} from "./board_record.ts";
import type { Scenario, ScenarioProbe } from "./scenario.ts";

/** A call of the stand-in. */
export interface Start {
  readonly pid: number;
  readonly at_s: number;
  /** All its arguments, the command first. */
  readonly args: readonly string[];
  /** How it ended; undefined while it runs, and for ever if it was killed. */
  readonly end?: StartEnd;
}

/** How a call ended. */
export interface StartEnd {
  readonly at_s: number;
  readonly code: number;
  /** Why, in a few words: `probe missing`, `asked to stop`. */
  readonly why: string;
}

/** What a test may know of a board. */
export interface BoardState
  extends Pick<BoardRecord, "flash_cycles" | "resets" | "freezes"> {
  readonly probe: string;
  /** Its firmware stands still until a reset. */
  readonly frozen: boolean;
  /** The SHA-256 of the ELF file in its flash, in hex; undefined: blank. */
  readonly firmware: string | undefined;
  /** Somebody holds the probe. */
  readonly held: boolean;
  /** The process that reads RTT, and hears signals from here on; undefined: none. */
  readonly reader: number | undefined;
}

/** What a test may know of a bench. */
export interface BenchState {
  /** When its story began, in milliseconds of the wall clock; undefined: nobody has called yet. */
  readonly began_ms: number | undefined;
  readonly boards: readonly BoardState[];
  /** Every call, the first one first. */
  readonly starts: readonly Start[];
}

const BEGAN = "began";
const STARTS = "starts.jsonl";
const SCENARIO = "scenario.json";
/** Who only looks at a lock has it for a moment, and must not make another one busy. */
const LOCK_TRIES = 3;
const LOCK_PAUSE_MS = 30;

/** Options for {@linkcode Bench.open}. */
export interface BenchOptions {
  readonly store: BenchStore;
  readonly scenario: Scenario;
  /** Milliseconds of the wall clock. */
  now(): number;
}

/** A bench whose story has begun. */
export class Bench {
  readonly scenario: Scenario;
  readonly #store: BenchStore;
  readonly #now: () => number;
  readonly #beganMs: number;

  private constructor({ store, scenario, now }: BenchOptions, beganMs: number) {
    this.#store = store;
    this.scenario = scenario;
    this.#now = now;
    this.#beganMs = beganMs;
  }

  /** Begins the story, or goes on with it. */
  static async open(options: BenchOptions): Promise<Bench> {
    const { store, now } = options;
    return new Bench(options, Number(await store.claim(BEGAN, `${now()}`)));
  }

  /** Seconds of the scenario. */
  get atS(): number {
    return this.#secondsAt(this.#now());
  }

  /** How long to wait until `atS`, in whole milliseconds of the clock, so that it has come then. */
  msUntil(atS: number): number {
    return Math.ceil(
      Math.max(0, (atS - this.atS) / this.scenario.speed * 1000),
    );
  }

  /** Notes a call; gives what notes its end. */
  async start(
    args: readonly string[],
  ): Promise<(end: Omit<StartEnd, "at_s">) => Promise<void>> {
    const id = crypto.randomUUID();
    const note = (line: object) =>
      this.#store.append(STARTS, `${JSON.stringify({ id, ...line })}\n`);
    await note({ pid: Deno.pid, at_s: this.atS, args });
    return (end) => note({ end: { at_s: this.atS, ...end } });
  }

  /** Takes a probe, or gives undefined if somebody has it. */
  async hold(
    probe: ScenarioProbe,
    wait: (ms: number) => Promise<void>,
  ): Promise<HeldBoard | undefined> {
    const name = fileOf(probe.id);
    for (let attempt = 1;; attempt++) {
      const lock = await this.#store.lock(`${name}.lock`);
      if (lock !== undefined) {
        return await HeldBoard.take(this.#store, name, lock, {
          secondsAt: this.#secondsAt.bind(this),
          now: this.#now,
        });
      }
      if (attempt === LOCK_TRIES) return undefined;
      await wait(LOCK_PAUSE_MS);
    }
  }

  /** Keeps a copy of what is about to be printed of a probe's board, if the scenario wants one. */
  async prints(probe: ScenarioProbe, text: string): Promise<void> {
    if (!this.scenario.record) return;
    const piece: PrintedPiece = { pid: Deno.pid, at_s: this.atS, text };
    await this.#store.append(
      `${fileOf(probe.id)}.printed`,
      `${JSON.stringify(piece)}\n`,
    );
  }

  #secondsAt(ms: number): number {
    return (ms - this.#beganMs) / 1000 * this.scenario.speed;
  }
}

interface BenchClock {
  secondsAt(ms: number): number;
  now(): number;
}

/** A board whose probe we hold. */
export class HeldBoard implements AsyncDisposable {
  readonly #store: BenchStore;
  readonly #name: string;
  readonly #lock: BenchLock;
  readonly #clock: BenchClock;
  #record: BoardRecord;

  private constructor(
    store: BenchStore,
    name: string,
    lock: BenchLock,
    clock: BenchClock,
    record: BoardRecord,
  ) {
    this.#store = store;
    this.#name = name;
    this.#lock = lock;
    this.#clock = clock;
    this.#record = record;
  }

  /** Reads the record, and notes what became of a holder that was killed. */
  static async take(
    store: BenchStore,
    name: string,
    lock: BenchLock,
    clock: BenchClock,
  ): Promise<HeldBoard> {
    const record = await readRecord(store, name);
    const board = new HeldBoard(store, name, lock, clock, record);
    if (record.holder !== null) {
      await board.note(
        afterKill(record, clock.secondsAt(await lock.livedAtMs())),
      );
    }
    return board;
  }

  get record(): BoardRecord {
    return this.#record;
  }

  /** Changes the record, on disk first. */
  async note(change: Partial<BoardRecord>): Promise<void> {
    const record = { ...this.#record, ...change };
    await this.#store.write(`${this.#name}.json`, JSON.stringify(record));
    this.#record = record;
  }

  /** Shows that we live: should we be killed, the firmware is frozen from here on. */
  async live(): Promise<void> {
    await this.#lock.live(this.#clock.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock[Symbol.asyncDispose]();
  }
}

/** Reads what there is to know of the bench in `folder`, while others work there. */
export async function readBench(folder: string): Promise<BenchState> {
  const store = new FolderStore(folder);
  const scenario = (await readScenario(store))?.scenario;
  const began_ms = await readBegan(store);
  const starts = await readStarts(store);
  if (scenario === undefined || began_ms === undefined) {
    return { began_ms, boards: [], starts };
  }
  const secondsAt = (ms: number) => (ms - began_ms) / 1000 * scenario.speed;
  const boards = await Promise.all(scenario.probe.map(async ({ id }) => {
    const name = fileOf(id);
    await using lock = await store.lock(`${name}.lock`);
    let record = await readRecord(store, name);
    if (lock !== undefined && record.holder !== null) {
      const at_s = secondsAt(await lock.livedAtMs());
      record = { ...record, ...afterKill(record, at_s) };
    }
    const { flash_cycles, resets, freezes } = record;
    const { frozen, firmware } = firmwareAt(
      scenario,
      id,
      record,
      secondsAt(Date.now()),
    );
    const held = lock === undefined;
    return {
      ...{ probe: id, flash_cycles, resets, freezes, frozen, firmware, held },
      reader: held ? record.holder?.pid : undefined,
    };
  }));
  return { began_ms, boards, starts };
}

/** What a call printed at once. */
export interface PrintedPiece {
  /** The call's process. */
  readonly pid: number;
  readonly at_s: number;
  readonly text: string;
}

/**
 * All that was printed of a probe's board on the bench in `folder`, if the scenario keeps it. Of a call that
 * was killed the last piece may not have got out whole.
 */
export async function readPrinted(
  folder: string,
  probe: string,
): Promise<PrintedPiece[]> {
  const store = new FolderStore(folder);
  return wholeLines(await store.read(`${fileOf(probe)}.printed`))
    .map((line) => JSON.parse(line) as PrintedPiece);
}

/** A scenario that was read and checked before. */
export interface KeptScenario {
  /** The file as it was. */
  readonly text: string;
  readonly scenario: Scenario;
}

/** The scenario of the last call, so that not every call reads TOML. */
export async function readScenario(
  store: BenchStore,
): Promise<KeptScenario | undefined> {
  const text = await store.read(SCENARIO);
  return text === undefined ? undefined : JSON.parse(text) as KeptScenario;
}

/** Keeps a scenario for the calls to come. */
export async function keepScenario(
  store: BenchStore,
  kept: KeptScenario,
): Promise<void> {
  await store.write(SCENARIO, JSON.stringify(kept));
}

/** When the story of a bench began, in milliseconds of the wall clock; undefined: nobody has called yet. */
export async function readBegan(
  store: BenchStore,
): Promise<number | undefined> {
  const began = await store.read(BEGAN);
  return began === undefined ? undefined : Number(began);
}

/** Every call, the first one first. */
export async function readStarts(store: BenchStore): Promise<Start[]> {
  const starts = new Map<string, Start>();
  for (const line of wholeLines(await store.read(STARTS))) {
    const { id, ...more } = JSON.parse(line) as Start & { id: string };
    starts.set(id, { ...starts.get(id), ...more });
  }
  return [...starts.values()];
}

/** The lines of a log; one that is not whole yet is left out. */
function wholeLines(log = ""): string[] {
  return log.split("\n").slice(0, -1);
}
