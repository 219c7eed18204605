/**
 * What a broker's answers mean for us: its return codes (MQTT 3.1.1, section 3.2.2.3) and reason codes
 * (MQTT 5, sections 3.1.2.11, 3.4.2.1 and 3.14.2.1).
 *
 * @module
 */

import type { IDisconnectPacket } from "mqtt";
import { ReasonCodes } from "mqtt/lib/handlers/ack";
import type { Failure } from "./sink.ts";

/** What becomes of one message that the broker did not accept. */
export type Verdict =
  /** It is broken: sending it again would change nothing. */
  | "reject"
  /** We have no right to this topic for now. */
  | "park"
  /** The broker cannot take it now. */
  | "retry";

const VERDICTS: Readonly<Record<number, Verdict>> = {
  0x87: "park", // Not authorized
  0x96: "park", // Message rate too high
  0x90: "reject", // Topic name invalid
  0x95: "reject", // Packet too large
  0x99: "reject", // Payload format invalid
};

/** The verdict on a message that PUBACK, PUBREC or PUBCOMP refused with `code`. */
export function judgeRefusal(code: number): Verdict {
  // An unknown code loses nothing: it is tried again.
  return VERDICTS[code] ?? "retry";
}

/** `"Not authorized" (0x87)`, or the number alone where the standard does not name it. */
export function describeReason(code: number): string {
  const hex = `0x${code.toString(16).padStart(2, "0")}`;
  const name = (ReasonCodes as Readonly<Record<number, string>>)[code];
  return name ? `"${name}" (${hex})` : hex;
}

const LOGIN_HINT =
  'Correct "mqtt.username" and "mqtt.password", or let this user in at the broker';
const BANNED_HINT = "Lift the ban at the broker";
const CLIENT_ID_HINT =
  'Set "mqtt.client_id" to one that the broker takes: some want at most 23 letters and digits';
/** For a client that is thrown off by another one. */
export const SAME_CLIENT_ID_HINT =
  'Another client uses the same client id (a copied disk?): give each gateway its own "mqtt.client_id"';
const ADDRESS_HINT = 'Set "mqtt.broker_url" to the broker that this one names';

/** What the operator can do about codes that do not pass by themselves; the others are retried. */
const HINTS: Readonly<Record<number, string>> = {
  1: "Use a broker that speaks MQTT 5 or 3.1.1",
  2: CLIENT_ID_HINT,
  4: LOGIN_HINT,
  5: LOGIN_HINT,
  0x84: "Use a broker that speaks MQTT 5 or 3.1.1",
  0x85: CLIENT_ID_HINT,
  0x86: LOGIN_HINT,
  0x87: LOGIN_HINT,
  0x8a: BANNED_HINT,
  0x8c: LOGIN_HINT,
  0x8e: SAME_CLIENT_ID_HINT,
  0x9a: 'Set "mqtt.retain" to false, or allow retained messages at the broker',
  0x9b: 'Set "mqtt.qos" to what the broker supports',
  0x9c: ADDRESS_HINT,
  0x9d: ADDRESS_HINT,
};

/** Whether a refused CONNACK means that the broker does not speak the version we tried. */
export function refusesVersion(code: number | undefined): boolean {
  return code === 1 || code === 0x84;
}

/** Whether a refused CONNACK means that another password could help. */
export function refusesLogin(code: number | undefined): boolean {
  return code !== undefined && HINTS[code] === LOGIN_HINT;
}

/** Whether a refused CONNACK may mean that the last will is forbidden: "Not authorized". */
export function mayForbidWill(code: number): boolean {
  return code === 5 || code === 0x87;
}

/** The failure that a CONNACK or DISCONNECT with `code` is; `what` begins its message. */
export function failureOfCode(
  what: string,
  code: number,
  words?: string,
): Failure {
  const message = `${what}: ${describeReason(code)}${
    words ? `, "${words}"` : ""
  }`;
  const hint = HINTS[code];
  return hint === undefined
    ? { kind: "retry", message }
    : { kind: "blocked", message, hint };
}

/** Why a session with the broker `name` is over, by what it sent last and what went wrong here. */
export function failureOfLoss(
  name: string,
  disconnect: IDisconnectPacket | undefined,
  fault: Error | undefined,
): Failure {
  if (disconnect?.reasonCode) {
    const what = `The MQTT broker at ${name} ended the session`;
    return failureOfCode(
      what,
      disconnect.reasonCode,
      disconnect.properties?.reasonString,
    );
  }
  const why = fault === undefined ? "" : `: ${fault.message}`;
  return {
    kind: "retry",
    message: `The connection to the MQTT broker at ${name} is lost${why}`,
  };
}

/** What the operator can do about a connection that does not come about. */
export function hintOf(failure: Failure): string {
  return failure.kind === "blocked"
    ? failure.hint
    : 'Start the broker, or correct "mqtt.broker_url"';
}

/** Why a session is over with a broker that hangs up at whatever it is sent. */
export function failureOfEveryMessage(
  name: string,
  topic: string,
): Failure {
  return {
    kind: "blocked",
    message:
      `The MQTT broker at ${name} hangs up at different messages, the last one for "${topic}"`,
    hint:
      'Look at the broker\'s log. It may forbid this user these topics; or it may forbid retained messages: then set "mqtt.retain" to false',
  };
}

/** Reasons of a DISCONNECT that no message of ours can have brought about. */
const NOT_FOR_A_MESSAGE = new Set([
  0x89, // Server busy
  0x8b, // Server shutting down
  0x8d, // Keep alive timeout
  0x8e, // Session taken over
  0x98, // Administrative action
  0x9c, // Use another server
  0x9d, // Server moved
  0x9f, // Connection rate exceeded
  0xa0, // Maximum connect time
]);

/** Whether a session may have been ended for what was sent; `code` is its DISCONNECT's, if there was one. */
export function mayBeForAMessage(code: number | undefined): boolean {
  return code === undefined || !NOT_FOR_A_MESSAGE.has(code);
}

/** Hint for a batch of which every reading was forbidden. */
export const PUBLISH_HINT =
  'Allow this user to publish under "mqtt.topic_prefix" at the broker, or correct the prefix';
