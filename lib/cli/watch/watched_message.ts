/**
 * A message of the broker as a person, or a program, is shown it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Catalogue } from "../../catalogue.ts";
import type { SeenMessage } from "../../sink/mqtt_subscription.ts";
import { escapeTricks } from "../../source/firmware_text.ts";

/** What was read out of a message. */
export interface WatchedMessage {
  /** The whole topic, harmless to a terminal. */
  readonly topic: string;
  /** The payload in one line, harmless to a terminal; of the past, the value alone. */
  readonly text: string;
  /** What the payload stands for. */
  readonly value: number | boolean | string;
  /** The catalogue's word; null where it has none. */
  readonly unit: string | null;
  readonly isRetained: boolean;
  /** From before the subscription: its age is not known, unless `happened` tells it. */
  readonly isStored: boolean;
  /** Sent late, after an outage. */
  readonly isHistorical: boolean;
  /** RFC 3339, where the message says when its value happened. */
  readonly happened?: string;
}

/** Of longer payloads the beginning is shown, in bytes. */
const MAX_BYTES = 1024;
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const PAST = "history/";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads the messages below one prefix. */
export class MessageReader {
  readonly #prefix: string;
  /** By node and name, which no two metrics share. */
  readonly #units: ReadonlyMap<string, string>;

  constructor(prefix: string, catalogue: Catalogue) {
    this.#prefix = `${prefix}/`;
    this.#units = new Map(
      [...catalogue.values()].flatMap(({ node, name, unit }) =>
        unit === null ? [] : [[`${node}/${name}`, unit] as const]
      ),
    );
  }

  /** `topic` without the prefix. */
  below(topic: string): string {
    return topic.startsWith(this.#prefix)
      ? topic.slice(this.#prefix.length)
      : topic;
  }

  /** What `message` says. */
  read(message: SeenMessage): WatchedMessage {
    const { topic, payload, isRetained, isStored, marks } = message;
    const written = textOf(payload);
    const past = this.below(topic).startsWith(PAST) ? pastOf(written) : null;
    const text = past?.text ?? written;
    const happened = past?.time ?? marks.time;
    return {
      topic: escapeTricks(topic),
      text: text === "" ? "(empty)" : escapeTricks(text),
      value: valueOf(text),
      unit: this.#unitOf(topic),
      isRetained,
      isStored,
      isHistorical: past !== null || marks.historical === "true",
      ...(typeof happened === "string" && isTime(happened) ? { happened } : {}),
    };
  }

  /** A board's name, or `history/`, may stand before node and name. */
  #unitOf(topic: string): string | null {
    const levels = this.below(topic).split("/");
    return this.#units.get(levels.slice(-2).join("/")) ?? null;
  }
}

/** The payload as text; of bytes that are none, their number and the first. */
function textOf(payload: Uint8Array): string {
  const isLong = payload.length > MAX_BYTES;
  const end = isLong ? " …" : "";
  try {
    const shown = isLong ? payload.subarray(0, endOfText(payload)) : payload;
    return decoder.decode(shown) + end;
  } catch {
    const hex = Buffer.from(payload.subarray(0, 16)).toString("hex");
    return `${payload.length} bytes: ${hex}${payload.length > 16 ? "…" : ""}`;
  }
}

/** Where the beginning of a long text may end: before a character, not within it. */
function endOfText(utf8: Uint8Array): number {
  let end = MAX_BYTES;
  while (end > MAX_BYTES - 4 && (utf8[end]! & 0xc0) === 0x80) end--;
  return end;
}

function valueOf(text: string): number | boolean | string {
  if (NUMBER.test(text) && Number.isFinite(Number(text))) return Number(text);
  return text === "true" || text === "false" ? text === "true" : text;
}

/** The value and the time that `{"time":"…","value":27.6}` holds; null for anything else. */
function pastOf(
  text: string,
): { readonly text: string; readonly time: unknown } | null {
  try {
    const { value, time } = JSON.parse(text);
    return value === undefined ? null : { text: String(value), time };
  } catch {
    return null;
  }
}

function isTime(text: string): boolean {
  return text.length <= 40 && !Number.isNaN(Date.parse(text));
}
