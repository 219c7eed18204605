/**
 * One board: its child supervised, and packets out of what the child prints.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import type { DroppedReading, EventTime } from "../model.ts";
import { getBoardLogger } from "./board_log.ts";
import type { EventClock } from "./event_clock.ts";
import { tellsOfTheEnd } from "./failure.ts";
import type { FirmwarePanic } from "./firmware_log.ts";
import { verbatim } from "./firmware_text.ts";
import { LineStream } from "./line_stream.ts";
import type { Silence, SilentNode } from "./silence.ts";
import {
  Supervisor,
  type SupervisorOptions,
  type SupervisorState,
} from "./supervisor.ts";
import {
  type SourceCounters,
  type SourcedPacket,
  TelemetryStream,
} from "./telemetry_stream.ts";

/** Options for {@linkcode Source}. */
export interface SourceOptions extends Omit<SupervisorOptions, "onStdout"> {
  /** What stands before the JSON (`gateway.marker`). */
  readonly marker: string;
  /** `gateway.max_line_bytes` */
  readonly maxLineBytes: number;
  readonly catalogue: Catalogue;
  readonly clock: EventClock;
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
  /** The firmware's last panic, and how long ago it was read. */
  readonly lastPanic?: FirmwarePanic & { readonly agoMs: number };
}

const firmware = getBoardLogger("firmware");

/** Runs a board's program from `run` to `stop`; the firmware's other log lines go to the log. */
export class Source implements AsyncDisposable {
  readonly #options: SourceOptions;
  readonly #supervisor: Supervisor;
  readonly #counters: SourceCounters = {
    lines: 0,
    packets: 0,
    rejects: 0,
    other: 0,
    truncated: 0,
  };
  #lastPanic: LastPanic | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#supervisor = new Supervisor({
      ...options,
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
    return this.#supervisor.state;
  }

  /**
   * Runs until `signal` is aborted or `stop` is called. When it comes back the child is gone and
   * every packet it printed has been written.
   */
  run(signal?: AbortSignal): Promise<void> {
    return this.#supervisor.run(signal);
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
    const { clock, marker, maxLineBytes, write } = this.#options;
    let said: string | undefined;
    await stdout
      .pipeThrough(new LineStream({ maxBytes: maxLineBytes, marker }))
      .pipeThrough(
        new TelemetryStream({
          ...this.#options,
          counters: this.#counters,
          onPanic: (panic) => {
            // Stamped like a reject: the stamps of packets are the journal's.
            this.#lastPanic = { ...panic, at: clock.stampReject() };
          },
          onText: (text, level) => {
            firmware[level](verbatim(text));
            if (tellsOfTheEnd(text)) said = text;
          },
        }),
      )
      .pipeTo(new WritableStream({ write: (packets) => write(packets) }));
    return said;
  }
}
