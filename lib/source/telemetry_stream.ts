/**
 * Lines to packets, each with its time.
 *
 * @module
 */

import type { DroppedReading, EventTime, TelemetryPacket } from "../model.ts";
import type { EventClock } from "./event_clock.ts";
import type { Level } from "./firmware_text.ts";
import type { Line } from "./line_stream.ts";
import { parseLine, type ParseOptions } from "./telemetry.ts";

/** A packet, when it came, and the line it came in. */
export interface SourcedPacket {
  readonly packet: TelemetryPacket;
  readonly at: EventTime;
  readonly line: string;
}

/** What became of a source's lines: `lines = packets + rejects + other`, always. */
export interface SourceCounters {
  lines: number;
  packets: number;
  rejects: number;
  other: number;
  /** How many of the lines were longer than `max_line_bytes`, and cut. */
  truncated: number;
}

/** Options for {@linkcode TelemetryStream}. */
export interface TelemetryStreamOptions extends ParseOptions {
  readonly clock: EventClock;
  /** Counted on; may be shared by the streams of one board's successive children. */
  readonly counters: SourceCounters;
  /** Takes what looks like telemetry and is broken. */
  onReject(line: string, reason: string): void;
  /** Takes readings that ended in the parser; their packet comes out all the same. */
  onDropped?(dropped: readonly DroppedReading[], line: string): void;
  /** Takes the firmware's other log lines. */
  onText(text: string, level: Level): void;
}

/**
 * Takes the packets out of lines. No line ends the stream; lines without a packet give no chunk.
 */
export class TelemetryStream extends TransformStream<Line[], SourcedPacket[]> {
  constructor(options: TelemetryStreamOptions) {
    super({
      transform(lines, controller) {
        const found: Omit<SourcedPacket, "at">[] = [];
        for (const line of lines) {
          const packet = take(line, options);
          if (packet) found.push({ packet, line: line.text });
        }
        if (found.length === 0) return;
        const times = options.clock.stamp(
          found.map(({ packet }) => packet.boardTs),
        );
        controller.enqueue(
          found.map((one, index) => ({ ...one, at: times[index]! })),
        );
      },
    });
  }
}

/** Counts the line and hands it to whom it belongs; gives the packet, if it is one. */
function take(
  line: Line,
  options: TelemetryStreamOptions,
): TelemetryPacket | undefined {
  const { counters } = options;
  const parsed = parseLine(line, options);
  counters.lines++;
  if (line.truncated) counters.truncated++;
  switch (parsed.kind) {
    case "packet":
      counters.packets++;
      if (parsed.packet.dropped.length > 0) {
        options.onDropped?.(parsed.packet.dropped, line.text);
      }
      return parsed.packet;
    case "reject":
      counters.rejects++;
      options.onReject(line.text, parsed.reason);
      return;
    case "other":
      counters.other++;
      options.onText(parsed.text, parsed.level);
      return;
  }
}
