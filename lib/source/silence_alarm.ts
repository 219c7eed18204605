/**
 * The alarm that a board is silent: watches while its program runs, says so in the log, and asks for a
 * new start.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import { formatDuration } from "../duration.ts";
import { getBoardLogger } from "./board_log.ts";
import { verbatim } from "./firmware_text.ts";
import type { Explanation } from "./other_lines.ts";
import {
  saySilence,
  saySilentNode,
  sayTelemetry,
  type Silence,
  type SilentNode,
  whatToDo,
} from "./silence.ts";
import { SilenceWatch } from "./silence_watch.ts";
import type { SourcedPacket } from "./telemetry_stream.ts";

/** Options for {@linkcode SilenceAlarm}. */
export interface SilenceAlarmOptions {
  /** How long no telemetry is silence. @default {learned from the board} */
  readonly timeoutMs?: number | undefined;
  readonly catalogue: Catalogue;
  /** Where readings stood that came before this process: their nodes are missed as well. @default {none} */
  readonly knownPaths?: readonly string[] | undefined;
  /** The program's name. */
  readonly program: string;
  /** Lines of all its runs so far. */
  lines(): number;
  /** Why lines that came last are no telemetry; undefined where there are none. */
  explain(): Explanation | undefined;
  /** Whether its firmware panicked behind its last packet. */
  hasPanicked(): boolean;
  /** Starts the program anew; false: not now. */
  restart(why: string): boolean;
  /** The board is just being programmed, and can say nothing. */
  isProgramming(): boolean;
  /** Called when a silence of the board or of a node is told, and when it is over. */
  onChange?(): void;
  /** Milliseconds that only grow. */
  now(): number;
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

const log = getBoardLogger("source");

/** Listens to one board. */
export class SilenceAlarm {
  readonly #options: SilenceAlarmOptions;
  readonly #watch: SilenceWatch;

  constructor(options: SilenceAlarmOptions) {
    this.#options = options;
    const { catalogue, knownPaths = [], timeoutMs } = options;
    // What the catalogue does not have any more is no reading, and would be missed for nothing.
    const nodes = knownPaths.flatMap((path) => nodeOf(catalogue, path) ?? []);
    this.#watch = new SilenceWatch(timeoutMs, nodes);
  }

  /** How often in a row the program was started anew for silence. */
  get restarts(): number {
    return this.#watch.restarts;
  }

  /** The present silence; undefined while there is none. */
  get silence(): Silence | undefined {
    const { hasPanicked, lines, now, program } = this.#options;
    const silence = this.#watch.silence(now(), lines());
    if (silence === undefined) return undefined;
    const explanation = silence.kind === "no telemetry"
      ? this.#options.explain()
      : undefined;
    return {
      ...silence,
      ...(explanation && { sample: explanation.sample }),
      todo: whatToDo({
        kind: silence.kind,
        program,
        hasPrinted: lines() > 0,
        panicked: hasPanicked(),
        todo: explanation?.todo,
      }),
    };
  }

  /** Nodes that are silent while others speak. */
  get silentNodes(): SilentNode[] {
    return this.#watch.silentNodes(this.#options.now());
  }

  /** Forgets the silence that there was. */
  forget(): void {
    this.#watch.forget();
  }

  /** Watches the program that has just been started, until this is disposed. */
  watch(): AsyncDisposable {
    const ended = new AbortController();
    const watching = this.#lookUntil(ended.signal);
    return {
      [Symbol.asyncDispose]: async () => {
        ended.abort();
        await watching;
      },
    };
  }

  /** Telemetry came. */
  hear(packets: readonly SourcedPacket[]): void {
    const { catalogue, lines, now } = this.#options;
    const nodes = new Set<string>();
    for (const { packet } of packets) {
      for (const { path } of packet.readings) {
        const node = nodeOf(catalogue, path);
        if (node !== undefined) nodes.add(node);
      }
    }
    const { over, silent, back } = this.#watch.heard(now(), lines(), nodes);
    if (over || silent.length > 0 || back.length > 0) {
      this.#options.onChange?.();
    }
    if (over) log.info(sayTelemetry(over));
    for (const one of silent) log.warning(verbatim(saySilentNode(one)));
    for (const { node, forMs } of back) {
      log.info(
        verbatim(`Readings of "${node}" again after ${formatDuration(forMs)}`),
      );
    }
  }

  async #lookUntil(ended: AbortSignal): Promise<void> {
    const { isProgramming, lines, now, program, restart, wait } = this.#options;
    this.#watch.started(now(), lines());
    for (;;) {
      const wasProgramming = isProgramming();
      await wait(this.#watch.untilNextLookMs(now()), ended);
      if (ended.aborted) return;
      // When within that it was done is not known: it begins now.
      if (wasProgramming) {
        this.#watch.started(now(), lines());
        continue;
      }
      const due = this.#watch.look(now());
      const { silence } = this;
      if (due === undefined || silence === undefined) continue;
      if (due === "alarm") {
        log.warning(verbatim(saySilence(program, silence)));
        this.#options.onChange?.();
        continue;
      }
      const since = formatDuration(silence.forMs);
      if (restart(`no telemetry has come for ${since}`)) {
        this.#watch.restarted();
      }
    }
  }
}

/**
 * The node that is missed where nothing comes from `path`; undefined for a field that is sent as it is: any
 * object of a board's JSON would be one, also of packets that come now and then.
 */
function nodeOf(catalogue: Catalogue, path: string): string | undefined {
  return catalogue.has(path) ? catalogue.get(path)?.node : undefined;
}
