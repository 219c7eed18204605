/**
 * `run` and `attach` once they talk to the board: RTT is read and printed until something ends it.
 *
 * - What was due since the last write is one write, of whole lines. Nothing is written after a write that
 *   is not taken, and no signal is heard meanwhile.
 * - A reader that ends in order leaves the board running and says until when it has read.
 *
 * @module
 */

import { mulberry32 } from "../board.ts";
import type { Bench, HeldBoard } from "./bench.ts";
import { firmwareAt } from "./board_record.ts";
import { crashed, noControlBlock, stackTrace, targetLost } from "./errors.ts";
import { Firmware, PANIC } from "./firmware.ts";
import { type Polled, Printer } from "./layout.ts";
import { damagedLine, hex } from "./noise.ts";
import {
  conditionsAt,
  eventsOf,
  isLoss,
  lastTime,
  type Scenario,
  type ScenarioEvent,
  type ScenarioProbe,
} from "./scenario.ts";
import type { MonitorInvocation } from "./arguments.ts";
import type { Outside } from "./outside.ts";

/** How a call ended: its exit code, and why in a few words. */
export interface CallEnd {
  readonly code: number;
  readonly why: string;
}

/** Options for {@linkcode monitor}. */
export interface MonitorOptions {
  readonly bench: Bench;
  readonly board: HeldBoard;
  readonly probe: ScenarioProbe;
  readonly invocation: MonitorInvocation;
  /** N of 0.N, the version that is pretended. */
  readonly minor: number;
  /** The ELF file is that of the firmware in the flash, so it says where RTT is. */
  readonly fits: boolean;
  readonly outside: Outside;
}

/** An RTT buffer of defmt, in bytes: what fits when nobody reads. */
const RTT_BUFFER_BYTES = 1024;
/** probe-rs looks for data every so often while there is none. */
const IDLE_POLL_MS = 100;
/** Longer may nobody read stdout, or chunks are dropped. */
const STALLED_MS = 1000;
/** With noise, one moment in so many brings a damaged line. */
const NOISE_EVERY = 20;
/** 0.24 looks for RTT no longer. */
const RTT_WITHIN_S = 1;

/**
 * Reads RTT until it is asked to stop or something goes wrong.
 *
 * @throws {ProbeRsError} if something goes wrong
 */
export async function monitor(options: MonitorOptions): Promise<CallEnd> {
  return await new Monitor(options).run();
}

class Monitor {
  readonly #options: MonitorOptions;
  readonly #scenario: Scenario;
  readonly #events: readonly ScenarioEvent[];
  readonly #printer: Printer;
  readonly #random: () => number;
  /** What runs and can be read; undefined: nothing comes until a reset, or for ever. */
  #firmware: Firmware | undefined;
  /** Up to here the scenario has happened for us. */
  #doneS: number;
  #hasRead = false;
  /** What came while nobody had read stdout for too long is dropped. */
  #lost = { from_s: 0, to_s: -1 };
  /** Aborted by the signal that ends us. */
  readonly #stop = new AbortController();
  #signal: "SIGINT" | "SIGTERM" | undefined;

  constructor(options: MonitorOptions) {
    const { bench, probe, invocation, minor, outside } = options;
    this.#options = options;
    this.#scenario = bench.scenario;
    this.#events = eventsOf(bench.scenario, probe.id);
    this.#random = mulberry32(bench.scenario.seed);
    const { layout } = bench.scenario;
    const isDefmt = layout === "defmt" || layout === "defmt-time";
    this.#printer = new Printer({
      layout: isDefmt && invocation.logFormat === "full"
        ? "defmt-two-line"
        : layout,
      location: !invocation.has("--no-location"),
      timestamps: minor < 30 || !invocation.has("--no-timestamps"),
      random: this.#random,
      date: () => new Date(outside.now()),
    });
    this.#doneS = bench.atS;
  }

  async run(): Promise<CallEnd> {
    const { board, minor, fits } = this.#options;
    const conditions = conditionsAt(this.#events, this.#doneS);
    if (minor === 24 && (!fits || !conditions.rtt)) {
      await this.#until(this.#doneS + RTT_WITHIN_S);
      throw noControlBlock();
    }
    const stale = this.#boot();
    using _signals = this.#listen();
    // Before it stands there who reads: should we be killed in between, it is from here on.
    await board.live();
    await board.note({
      holder: { pid: Deno.pid, blocking: fits && this.#blocks() },
      read_until_s: null,
    });
    let end: CallEnd | undefined;
    try {
      if (conditions.stalled) await this.#stall();
      await this.#print(stale);
      while (end === undefined) end = await this.#next();
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      end = await this.#stdoutClosed();
    } finally {
      await board.note({ holder: null, read_until_s: this.#doneS });
    }
    return end;
  }

  /** Waits for what comes next, and lets it happen. */
  async #next(): Promise<CallEnd | undefined> {
    const { bench } = this.#options;
    const event = this.#events.find(({ at_s }) => at_s > this.#doneS);
    const firstS = Math.min(
      event?.at_s ?? Infinity,
      this.#firmware?.nextAtS ?? Infinity,
    );
    await this.#until(firstS);
    if (!this.#stop.signal.aborted) {
      // What comes meanwhile is found by the same poll.
      const { outside } = this.#options;
      await outside.wait(this.#random() * IDLE_POLL_MS, this.#stop.signal);
    }
    const end = await this.#happen(bench.atS);
    if (end !== undefined) return end;
    return this.#signal === undefined ? undefined : await this.#stopped();
  }

  /** Lets everything until `nowS` happen, in its order. */
  async #happen(nowS: number): Promise<CallEnd | undefined> {
    const polled: Polled[] = [];
    for (;;) {
      const event = this.#events.find(({ at_s }) => at_s > this.#doneS);
      const firmware = this.#firmware;
      const eventS = event?.at_s ?? Infinity;
      const momentS = firmware?.nextAtS ?? Infinity;
      if (Math.min(eventS, momentS) > nowS) break;
      if (firmware !== undefined && momentS < eventS) {
        polled.push(await this.#poll(firmware));
        continue;
      }
      await this.#print(polled.splice(0));
      this.#doneS = eventS;
      for (const one of this.#events.filter(({ at_s }) => at_s === eventS)) {
        const end = await this.#onEvent(one);
        if (end !== undefined) return end;
      }
    }
    this.#doneS = Math.max(this.#doneS, nowS);
    await this.#print(polled);
    return undefined;
  }

  async #poll(firmware: Firmware): Promise<Polled> {
    const conditions = conditionsAt(this.#events, firmware.nextAtS);
    const { at_s, lines } = firmware.take(conditions);
    const uptime_s = firmware.uptimeS(at_s);
    if (at_s > this.#lost.from_s && at_s <= this.#lost.to_s) {
      await this.#options.outside.log(
        "ERROR",
        "postcard_rpc::host_client::util: Subscription channel full! Message dropped.",
      );
      return { lines: [], uptime_s };
    }
    const noisy = this.#scenario.noise && this.#random() < 1 / NOISE_EVERY;
    const word = this.#random() < 0.5
      ? "truncated_json"
      : "replacement_character";
    const damaged = noisy ? [damagedLine(word)] : [];
    return { lines: [...damaged, ...lines], uptime_s };
  }

  async #onEvent(
    { do: word, at_s }: ScenarioEvent,
  ): Promise<CallEnd | undefined> {
    switch (word) {
      case "unplug":
      case "power_off":
      case "blank":
        throw targetLost(word);
      case "stall":
        await this.#stall();
        return;
      case "reset":
        return await this.#reset();
      case "panic":
        return await this.#panic(at_s);
      case "hex":
        await this.#write(hex(this.#random));
        return;
      case "truncated_json":
      case "replacement_character":
        await this.#print([{
          lines: [damagedLine(word)],
          uptime_s: this.#firmware?.uptimeS(at_s) ?? 0,
        }]);
    }
  }

  /** The board was reset: a core that is caught at its reset vector ends us. */
  async #reset(): Promise<CallEnd | undefined> {
    const { minor, invocation, outside } = this.#options;
    const caught = minor < 28
      ? invocation.has("--catch-reset")
      : !invocation.has("--no-catch-reset");
    if (caught) return await this.#caught();
    if (minor > 24 && this.#hasRead) {
      await outside.log(
        "WARN",
        "probe_rs::util::rtt::client: RTT read pointer changed, re-attaching",
      );
    }
    this.#hasRead = false;
    this.#boot();
  }

  async #panic(atS: number): Promise<CallEnd | undefined> {
    const firmware = this.#firmware;
    if (firmware === undefined) return;
    const { speaking, rtt } = conditionsAt(this.#events, atS);
    const lines = speaking && rtt ? PANIC : [];
    await this.#print([{ lines, uptime_s: firmware.uptimeS(atS) }]);
    this.#firmware = undefined;
    const { minor, invocation } = this.#options;
    const caught = minor < 28
      ? invocation.has("--catch-hardfault")
      : !invocation.has("--no-catch-hardfault");
    return caught ? await this.#caught() : undefined;
  }

  /** The core halted: a stack trace, and the end. */
  async #caught(): Promise<CallEnd> {
    const { minor } = this.#options;
    if (minor >= 28) {
      await this.#write("Firmware exited unexpectedly: Exception\n");
    }
    await this.#write(stackTrace(minor));
    if (minor < 28 || minor >= 30) throw crashed(minor);
    return { code: 0, why: "firmware crashed" };
  }

  /** Asked to stop: the last data is out, the channel's mode is restored. */
  async #stopped(): Promise<CallEnd> {
    const { minor, outside } = this.#options;
    const why = "asked to stop";
    if (minor < 28) return { code: 0, why };
    const name = this.#signal === "SIGINT" ? "Ctrl+C" : this.#signal;
    await outside.stderr(`Received ${name}, exiting\n`);
    if (minor === 28) {
      await outside.stderr("Error: Exited due to user request\n");
      return { code: 1, why };
    }
    await this.#write("Exited by user request\n");
    return { code: 0, why };
  }

  async #stdoutClosed(): Promise<CallEnd> {
    const { minor, outside } = this.#options;
    const why = "stdout closed";
    const broken = "Broken pipe (os error 32)";
    if (minor < 28) {
      await outside.stderr(`Error: ${broken}\n`);
      return { code: 1, why };
    }
    await outside.stderr(
      `\nthread 'main' (${Deno.pid}) panicked at library/std/src/io/stdio.rs:1165:9:\nfailed printing to stdout: ${broken}\nnote: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace\n`,
    );
    return { code: 101, why };
  }

  /** Hangs: nothing is read, no signal is heard. What was logged meanwhile is lost. */
  async #stall(): Promise<void> {
    const { bench, outside } = this.#options;
    for (;;) {
      const atS = bench.atS;
      if (!conditionsAt(this.#events, atS).stalled) break;
      const next = this.#events.find(({ at_s }) => at_s > atS)?.at_s;
      await outside.wait(Math.min(bench.msUntil(next ?? Infinity), 60_000));
    }
    const fromS = this.#doneS;
    this.#doneS = lastTime(this.#events, ["go_on"], bench.atS) ?? bench.atS;
    for (const { at_s, do: word } of this.#events) {
      if (at_s > fromS && at_s <= this.#doneS && isLoss(word)) {
        throw targetLost(word);
      }
    }
    this.#boot();
  }

  /**
   * Begins to read the firmware as it stands; gives what its buffer has kept for us since the last reader
   * ended.
   */
  #boot(): Polled[] {
    const { board, probe, fits } = this.#options;
    const { record } = board;
    const state = firmwareAt(
      this.#scenario,
      probe.id,
      record,
      this.#doneS,
    );
    this.#firmware = undefined;
    if (!fits || state.frozen || state.panicked) return [];
    const firmware = new Firmware(this.#scenario, {
      at_s: state.booted_at_s,
      count: state.boots,
      board: this.#scenario.probe.indexOf(probe),
    });
    this.#firmware = firmware;
    const fromS = record.read_until_s ?? this.#doneS;
    const stale: Polled[] = [];
    let bytes = 0;
    while (firmware.nextAtS < this.#doneS) {
      const isStale = firmware.nextAtS > fromS;
      const conditions = conditionsAt(this.#events, firmware.nextAtS);
      const { at_s, lines } = firmware.take(conditions);
      bytes += isStale
        ? lines.reduce((sum, { text }) => sum + text.length, 0)
        : 0;
      if (isStale && bytes <= RTT_BUFFER_BYTES) {
        stale.push({ lines, uptime_s: firmware.uptimeS(at_s) });
      }
    }
    return stale;
  }

  /** Whether the channel is set to block: a bug kept 0.28 and 0.29 from it (issue 3363). */
  #blocks(): boolean {
    const { minor } = this.#options;
    if (minor === 28 || minor === 29) return false;
    return minor >= 32 || this.#scenario.layout !== "rtt";
  }

  /** Orderly ends: SIGINT always, SIGTERM from 0.30 on; else a signal kills us where we stand. */
  #listen(): Disposable {
    const { minor, outside } = this.#options;
    const stack = new DisposableStack();
    const names = minor < 30
      ? ["SIGINT"] as const
      : ["SIGINT", "SIGTERM"] as const;
    for (const name of names) {
      stack.use(outside.onSignal(name, () => {
        this.#signal ??= name;
        this.#stop.abort();
      }));
    }
    return stack;
  }

  async #until(atS: number): Promise<void> {
    const { bench, outside } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted && bench.atS < atS) {
      // Timers take no more than 32 bits.
      await outside.wait(Math.min(bench.msUntil(atS), 3_600_000), signal);
    }
  }

  async #print(polled: readonly Polled[]): Promise<void> {
    if (polled.every(({ lines }) => lines.length === 0)) return;
    this.#hasRead = true;
    await this.#write(this.#printer.print(polled));
  }

  async #write(text: string): Promise<void> {
    const { bench, board, probe, minor, outside } = this.#options;
    const before = outside.now();
    await bench.prints(probe, text);
    await outside.stdout(text);
    await board.live();
    const lateMs = outside.now() - before - STALLED_MS;
    if (lateMs <= 0 || minor < 28) return;
    const to_s = bench.atS;
    this.#lost = {
      from_s: to_s - lateMs / 1000 * this.#scenario.speed,
      to_s,
    };
  }
}
