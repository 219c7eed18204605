/**
 * The acknowledgements of QoS 1 in what a broker sends.
 *
 * MQTT.js makes some fifteen objects of each, and a turn of the event loop: in a flood 9 µs of the 55
 * that a packet of nine readings takes on the main thread (`deno task bench --points throughput`).
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** A message id from 1 up to this is the sink's own; MQTT.js has those above. */
export const LARGEST_OWN_ID = 32_767;

/** First byte of a PUBACK (MQTT 5, section 3.4). */
const PUBACK = 0x40;
/** A reason code from here on is a refusal, any other a success (MQTT 5, section 2.4). */
const FIRST_REFUSAL = 0x80;
/** Longer than any PUBACK whose reason is not padded: left to MQTT.js, and as good as no answer. */
const LONGEST_PUBACK = 70_000;

const NOTHING: Buffer = Buffer.alloc(0);

/** Takes the PUBACKs to the sink's own messages out of a stream of packets. */
export class MqttAcks {
  /** Is told each; `refusal`: the reason code, where it is one. */
  onAck: (id: number, refusal: number | undefined) => void = () => {};
  /** The beginning of a packet whose end has not come. */
  #held: Buffer = NOTHING;
  /** Bytes that are to come of a packet that is MQTT.js's. */
  #left = 0;

  /**
   * Takes what has come.
   *
   * @returns what of it is MQTT.js's, in its order; empty where nothing is
   */
  read(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0
      ? chunk
      : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    const others: Buffer[] = [];
    /** Where what is MQTT.js's begins that was not taken yet. */
    let from = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const here = Math.min(this.#left, bytes.length - at);
        this.#left -= here;
        at += here;
        continue;
      }
      const header = headerLength(bytes, at);
      const length = header + remainingLength(bytes, at, header);
      const mayBeOurs = bytes[at] === PUBACK && length <= LONGEST_PUBACK;
      const isWhole = at + (mayBeOurs ? length : header) <= bytes.length;
      if (!isWhole) {
        this.#held = bytes.subarray(at);
        break;
      }
      const id = (bytes[at + header]! << 8) | bytes[at + header + 1]!;
      if (!mayBeOurs || length < header + 2 || id > LARGEST_OWN_ID) {
        this.#left = length;
        continue;
      }
      // Without a code it is a success.
      const code = length > header + 2 ? bytes[at + header + 2]! : 0;
      if (from < at) others.push(bytes.subarray(from, at));
      from = at += length;
      this.onAck(id, code < FIRST_REFUSAL ? undefined : code);
    }
    if (from < at) others.push(bytes.subarray(from, at));
    return others.length === 0
      ? NOTHING
      : others.length === 1
      ? others[0]!
      : Buffer.concat(others);
  }
}

/** Bytes of type and length of the packet that begins at `at`, as far as they have come and one more. */
function headerLength(bytes: Buffer, at: number): number {
  let length = 2;
  while (length < 5 && (bytes[at + length - 1] ?? 0x80) > 0x7f) length++;
  return length;
}

/** The number in the header: seven bits a byte, the lowest first (MQTT 5, section 1.5.5). */
function remainingLength(bytes: Buffer, at: number, header: number): number {
  let rest = 0;
  for (let i = header - 1; i > 0; i--) {
    rest = (rest << 7) | ((bytes[at + i] ?? 0) & 0x7f);
  }
  return rest;
}
