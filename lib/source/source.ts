/**
 * One board: its child supervised, and packets out of what the child prints.
 *
 * @module
 */

import { type Catalogue, topicOf } from "../catalogue.ts";
import type { DroppedReading, EventTime } from "../model.ts";
import { ownText } from "../own_text.ts";
import { wait } from "../wait.ts";
import { getBoardLogger, logSaid } from "./board_log.ts";
import { DroppedValues } from "./dropped_values.ts";
import type { EventClock } from "./event_clock.ts";
import { tellsOfTheEnd } from "./failure.ts";
import type { FirmwarePanic } from "./firmware_log.ts";
import { FirstLook } from "./first_look.ts";
import { LineStream } from "./line_stream.ts";
import { OtherLines } from "./other_lines.ts";
import { RejectLog } from "./reject_log.ts";
import type { Silence, SilentNode } from "./silence.ts";
import { SilenceAlarm } from "./silence_alarm.ts";
import { Supervisor, type SupervisorOptions } from "./supervisor.ts";
import type { SupervisorState } from "./supervisor_state.ts";
import {
  type SourceCounters,
  type SourcedPacket,
  TelemetryStream,
} from "./telemetry_stream.ts";
import type { UnknownFields } from "./unknown_fields.ts";
import { type MissedTopic, ValueAlarm } from "./value_alarm.ts";

/** Options for {@linkcode Source}. */
export interface SourceOptions
  extends Omit<SupervisorOptions, "onStdout" | "startReason"> {
  /** What stands before the JSON (`gateway.marker`). */
  readonly marker: string;
  /** `gateway.max_line_bytes` */
  readonly maxLineBytes: number;
  readonly catalogue: Catalogue;
  /** What becomes of fields that no metric names. @default {nothing, and nobody hears of it} */
  readonly unknownFields?: UnknownFields | undefined;
  /** The topic of a path, for the log. @default {`NODE/NAME`} */
  readonly topicOf?: ((path: string) => string) | undefined;
  readonly clock: EventClock;
  /** Where readings stood that came before this process: their nodes and values are missed as well. @default {none} */
  readonly knownPaths?: readonly string[] | undefined;
  /** Takes secrets out of what the board said and is shown at the broker and by status. @default {none} */
  readonly hide?: ((text: string) => string) | undefined;
  /** How long no telemetry is silence; 0: never. @default {learned from the board} */
  readonly silenceTimeoutMs?: number | undefined;
  /**
   * Takes packets in order, at least one. The child's stdout waits for what it returns, and probe-rs
   * throws data away after a second of that. Should it reject, the child is started anew.
   */
  write(packets: SourcedPacket[]): Promise<void> | void;
  /** Takes what looks like telemetry and is broken. */
  onReject(line: string, reason: string): void;
  /** Takes readings that ended in the parser; their packet is written all the same. */
  onDropped?(dropped: readonly DroppedReading[], line: string): void;
}

/** The firmware's last panic, and when it was read. */
export interface LastPanic extends FirmwarePanic {
  readonly at: EventTime;
}

/** How a board is: its program, and what comes of it. */
export interface SourceState extends SupervisorState {
  /** Its program runs, and no telemetry comes although it should. */
  readonly silence?: Silence;
  /** Nodes that have spoken before and do not, while telemetry comes; at least one. */
  readonly silentNodes?: readonly SilentNode[];
  /** Values that do not come as often as they should; at least one. */
  readonly missedValues?: readonly MissedTopic[];
  /** The firmware's last panic, and how long ago it was read. */
  readonly lastPanic?: FirmwarePanic & { readonly agoMs: number };
}

const firmware = getBoardLogger("firmware");

/** Runs a board's program from `run` to `stop`; the firmware's other log lines go to the log. */
export class Source implements AsyncDisposable {
  readonly #options:
    & SourceOptions
    & Required<Pick<SourceOptions, "now" | "wait">>;
  readonly #supervisor: Supervisor;
  readonly #counters: SourceCounters = {
    lines: 0,
    packets: 0,
    rejects: 0,
    other: 0,
    truncated: 0,
  };
  /** Undefined where no silence shall be told. */
  readonly #alarm: SilenceAlarm | undefined;
  readonly #values: ValueAlarm;
  readonly #dropped: DroppedValues;
  readonly #rejectLog: RejectLog;
  readonly #otherLines: OtherLines;
  readonly #firstLook: FirstLook;
  #lastPanic: LastPanic | undefined;
  /** When that was read, and behind how many packets: times do not tell, where both are read at once. */
  #panickedMs: number | undefined;
  #panickedBehind: number | undefined;

  constructor(options: SourceOptions) {
    this.#options = {
      ...options,
      now: options.now ?? (() => performance.now()),
      wait: options.wait ?? wait,
    };
    const { launcher, silenceTimeoutMs } = options;
    this.#dropped = new DroppedValues(options.catalogue);
    this.#rejectLog = new RejectLog(this.#options.now);
    this.#otherLines = new OtherLines(options);
    this.#firstLook = new FirstLook(options.knownPaths ?? []);
    this.#alarm = silenceTimeoutMs === 0 ? undefined : new SilenceAlarm({
      ...this.#options,
      timeoutMs: silenceTimeoutMs,
      program: launcher.name,
      lines: () => this.#counters.lines,
      explain: () => this.#otherLines.explain(),
      hasPanicked: () => this.#panickedBehind === this.#counters.packets,
      restart: (why) => this.#supervisor.restart(why),
      onChange: () => options.onStateChange?.(),
      isProgramming: () => launcher.isProgramming ?? false,
    });
    this.#values = new ValueAlarm({
      ...this.#options,
      topicOf: options.topicOf ?? ((path) => {
        const metric = options.catalogue.get(path);
        return metric === undefined ? path : topicOf(metric);
      }),
      onChange: () => options.onStateChange?.(),
      isProgramming: () => launcher.isProgramming ?? false,
    });
    this.#supervisor = new Supervisor({
      ...this.#options,
      startReason: () => ({ silentRestarts: this.#alarm?.restarts ?? 0 }),
      onStdout: (stdout) => this.#read(stdout),
    });
  }

  /** What became of the lines of all children so far. */
  get counters(): Readonly<SourceCounters> {
    return this.#counters;
  }

  /** The last panic that the firmware told of; undefined where there was none. */
  get lastPanic(): LastPanic | undefined {
    return this.#lastPanic;
  }

  /** How the board is now. */
  get state(): SourceState {
    const program = this.#supervisor.state;
    const silence = program.phase === "running"
      ? this.#alarm?.silence
      : undefined;
    const silentNodes = this.#alarm?.silentNodes ?? [];
    const missedValues = this.#values.missed;
    const lastPanic = this.#panic();
    return {
      ...program,
      ...(silence && { silence }),
      ...(silentNodes.length > 0 && { silentNodes }),
      ...(missedValues.length > 0 && { missedValues }),
      ...(lastPanic && { lastPanic }),
    };
  }

  /**
   * Runs until `signal` is aborted or `stop` is called. When it comes back the child is gone and
   * every packet it printed has been written.
   */
  run(signal?: AbortSignal): Promise<void> {
    return this.#supervisor.run(signal);
  }

  /**
   * Ends the child in order and starts none for `forMs`, so that somebody else can have the probe; comes
   * back when the child is gone. Again: for so long from then on.
   *
   * @throws {Error} if the gateway ends
   */
  async release(forMs: number): Promise<void> {
    await this.#supervisor.release(forMs);
    // What a debugger did to the board is no silence of before.
    this.#alarm?.forget();
  }

  /** Ends a release before its time; whether there was one. */
  take(): boolean {
    return this.#supervisor.take();
  }

  /** Stops the child; comes back when `run` does. */
  stop(): Promise<void> {
    return this.#supervisor.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Gives the last line that told of the child's end. */
  async #read(
    stdout: ReadableStream<Uint8Array>,
  ): Promise<string | undefined> {
    const { clock, marker, maxLineBytes, unknownFields, write } = this.#options;
    const { hide = (text) => text } = this.#options;
    let said: string | undefined;
    await using _watching = this.#alarm?.watch();
    await using _expecting = this.#values.watch();
    await stdout
      .pipeThrough(new LineStream({ maxBytes: maxLineBytes, marker }))
      .pipeThrough(
        new TelemetryStream({
          ...this.#options,
          counters: this.#counters,
          metricOf: unknownFields &&
            ((field) => unknownFields.metricOf(field)),
          onReject: (line, reason) => {
            this.#rejectLog.note(line, reason);
            this.#options.onReject(line, reason);
          },
          onDropped: (dropped, line) => {
            this.#dropped.note(dropped);
            this.#options.onDropped?.(dropped, line);
          },
          onUnknown: (fields, isPacket) =>
            unknownFields?.note(fields, isPacket),
          onNoPacket: (line) => {
            this.#otherLines.take(line);
            this.#firstLook.take(this.#counters, this.#otherLines);
          },
          onPanic: (panic) => {
            // Stamped like a reject: the stamps of packets are the journal's.
            this.#lastPanic = {
              ...panic,
              message: ownText(hide(panic.message)),
              at: clock.stampReject(),
            };
            this.#panickedMs = this.#options.now();
            this.#panickedBehind = this.#counters.packets;
            this.#options.onStateChange?.();
          },
          onText: (text, level) => {
            logSaid(firmware, level, text);
            if (tellsOfTheEnd(text)) said = ownText(hide(text));
          },
        }),
      )
      .pipeTo(
        new WritableStream({
          write: (packets) => {
            this.#otherLines.forget();
            this.#alarm?.hear(packets);
            this.#values.hear(packets);
            return write(packets);
          },
        }),
      );
    return said;
  }

  #panic(): SourceState["lastPanic"] {
    if (this.#lastPanic === undefined) return undefined;
    const { at: _, ...panic } = this.#lastPanic;
    const agoMs = this.#options.now() - (this.#panickedMs ?? 0);
    return { ...panic, agoMs };
  }
}
