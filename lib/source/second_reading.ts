/**
 * Reading a rejected line anew, once the catalogue that refused it is mended.
 *
 * A line is among the rejects for one of two causes: all of it could not be used, or one of its
 * readings could not, while the others went on as a packet. Of the latter only that reading comes out
 * here, so nothing is delivered twice.
 *
 * @module
 */

import type { DroppedReading, TelemetryPacket } from "../model.ts";
import { CUT, parseLine, type ParseOptions } from "./telemetry.ts";

/** What is usable of a rejected line now. */
export interface SecondReading {
  readonly packet: TelemetryPacket;
  /** Its reading was counted as received and dropped when the line came. */
  readonly counted: boolean;
  /** The reason of each of `packet.dropped`, for a reject of its own. */
  readonly reasons: readonly string[];
}

/** Why a reading can end in the parser. */
const DROPS = ["implausible", "not_a_number", "wrong_type"] as const;

/** Why a reading stands among the rejects: `implausible: n1.t = 2795`. */
export function dropReason({ path, value, reason }: DroppedReading): string {
  return `${beginning(reason, path)}${value}`;
}

/** Reads the line of a reject that has `reason`; null where it is as unusable as before. */
export function readAgain(
  line: string,
  reason: string,
  options: ParseOptions,
): SecondReading | null {
  const parsed = parseLine({ text: line, truncated: reason === CUT }, options);
  if (parsed.kind !== "packet") return null;
  const { packet } = parsed;
  const isDrop = DROPS.some((kind) => reason.startsWith(`${kind}: `));
  if (!isDrop) {
    const reasons = packet.dropped.map(dropReason);
    return { packet, counted: false, reasons };
  }
  const readings = packet.readings.filter(({ path }) =>
    DROPS.some((kind) => reason.startsWith(beginning(kind, path)))
  );
  if (readings.length === 0) return null;
  return {
    packet: { ...packet, readings, dropped: [] },
    counted: true,
    reasons: [],
  };
}

function beginning(reason: DroppedReading["reason"], path: string): string {
  return `${reason}: ${path} = `;
}
