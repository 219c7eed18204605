/**
 * Lines of a board, and what the gateway would make of each: the way of `source.ts`, to the sinks' doors.
 *
 * - Nothing is left out: each line is in one entry, in order, but for a packet that was put together from
 *   several, whose other pieces are log lines.
 * - Memory is that of the lines of one chunk.
 *
 * @module
 */

import type { Catalogue, Metric } from "../../catalogue.ts";
import type { BoardConfig, Config } from "../../config/schema.ts";
import { createUnknownFields } from "../../gateway/boards.ts";
import type { Field } from "../../metric_proposal.ts";
import type {
  DroppedReading,
  Row,
  TelemetryPacket,
  Value,
} from "../../model.ts";
import { LineProtocol } from "../../sink/line_protocol.ts";
import { MqttMessages, type MqttTerms } from "../../sink/mqtt_message.ts";
import { MqttTopics } from "../../sink/mqtt_topics.ts";
import { EventClock } from "../../source/event_clock.ts";
import { fieldMetric } from "../../field_metric.ts";
import type { Level } from "../../source/firmware_text.ts";
import { LineStream } from "../../source/line_stream.ts";
import {
  type SourceCounters,
  TelemetryStream,
} from "../../source/telemetry_stream.ts";
import { parseLine } from "../../source/telemetry.ts";
import type { UnknownFields } from "../../source/unknown_fields.ts";

/** A value on its way to the servers. */
export interface ParsedValue {
  readonly path: string;
  /** As the board said it. */
  readonly value: Value;
  /** The catalogue's word. */
  readonly unit: string | null;
  /** The MQTT message; null without a broker, or where there is none for such a value. */
  readonly message: {
    readonly topic: string;
    readonly payload: string;
    readonly retain: boolean;
  } | null;
  /** The point in line protocol, without its time; null without a database, or where there is none. */
  readonly point: string | null;
  /** Why there is no message, or no point, though there is a server. */
  readonly problem?: string;
}

/** A value that ends here. */
export interface ParsedDrop extends DroppedReading {
  readonly range: Metric["range"];
}

/** What became of a line. */
export type ParsedEntry =
  | {
    readonly kind: "packet";
    /** The whole line, mended where it was broken. */
    readonly line: string;
    /** Milliseconds since the board booted, or null. */
    readonly boardTs: number | null;
    readonly values: readonly ParsedValue[];
    readonly dropped: readonly ParsedDrop[];
    /** Fields that no metric names and that are not sent; of packets of one kind only with the first. */
    readonly unknown: readonly Field[];
  }
  | {
    readonly kind: "reject";
    readonly line: string;
    readonly reason: string;
    readonly unknown: readonly Field[];
  }
  | {
    readonly kind: "log";
    readonly text: string;
    readonly level: Level;
    /** Why it is no telemetry. */
    readonly reason:
      | "no marker"
      | "no JSON object"
      | "no known field"
      | "no usable value";
    readonly unknown: readonly Field[];
  };

/** What was counted. */
export interface ParsedCounters extends SourceCounters {
  readings: number;
  /** By reason. */
  readonly dropped: Map<DroppedReading["reason"], number>;
}

/** Options for {@linkcode ParsedLines}. */
export interface ParsedLinesOptions {
  readonly config: Pick<Config, "mqtt" | "influxdb" | "boards">;
  readonly board: Pick<
    BoardConfig,
    "name" | "marker" | "max_line_bytes" | "unknown_fields"
  >;
  readonly catalogue: Catalogue;
}

/** More unknown fields are not remembered: what a board sends is anybody's. */
const MOST_FIELDS = 200;

/** A broker that allows everything. */
const TERMS: MqttTerms = {
  version: 5,
  limits: {
    retain: true,
    qos: 2,
    receiveMaximum: 65_535,
    maximumPacketSize: Infinity,
  },
};

/** See the module's text. */
export class ParsedLines {
  readonly counters: ParsedCounters = {
    lines: 0,
    packets: 0,
    rejects: 0,
    other: 0,
    truncated: 0,
    readings: 0,
    dropped: new Map(),
  };
  readonly #options: ParsedLinesOptions;
  readonly #unknownFields: UnknownFields;
  readonly #unknown = new Map<string, Field>();
  /** Of the line whose entry comes next. */
  #unknownHere: readonly Field[] = [];
  readonly #messages: MqttMessages | undefined;
  readonly #points: LineProtocol | undefined;

  constructor(options: ParsedLinesOptions) {
    const { config, board, catalogue } = options;
    const { mqtt, influxdb } = config;
    this.#options = options;
    this.#unknownFields = createUnknownFields(config, board, catalogue);
    if (mqtt !== undefined) {
      const { topic_prefix, retain } = mqtt;
      this.#messages = new MqttMessages(TERMS, {
        config: mqtt,
        topics: new MqttTopics(topic_prefix, retain, catalogue),
        history: new MqttTopics(`${topic_prefix}/history`, false, catalogue),
        // As of a board that speaks now.
        isNewest: () => true,
        ageUs: () => 0,
      });
    }
    if (influxdb !== undefined) {
      this.#points = new LineProtocol(catalogue, influxdb.tags);
    }
  }

  /** Fields that no metric names and that are not sent, each once, with one of their values. */
  get unknown(): readonly Field[] {
    return [...this.#unknown.values()];
  }

  /** What became of the lines of one run of the board's program, chunk by chunk as it is read. */
  async *read(
    bytes: ReadableStream<Uint8Array>,
  ): AsyncIterable<readonly ParsedEntry[]> {
    const { board: { marker, max_line_bytes }, catalogue } = this.#options;
    const entries: ParsedEntry[] = [];
    let monoUs = 0;
    const telemetry = new TelemetryStream({
      marker,
      catalogue,
      counters: this.counters,
      metricOf: (field) => this.#unknownFields.metricOf(field),
      onUnknown: (fields) => this.#note(fields),
      // Nobody asks when it was.
      clock: new EventClock({ now: () => ({ epoch: 0, monoUs: monoUs += 8 }) }),
      onPacket: (packet, line) => entries.push(this.#packet(packet, line)),
      onReject: (line, reason) =>
        entries.push({
          kind: "reject",
          line,
          reason,
          unknown: this.#takeUnknown(),
        }),
      onText: (text, level) => entries.push(this.#log(text, level)),
    });
    const lines = telemetry.writable.getWriter();
    // The packets have come through `onPacket`.
    const drained = telemetry.readable.pipeTo(new WritableStream());
    for await (
      const some of bytes.pipeThrough(
        new LineStream({ maxBytes: max_line_bytes, marker }),
      )
    ) {
      await lines.write(some);
      if (entries.length > 0) yield entries.splice(0);
    }
    await lines.close();
    await drained;
    if (entries.length > 0) yield entries.splice(0);
  }

  #packet(packet: TelemetryPacket, line: string): ParsedEntry {
    const { catalogue, board } = this.#options;
    const { boardTs, readings, dropped } = packet;
    const { counters } = this;
    counters.readings += readings.length + dropped.length;
    for (const { reason } of dropped) {
      counters.dropped.set(reason, (counters.dropped.get(reason) ?? 0) + 1);
    }
    const row: Row = {
      seq: 0,
      board: board.name,
      timeUs: 0,
      timeQuality: "known",
      boardTs,
      readings,
      total: 0,
    };
    return {
      kind: "packet",
      line,
      boardTs,
      values: readings.map((reading) => this.#value(row, reading)),
      dropped: dropped.map((one) => ({
        ...one,
        range: catalogue.get(one.path)?.range ?? null,
      })),
      unknown: this.#takeUnknown(),
    };
  }

  #log(text: string, level: Level): ParsedEntry {
    const unknown = this.#takeUnknown();
    const reason = unknown.length > 0
      ? "no known field"
      : this.#options.board.marker !== ""
      ? "no marker"
      : this.#isEmpty(text)
      ? "no usable value"
      : "no JSON object";
    return { kind: "log", text, level, reason, unknown };
  }

  /** Whether `text` holds JSON without a value that could be sent. */
  #isEmpty(text: string): boolean {
    if (!text.includes("{")) return false;
    const { board: { marker }, catalogue } = this.#options;
    const parsed = parseLine({ text, truncated: false }, { marker, catalogue });
    return parsed.kind === "other" && parsed.isEmpty === true;
  }

  #note(fields: readonly Field[]): void {
    this.#unknownHere = fields;
    for (const field of fields) {
      const isKept = this.#unknown.size < MOST_FIELDS &&
        fieldMetric(field.path) !== undefined;
      if (isKept) this.#unknown.set(field.path, field);
    }
  }

  #takeUnknown(): readonly Field[] {
    const unknown = this.#unknownHere;
    this.#unknownHere = [];
    return unknown;
  }

  #value(row: Row, reading: Row["readings"][number]): ParsedValue {
    const { path, value } = reading;
    const message = this.#messages?.of(row, reading, "live");
    const point = this.#points?.line(row, reading);
    const problem = typeof message === "string"
      ? message
      : this.#points !== undefined && point === undefined
      ? this.#points.whyNone(reading)
      : undefined;
    return {
      path,
      value,
      unit: this.#options.catalogue.get(path)?.unit ?? null,
      message: message === undefined || typeof message === "string" ? null : {
        topic: message.topic.name,
        payload: message.payload,
        retain: message.retain,
      },
      point: point?.slice(0, point.lastIndexOf(" ")) ?? null,
      ...(problem === undefined ? {} : { problem }),
    };
  }
}
