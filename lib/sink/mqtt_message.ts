/**
 * What one reading looks like on the wire.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { notOfType, valueOf } from "../catalogue.ts";
import type { MqttConfig } from "../config/schema.ts";
import type { Reading, Row } from "../model.ts";
import type { MqttConnection } from "./mqtt_connection.ts";
import type { MqttTopics, Topic } from "./mqtt_topics.ts";
import { noMetric } from "./sink.ts";

/** A message, ready to be published. */
export interface MqttMessage {
  readonly topic: Pick<Topic, "name" | "utf8" | "retain">;
  /**
   * A number in its shortest exact form, `true` or `false`, or the text; of the past, JSON with the time and
   * the value.
   */
  readonly payload: string;
  readonly retain: boolean;
  /** MQTT 5 user properties; all messages of a row have the same object. */
  readonly marks: Readonly<Record<string, string>> | undefined;
}

/** What the messages of a session depend on beside its connection. */
export interface MqttMessagesOptions {
  readonly config: MqttConfig;
  readonly topics: MqttTopics;
  /** Where the past goes. */
  readonly history: MqttTopics;
  /** Whether no newer value of this reading is in the journal. */
  readonly isNewest: (row: Row, path: string) => boolean;
  /** How long ago a row happened, in microseconds. */
  readonly ageUs: (row: Row) => number;
}

/** What messages depend on of a connection. */
export type MqttTerms = Pick<MqttConnection, "version" | "limits">;

/** Makes the messages of one session, within the limits of its broker. */
export class MqttMessages {
  readonly qos: 0 | 1 | 2;
  readonly #connection: MqttTerms;
  readonly #options: MqttMessagesOptions;
  /** The last row, whether it is live, and the marks that all of its messages carry. */
  #row: Row | undefined;
  #isLive = false;
  #marks: MqttMessage["marks"];

  constructor(connection: MqttTerms, options: MqttMessagesOptions) {
    this.qos = Math.min(options.config.qos, connection.limits.qos) as 0 | 1 | 2;
    this.#connection = connection;
    this.#options = options;
  }

  /** Whether this reading is not to be sent, because a newer value stands for it. */
  isSuperseded(row: Row, path: string): boolean {
    const { config, isNewest } = this.#options;
    if (config.replay !== "latest") return false;
    this.#lookAt(row);
    return !this.#isLive && !isNewest(row, path);
  }

  /**
   * The message of `reading`, or why there is none.
   *
   * @param kind `restated`: told again to a broker that may have forgotten it, to be retained
   */
  of(
    row: Row,
    reading: Reading,
    kind: "live" | "past" | "restated",
  ): MqttMessage | string {
    const { topics, history } = this.#options;
    const topic = (kind === "past" ? history : topics)
      .of(row.board, reading.path);
    if (topic === undefined) return noMetric(reading.path);
    this.#lookAt(row);
    let { value } = reading;
    if (!topic.isPlain || typeof value !== "number") {
      const own = valueOf(topic.metric, value);
      if (own === undefined) return notOfType(topic.metric, value);
      value = own;
    }
    const payload = kind === "past"
      ? JSON.stringify({ ...timeOf(row), value })
      : String(value);
    const marks = kind === "past" ? undefined : this.#marks;
    const { maximumPacketSize } = this.#connection.limits;
    if (maximumPacketSize < Infinity) {
      const bytes = packetBytes(topic, payload, marks !== undefined);
      if (bytes > maximumPacketSize) {
        return `The message takes ${bytes} bytes, and the broker at most ${maximumPacketSize}`;
      }
    }
    const retain = this.#isRetained(topic, row, reading, kind);
    return { topic, payload, retain, marks };
  }

  #isRetained(
    topic: Topic,
    row: Row,
    { path }: Reading,
    kind: "live" | "past" | "restated",
  ): boolean {
    return topic.retain &&
      (kind === "restated" || this.#options.isNewest(row, path));
  }

  /**
   * `historical` and the time, as far as it is known, mark a row that is no longer live; MQTT 3.1.1 has
   * no place for them.
   */
  #lookAt(row: Row): void {
    if (row === this.#row) return;
    const { config, ageUs } = this.#options;
    this.#row = row;
    this.#isLive = ageUs(row) <= config.live_within_s * 1e6;
    this.#marks = this.#isLive || this.#connection.version !== 5
      ? undefined
      : { historical: "true", ...timeOf(row) };
  }
}

/** What can be said of a row's time: nothing while it may still be corrected. */
function timeOf({ timeUs, timeQuality }: Row): Record<string, string> {
  switch (timeQuality) {
    case "known":
      return { time: formatTime(timeUs) };
    case "estimated":
      return { time: formatTime(timeUs), clock: "estimated" };
    case "unknown":
      return {};
  }
}

/** RFC 3339 in UTC with microseconds; `timeUs` counts from 1970. */
function formatTime(timeUs: number): string {
  const ms = Math.floor(timeUs / 1_000);
  const us = String(timeUs - ms * 1_000).padStart(3, "0");
  return new Date(ms).toISOString().replace("Z", `${us}Z`);
}

/** The most bytes that a message can take on the wire (MQTT 5, section 3.3). */
function packetBytes(
  topic: Topic,
  payload: string,
  historical: boolean,
): number {
  // Type, remaining length, length of the topic, message id, length of the properties.
  const header = 1 + 4 + 2 + 2 + 1;
  // Each user property: identifier and two lengths; "historical" "true", "time", "clock" "estimated".
  const marks = historical ? (5 + 10 + 4) + (5 + 4 + 27) + (5 + 5 + 9) : 0;
  return header + topic.utf8.length + marks + Buffer.byteLength(payload);
}
