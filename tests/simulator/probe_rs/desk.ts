/**
 * A bench without a board in one process: the stand-in for probe-rs under a clock that only moves when it
 * waits.
 *
 * @module
 */

import { Bench } from "../../../lib/simulator/probe_rs/bench.ts";
import {
  type BenchStore,
  MemoryStore,
} from "../../../lib/simulator/probe_rs/bench_store.ts";
import type { Outside } from "../../../lib/simulator/probe_rs/outside.ts";
import {
  DEFAULT_SCENARIO,
  type Scenario,
  type ScenarioEvent,
} from "../../../lib/simulator/probe_rs/scenario.ts";
import { standIn } from "../../../lib/simulator/probe_rs/stand_in.ts";

/** What a call did. */
export interface Called {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Each write on stdout. */
  readonly chunks: readonly string[];
  /** How it ended, in the bench's own words. */
  readonly why: string | undefined;
  /** Seconds of the scenario at its end. */
  readonly end_s: number;
}

/** How the world around a call is. */
export interface CallOptions {
  /** A signal comes at this second of the scenario. @default {never} */
  readonly until_s?: number;
  /** @default {"SIGTERM", before 0.30 "SIGINT", which ends that in order} */
  readonly signal?: "SIGINT" | "SIGTERM";
  readonly env?: Readonly<Record<string, string>>;
  readonly typed?: string;
  /** What becomes of the write of this number on stdout: so many milliseconds, or its reader is gone. */
  readonly writes?: ReadonlyMap<number, number | "closed">;
  /** At this second of the scenario the process is killed. */
  readonly killed_s?: number;
}

/** Thrown where a signal ends the process at once. */
export class Killed extends Error {
  override name = "Killed";
}

const STARTED_MS = Date.UTC(2026, 0, 1);
/** Files that can be read: the ELF file of the firmware, and another one. */
const FILES: Readonly<Record<string, string>> = {
  "fw.elf": "\x7fELF one",
  "other.elf": "\x7fELF two",
};
/** Nothing of the tests takes longer, in milliseconds of the clock. */
const LONGEST_MS = 1e9;

/** A desk with a bench; calls follow each other on it. */
export class Desk {
  readonly scenario: Scenario;
  readonly store = new MemoryStore();
  nowMs = STARTED_MS;

  constructor(scenario: Partial<Scenario> = {}) {
    this.scenario = { ...DEFAULT_SCENARIO, ...scenario };
  }

  /** Moves on to a second of the scenario. */
  at(seconds: number): this {
    this.nowMs = STARTED_MS + seconds / this.scenario.speed * 1000;
    return this;
  }

  /** The board's record, of the only probe. */
  async record(): Promise<Record<string, unknown>> {
    const [probe] = this.scenario.probe;
    const name = `probe-${encodeURIComponent(probe?.id ?? "")}.json`;
    return JSON.parse(await this.store.read(name) ?? "{}");
  }

  /** Calls the stand-in with `args`, words with spaces between them. */
  async call(args: string, options: CallOptions = {}): Promise<Called> {
    const { scenario } = this;
    const { until_s = Infinity, typed = "", writes } = options;
    const killedMs = STARTED_MS +
      (options.killed_s ?? Infinity) / scenario.speed * 1000;
    let isDead = false;
    const store: BenchStore = {
      read: (name) => this.store.read(name),
      claim: (name, text) => this.store.claim(name, text),
      // Who is dead writes nothing, though our stack is unwound.
      write: async (name, text) => {
        if (!isDead) await this.store.write(name, text);
      },
      append: async (name, text) => {
        if (!isDead) await this.store.append(name, text);
      },
      lock: (name) => this.store.lock(name),
    };
    const chunks: string[] = [];
    let stderr = "";
    const isOld = Number(scenario.version.split(".")[1]) < 30;
    const { signal: name = isOld ? "SIGINT" : "SIGTERM" } = options;
    const listeners = new Map<string, () => void>();
    const signalMs = STARTED_MS + until_s / scenario.speed * 1000;
    let signalled = false;
    const outside: Outside = {
      stdout: (text) => {
        chunks.push(text);
        const ms = writes?.get(chunks.length) ?? 0;
        if (ms === "closed") {
          return Promise.reject(new Deno.errors.BrokenPipe());
        }
        this.nowMs += ms;
        return Promise.resolve();
      },
      stderr: (text) => Promise.resolve(void (stderr += text)),
      log: (level, text) =>
        Promise.resolve(void (stderr += `${level.padStart(5)} ${text}\n`)),
      readLine: () => Promise.resolve(typed),
      readFile: (path) => {
        const text = FILES[path];
        return text === undefined
          ? Promise.reject(new Deno.errors.NotFound())
          : Promise.resolve(new TextEncoder().encode(text));
      },
      env: (name) => ({ NO_COLOR: "1", ...options.env })[name],
      now: () => this.nowMs,
      wait: (ms, signal) => {
        if (signal?.aborted) return Promise.resolve();
        const untilMs = this.nowMs + ms;
        if (untilMs >= killedMs) {
          // A killed process does nothing more: its lock is free, its notes stay as they are.
          this.nowMs = Math.max(this.nowMs, killedMs);
          isDead = true;
          return Promise.reject(new Killed());
        }
        if (!signalled && untilMs >= signalMs) {
          this.nowMs = Math.max(this.nowMs, signalMs);
          signalled = true;
          const listener = listeners.get(name);
          if (listener === undefined) {
            isDead = true;
            return Promise.reject(new Killed());
          }
          listener();
        }
        if (!signal?.aborted) this.nowMs = untilMs;
        if (untilMs - STARTED_MS > LONGEST_MS) {
          return Promise.reject(new Error("Nothing ends this call"));
        }
        return Promise.resolve();
      },
      onSignal: (name, listener) => {
        listeners.set(name, listener);
        return { [Symbol.dispose]: () => listeners.delete(name) };
      },
    };
    const now = () => this.nowMs;
    await store.claim("began", `${STARTED_MS}`);
    const bench = await Bench.open({ store, scenario, now });
    const code = await standIn({ args: args.split(" "), bench, outside });
    const log = await store.read("starts.jsonl") ?? "";
    const why = JSON.parse(log.trimEnd().split("\n").at(-1) ?? "{}").end?.why;
    const stdout = chunks.join("");
    return { code, stdout, stderr, chunks, why, end_s: bench.atS };
  }
}

/** Events that happen to every probe: `[[5, "unplug"], [8, "plug"]]`. */
export function events(
  ...list: readonly (readonly [number, ScenarioEvent["do"]])[]
): ScenarioEvent[] {
  return list.map(([at_s, word]) => ({ at_s, do: word }));
}

/** A version of probe-rs for each one that is known, newest first. */
export const VERSIONS: readonly string[] = [32, 31, 30, 29, 28, 27, 26, 25, 24]
  .map((minor) => `0.${minor}.0`);

/** N of `0.N.0`. */
export function minorOf(version: string): number {
  return Number(version.split(".")[1]);
}
