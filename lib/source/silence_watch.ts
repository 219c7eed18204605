/**
 * Whether a board says what it usually says. Pure: it is told what happens and asked what is due.
 *
 * - Only a program that runs can be silent, and only while we were awake to hear it: time in which this
 *   process stood still does not count.
 * - A silence is due once and ends with the next telemetry, however often the program is started anew
 *   meanwhile.
 * - Starts for silence become rarer and rarer, and a program has a minute for its own start at least.
 * - A node that is silent while others speak is told, and nothing is started anew for it.
 *
 * @module
 */

import type { Silence, SilentNode } from "./silence.ts";
import { UsualInterval } from "./usual_interval.ts";

/** What telemetry has ended, and what it lacks. */
export interface Heard {
  /** The silence that is over. */
  readonly over?: { readonly forMs: number; readonly restarts: number };
  /** Nodes that are silent from now on. */
  readonly silent: readonly SilentNode[];
  /** Nodes that speak again, and how long they did not. */
  readonly back: readonly SilentNode[];
}

/** Usual intervals after which it is silence. */
const INTERVALS = 5;
const SHORTEST_MS = 30_000;
/** Before anything is known of a board: programming it and its first packet may take a while. */
const UNKNOWN_MS = 120_000;
/** The same of a node: some speak once in five minutes. */
const UNKNOWN_NODE_MS = 900_000;
/** What a program gets at least before it is started anew. */
const START_MS = 60_000;
/** Starts for silence are no further apart, for boards that usually speak more often. */
const RAREST_MS = 3_600_000;
/** A look that comes so late: this process stood still. */
const AWAY_MS = 5_000;
/** Between two looks, at least. */
const LOOK_MS = 1_000;
/** And at most: what was learned meanwhile may be due sooner, and only a look that is late is noticed. */
const LONGEST_LOOK_MS = 30_000;

interface Node {
  readonly interval: UsualInterval;
  heardMs: number;
  /** Its silence has been told. */
  silent: boolean;
}

/** Watches one board. All times are milliseconds that only grow. */
export class SilenceWatch {
  readonly #fixedMs: number | undefined;
  readonly #interval = new UsualInterval();
  readonly #nodes = new Map<string, Node>();
  /** When the program was started, or this process woke. */
  #startedMs = 0;
  #heardMs: number | undefined;
  /** The lines there were then. */
  #linesBefore = 0;
  #silence:
    | { readonly sinceMs: number; readonly patienceMs: number }
    | undefined;
  #restarts = 0;
  /** The next start is one for silence. */
  #restarting = false;
  #lookMs = 0;
  /** What is due is done at the next look: what came meanwhile is read first. */
  #isDue = false;

  /**
   * @param fixedMs how long no telemetry is silence; learned from the board where it is left out
   * @param nodes those that have spoken before this process
   */
  constructor(fixedMs?: number, nodes: Iterable<string> = []) {
    this.#fixedMs = fixedMs;
    for (const node of nodes) {
      const interval = new UsualInterval();
      this.#nodes.set(node, { interval, heardMs: 0, silent: false });
    }
  }

  /** How often in a row the program was started anew for silence. */
  get restarts(): number {
    return this.#restarts;
  }

  /** How the present silence is; undefined while there is none. `lines` are those of all programs. */
  silence(
    nowMs: number,
    lines: number,
  ): Omit<Silence, "todo" | "sample"> | undefined {
    if (this.#silence === undefined) return undefined;
    return {
      kind: lines > this.#linesBefore ? "no telemetry" : "no output",
      forMs: nowMs - this.#silence.sinceMs,
      restarts: this.#restarts,
      lines: lines - this.#linesBefore,
    };
  }

  /** Nodes that are silent while others speak. */
  silentNodes(nowMs: number): SilentNode[] {
    return [...this.#nodes].filter(([, { silent }]) => silent)
      .map(([node, { heardMs }]) => ({ node, forMs: nowMs - heardMs }));
  }

  /** Its program was started. */
  started(nowMs: number, lines: number): void {
    this.#begin(nowMs, lines);
    // How long a board took to speak to the next program is its own pace, if that was asked for nothing else.
    if (!this.#restarting) this.#interrupt();
    this.#restarting = false;
  }

  /** Forgets the silence that there was, but not the board's pace. */
  forget(): void {
    this.#silence = undefined;
    this.#restarts = 0;
    this.#restarting = false;
  }

  /** Telemetry came, with readings of `nodes`. */
  heard(nowMs: number, lines: number, nodes: ReadonlySet<string>): Heard {
    const over = this.#silence && {
      forMs: nowMs - this.#silence.sinceMs,
      restarts: this.#restarts,
    };
    // Nobody could hear the nodes meanwhile.
    const isLate = nowMs - this.#sinceMs > this.#patienceMs;
    if (over || isLate) this.#excuseNodes(nowMs);
    this.forget();
    this.#interval.note(nowMs);
    this.#heardMs = nowMs;
    this.#linesBefore = lines;
    this.#isDue = false;
    const told = this.#hearNodes(nowMs, nodes);
    return over ? { over, ...told } : told;
  }

  /** How long until the next {@linkcode look}. */
  untilNextLookMs(nowMs: number): number {
    const waitMs = this.#isDue
      ? LOOK_MS
      : Math.min(LONGEST_LOOK_MS, Math.max(LOOK_MS, this.#dueMs - nowMs));
    this.#lookMs = nowMs + waitMs;
    return waitMs;
  }

  /** What has to be done now: tell that the board is silent, start its program anew, or nothing. */
  look(nowMs: number): "alarm" | "restart" | undefined {
    if (nowMs - this.#lookMs > AWAY_MS) {
      this.#interrupt();
      this.#begin(nowMs, this.#linesBefore);
      return undefined;
    }
    const wasDue = this.#isDue;
    this.#isDue = nowMs >= this.#dueMs;
    if (!wasDue || !this.#isDue) return undefined;
    this.#isDue = false;
    if (this.#silence === undefined) {
      this.#silence = { sinceMs: this.#sinceMs, patienceMs: this.#patienceMs };
      return "alarm";
    }
    // Should nothing come of it, that is not due again at once.
    this.#startedMs = nowMs;
    return "restart";
  }

  /** Its program is being started anew because that was due. */
  restarted(): void {
    this.#restarts++;
    this.#restarting = true;
  }

  /** From when on nothing was heard. */
  get #sinceMs(): number {
    return Math.max(this.#startedMs, this.#heardMs ?? 0);
  }

  get #patienceMs(): number {
    if (this.#fixedMs !== undefined) return this.#fixedMs;
    const usual = patienceWith(this.#interval, UNKNOWN_MS);
    const isSpeaking = this.#heardMs !== undefined &&
      this.#heardMs >= this.#startedMs;
    return isSpeaking ? usual : Math.max(usual, UNKNOWN_MS);
  }

  /** When there is something to do, if nothing is heard until then. */
  get #dueMs(): number {
    if (this.#silence === undefined) return this.#sinceMs + this.#patienceMs;
    const { patienceMs } = this.#silence;
    const waitMs = Math.min(
      patienceMs * 2 ** Math.max(1, this.#restarts),
      Math.max(RAREST_MS, 2 * patienceMs),
    );
    return this.#sinceMs + Math.max(START_MS, waitMs);
  }

  #begin(nowMs: number, lines: number): void {
    this.#startedMs = nowMs;
    this.#linesBefore = lines;
    this.#isDue = false;
    this.#excuseNodes(nowMs);
  }

  #interrupt(): void {
    this.#interval.interrupt();
    for (const { interval } of this.#nodes.values()) interval.interrupt();
  }

  #excuseNodes(nowMs: number): void {
    for (const node of this.#nodes.values()) {
      if (!node.silent) node.heardMs = nowMs;
    }
  }

  #hearNodes(
    nowMs: number,
    nodes: ReadonlySet<string>,
  ): Pick<Heard, "silent" | "back"> {
    const silent: SilentNode[] = [];
    const back: SilentNode[] = [];
    for (const name of nodes) {
      const node = this.#nodes.get(name);
      if (node?.silent) back.push({ node: name, forMs: nowMs - node.heardMs });
      const interval = node?.interval ?? new UsualInterval();
      interval.note(nowMs);
      this.#nodes.set(name, { interval, heardMs: nowMs, silent: false });
    }
    for (const [name, node] of this.#nodes) {
      const forMs = nowMs - node.heardMs;
      const patienceMs = patienceWith(node.interval, UNKNOWN_NODE_MS);
      if (node.silent || forMs <= patienceMs) continue;
      node.silent = true;
      silent.push({ node: name, forMs });
    }
    return { silent, back };
  }
}

function patienceWith({ ms }: UsualInterval, unknownMs: number): number {
  return ms === undefined ? unknownMs : Math.max(SHORTEST_MS, INTERVALS * ms);
}
