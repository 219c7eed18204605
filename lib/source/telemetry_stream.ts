/**
 * Lines to packets, each with its time.
 *
 * @module
 */

import type { Field } from "../metric_proposal.ts";
import type { DroppedReading, EventTime, TelemetryPacket } from "../model.ts";
import {
  ChannelNames,
  haveSameShape,
  joinLines,
  mayGoOn,
  type MendedLine,
  packetStart,
} from "./broken_line.ts";
import type { EventClock } from "./event_clock.ts";
import { FirmwareLog, type FirmwareLogOptions } from "./firmware_log.ts";
import { readFirmwareText } from "./firmware_text.ts";
import type { Line } from "./line_stream.ts";
import { PacketShapes } from "./packet_shape.ts";
import {
  beginsWithJson,
  type ParsedLine,
  parseLine,
  type ParseOptions,
} from "./telemetry.ts";

/** A packet, when it came, and the line it came in. */
export interface SourcedPacket {
  readonly packet: TelemetryPacket;
  readonly at: EventTime;
  /** Mended, where it was broken. */
  readonly line: string;
}

/** What became of a source's lines: `lines = packets + rejects + other`, always. */
export interface SourceCounters {
  lines: number;
  packets: number;
  rejects: number;
  /** Also what a packet's line was broken into, but for one. */
  other: number;
  /** How many of the lines were longer than `max_line_bytes`, and cut. */
  truncated: number;
}

/** Options for {@linkcode TelemetryStream}; `onText` takes the firmware's other log lines. */
export interface TelemetryStreamOptions
  extends ParseOptions, FirmwareLogOptions {
  readonly clock: EventClock;
  /** Counted on; may be shared by the streams of one board's successive children. */
  readonly counters: SourceCounters;
  /** Sees each packet in its place among what the others of these are told; the stream gives it later. */
  onPacket?(packet: TelemetryPacket, line: string): void;
  /** Takes what looks like telemetry and is broken. */
  onReject(line: string, reason: string): void;
  /** Takes readings that ended in the parser; their packet comes out all the same. */
  onDropped?(dropped: readonly DroppedReading[], line: string): void;
  /**
   * Takes fields that no metric names, at least one, of a line whose like has not come before.
   *
   * @param isPacket whether other fields of the line go on
   */
  onUnknown?(fields: readonly Field[], isPacket: boolean): void;
  /** Takes each line that is no packet. */
  onNoPacket?(line: string): void;
}

type Found = Omit<SourcedPacket, "at">;
type ParsedPacket = Extract<ParsedLine, { kind: "packet" }>;

/** For a packet with the name of a channel where the number beside it may have lost a digit. */
const UNCERTAIN: ParsedLine & { kind: "reject" } = {
  kind: "reject",
  reason:
    "A channel's name stands within the packet, and what it hides is not certain",
  isOpen: false,
};
/** A line is put together from so many, at most. */
const MAX_PIECES = 4;

/**
 * Takes the packets out of lines. No line ends the stream; lines without a packet give no chunk.
 *
 * A line that ends within a packet waits for the one behind it, which may be its other piece, where
 * it begins like the last packet that came whole; else it is a reject at once.
 */
export class TelemetryStream extends TransformStream<Line[], SourcedPacket[]> {
  constructor(options: TelemetryStreamOptions) {
    const lines = new LineReader(options);
    super({
      transform(some, controller) {
        const found: Found[] = [];
        for (const line of some) lines.take(line, found);
        if (found.length === 0) return;
        const times = options.clock.stamp(
          found.map(({ packet }) => packet.boardTs),
        );
        controller.enqueue(
          found.map(({ packet, line }, index) => ({
            packet,
            at: times[index]!,
            line,
          })),
        );
      },
      flush: () => lines.end(),
    });
  }
}

/** Counts each line and hands it to whom it belongs. */
class LineReader {
  readonly #options: TelemetryStreamOptions;
  readonly #log: FirmwareLog;
  readonly #channels: ChannelNames;
  /** Pieces of what may become a packet, none counted yet. */
  #pieces: Line[] = [];
  /** The last packet that came in one piece. */
  #whole = "";

  constructor(options: TelemetryStreamOptions) {
    this.#options = { ...options, shapes: new PacketShapes() };
    this.#log = new FirmwareLog(options);
    this.#channels = new ChannelNames(options.marker);
  }

  /** Takes the next line; its packet, if it holds one, is added to `found`. */
  take(line: Line, found: Found[]): void {
    this.#channels.note(line.text);
    if (this.#pieces.length > 0 && this.#join(line, found)) return;
    const { marker } = this.#options;
    const parsed = this.#parse(line);
    const mended = this.#channels.without(line.text);
    if (mended !== undefined) {
      if (mended && this.#takeMended(mended, found)) return;
      const isUncertain = mended === null || parsed.kind === "packet";
      this.#takeRest(line, isUncertain ? UNCERTAIN : parsed);
    } else if (parsed.kind === "packet") {
      this.#whole = line.text;
      this.#takePacket(parsed, line.text, found);
    } else if (parsed.isOpen && mayGoOn(line.text, this.#whole, marker)) {
      this.#pieces.push(line);
    } else this.#takeRest(line, parsed);
  }

  #parse(line: Line): ParsedLine {
    // Without a marker JSON in a panic's message would be a packet; a line that begins with it is one.
    const isMessage = this.#options.marker === "" &&
      this.#log.awaits(line.text) && !beginsWithJson(line);
    return isMessage
      ? { kind: "other", said: readFirmwareText(line.text), isOpen: false }
      : parseLine(line, this.#options);
  }

  /** Takes what is held back for what it is. */
  end(): void {
    this.#release();
    this.#log.end();
  }

  /** Whether `line` is the next piece of what waits; if not, nothing waits any more. */
  #join(line: Line, found: Found[]): boolean {
    const head = this.#pieces.map(({ text }) => text).join("");
    const mended = line.truncated || this.#isOwn(line)
      ? null
      : joinLines(head, line.text);
    if (mended && this.#takeMended(mended, found)) {
      const others = [...this.#pieces.splice(0), line].slice(1);
      for (const other of others) this.#takeText(other.text);
      return true;
    }
    if (mended && this.#pieces.length < MAX_PIECES - 1) {
      const { text } = mended;
      const parsed = parseLine({ text, truncated: false }, this.#options);
      if (parsed.kind !== "packet" && parsed.isOpen) {
        this.#pieces.push(line);
        return true;
      }
    }
    this.#release();
    return false;
  }

  /** Whether a line holds a packet of its own, or the beginning of one. */
  #isOwn(line: Line): boolean {
    const { marker } = this.#options;
    return marker === ""
      ? parseLine(line, this.#options).kind === "packet"
      : line.text.includes(marker);
  }

  #release(): void {
    for (const line of this.#pieces.splice(0)) {
      const parsed = parseLine(line, this.#options);
      if (parsed.kind !== "packet") this.#takeRest(line, parsed);
    }
  }

  /** Takes a line that was put together, if it certainly is a packet. */
  #takeMended({ text, brokenAt }: MendedLine, found: Found[]): boolean {
    const parsed = parseLine({ text, truncated: false }, this.#options);
    if (parsed.kind !== "packet") return false;
    const start = packetStart(text, this.#options.marker);
    const head = text.slice(start, brokenAt);
    if (head.includes("{") && !haveSameShape(text, this.#whole)) return false;
    this.#takePacket(parsed, text, found);
    return true;
  }

  #takePacket(
    { packet, unknown }: ParsedPacket,
    line: string,
    found: Found[],
  ): void {
    const { counters } = this.#options;
    if (unknown) this.#options.onUnknown?.(unknown, true);
    this.#log.interrupt();
    counters.lines++;
    counters.packets++;
    if (packet.dropped.length > 0) {
      this.#options.onDropped?.(packet.dropped, line);
    }
    this.#options.onPacket?.(packet, line);
    found.push({ packet, line });
  }

  #takeRest(
    { text, truncated }: Line,
    parsed: Exclude<ParsedLine, { kind: "packet" }>,
  ): void {
    const { counters } = this.#options;
    counters.lines++;
    if (truncated) counters.truncated++;
    this.#options.onNoPacket?.(text);
    if (parsed.unknown) this.#options.onUnknown?.(parsed.unknown, false);
    if (parsed.kind === "reject") {
      counters.rejects++;
      this.#log.interrupt();
      this.#options.onReject(text, parsed.reason);
    } else {
      counters.other++;
      this.#log.take(parsed.said);
    }
  }

  /** Takes what a packet was put together from. */
  #takeText(piece: string): void {
    const { counters } = this.#options;
    counters.lines++;
    counters.other++;
    this.#options.onText(readFirmwareText(piece).text, "debug");
  }
}
