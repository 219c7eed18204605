/**
 * Publishes messages of QoS 1 on a connection: writes them as bytes, all of one turn in one piece.
 *
 * MQTT.js keeps the session (CONNECT, pings, the end), but not these messages. Its `publish` makes some
 * ten objects and six writes of each: of a flood's time on the main thread that took six tenths, half
 * of it in the system's `writev` (`deno task bench --points throughput`).
 *
 * Message ids up to {@linkcode LARGEST_OWN_ID} are the caller's; MQTT.js has those above.
 *
 * @module
 */

import type { IClientOptions, MqttClient } from "mqtt";
import { LARGEST_OWN_ID } from "./mqtt_acks.ts";
import type { MqttMessage } from "./mqtt_message.ts";

const LARGEST_ID = 65_535;

/** Type PUBLISH, QoS 1; the lowest bit is the flag to retain (MQTT 5, section 3.3.1). */
const PUBLISH_QOS_1 = 0x32, RETAIN = 0x01;
/** Identifier of a user property (MQTT 5, section 2.2.2.2). */
const USER_PROPERTY = 0x26;
/** Bytes that are one piece of memory: hundreds of messages of usual length. */
const PIECE_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/** Gives MQTT.js the upper half of the message ids. */
export class UpperMessageIds
  implements NonNullable<IClientOptions["messageIdProvider"]> {
  #last = LARGEST_OWN_ID;

  allocate(): number {
    this.#last = this.#last === LARGEST_ID
      ? LARGEST_OWN_ID + 1
      : this.#last + 1;
    return this.#last;
  }

  getLastAllocated(): number {
    return this.#last;
  }

  register(): boolean {
    return true;
  }

  deallocate(): void {}

  clear(): void {}
}

/** See the module's text. */
export class MqttPublisher {
  readonly #client: MqttClient;
  readonly #version: 4 | 5;
  /** What is written goes out as a part of it, so no byte is ever written twice. */
  #piece = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** The last message's marks, and these as bytes: all messages of a row have the same. */
  #marks: MqttMessage["marks"];
  #properties: Uint8Array;

  /** `version`: 4 for MQTT 3.1.1, which has no user properties. */
  constructor(client: MqttClient, version: 4 | 5) {
    this.#client = client;
    this.#version = version;
    this.#properties = encodeProperties(undefined, version);
  }

  /** Adds a message to those that {@linkcode flush} writes. */
  publish({ topic, payload, retain, marks }: MqttMessage, id: number): void {
    const properties = this.#propertiesOf(marks);
    const utf8 = utf8Of(payload);
    const rest = 4 + topic.utf8.length + properties.length +
      (utf8?.length ?? payload.length);
    this.#makeRoom(5 + rest);
    const bytes = this.#piece;
    let at = this.#end;
    bytes[at++] = retain ? PUBLISH_QOS_1 | RETAIN : PUBLISH_QOS_1;
    at = writeVarint(bytes, at, rest);
    at = writeUint16(bytes, at, topic.utf8.length);
    bytes.set(topic.utf8, at);
    at = writeUint16(bytes, at + topic.utf8.length, id);
    // Setting the one byte of no properties would cost more than the rest of the header.
    if (properties.length === 1) bytes[at] = 0;
    else bytes.set(properties, at);
    at += properties.length;
    if (utf8 === undefined) {
      for (let i = 0; i < payload.length; i++) {
        bytes[at++] = payload.charCodeAt(i);
      }
    } else {
      bytes.set(utf8, at);
      at += utf8.length;
    }
    this.#end = at;
  }

  /** Writes what was added since the last time, in one piece. */
  flush(): void {
    if (this.#start === this.#end) return;
    this.#client.stream.write(this.#piece.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#piece.length) return;
    this.flush();
    this.#piece = new Uint8Array(Math.max(PIECE_BYTES, bytes));
    this.#start = this.#end = 0;
  }

  #propertiesOf(marks: MqttMessage["marks"]): Uint8Array {
    if (marks !== this.#marks) {
      this.#marks = marks;
      this.#properties = encodeProperties(marks, this.#version);
    }
    return this.#properties;
  }
}

/** Marks as the properties of a PUBLISH, their length before them; nothing in MQTT 3.1.1. */
function encodeProperties(
  marks: MqttMessage["marks"],
  version: 4 | 5,
): Uint8Array {
  if (version === 4) return new Uint8Array(0);
  const bytes: number[] = [];
  for (const [name, value] of Object.entries(marks ?? {})) {
    bytes.push(USER_PROPERTY);
    for (const text of [name, value]) {
      const utf8 = encoder.encode(text);
      bytes.push(utf8.length >> 8, utf8.length & 0xff, ...utf8);
    }
  }
  const length = new Uint8Array(4);
  const lengthBytes = writeVarint(length, 0, bytes.length);
  return Uint8Array.from([...length.subarray(0, lengthBytes), ...bytes]);
}

/** `text` as bytes; undefined where each of its characters is one, as in every number. */
function utf8Of(text: string): Uint8Array | undefined {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return encoder.encode(text);
  }
  return undefined;
}

function writeUint16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
  return at + 2;
}

/** A variable byte integer (MQTT 5, section 1.5.5): seven bits a byte, the lowest first. */
function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value > 0x7f) {
    bytes[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[at++] = value;
  return at;
}
