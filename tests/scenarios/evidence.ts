/**
 * What a run has left behind, as the rules need it.
 *
 * All times are seconds of the wall clock since the bench began.
 *
 * @module
 */

import type { Value } from "../../lib/model.ts";
import type { GatewayReport } from "../../lib/control/protocol.ts";
import type { LineCounts } from "../../lib/journal/disk.ts";
import type { Plan } from "./plan.ts";

/** From one start of the gateway to its end. */
export interface Session {
  readonly from_s: number;
  /** When it was told to end; of one that nobody told, its end. */
  readonly asked_s: number;
  /** When its end was seen. */
  readonly to_s: number;
  /** `died`: nobody had asked for it. */
  readonly how: "killed" | "stopped" | "died";
  readonly code: number;
  /** It has logged something: before, the runtime itself was starting. */
  readonly hasBegun: boolean;
}

/** A process of the bench that was there when its gateway had ended. */
export interface Leftover {
  /** The place of the gateway's session. */
  readonly session: number;
  readonly pid: number;
  /** When it was gone; undefined: it was still there when somebody gave up waiting. */
  readonly gone_s: number | undefined;
}

/** A call of the stand-in that reads a board, `run` or `attach`. */
export interface Call {
  readonly session: number;
  /** The place of its board. */
  readonly board: number;
  readonly pid: number;
  readonly command: "run" | "attach";
  readonly from_s: number;
  /** Undefined: it was killed. */
  readonly end?: { readonly at_s: number; readonly why: string } | undefined;
  /** What it wrote to stdout, piece by piece. */
  readonly pieces: readonly { readonly at_s: number; readonly text: string }[];
}

/** A board at one moment, as the bench knows it. */
export interface TrueBoard {
  readonly flash_cycles: number;
  /** What the flash holds, as far as probe-rs wrote it; null: not known, or nothing. */
  readonly sha256: string | null;
  /** The process that reads RTT, or was killed while it did. */
  readonly reader: number | null;
}

/** The gateway's word and the truth, at the same time. */
export interface Sample {
  /** Before anybody was asked. */
  readonly from_s: number;
  /** When all had answered. */
  readonly to_s: number;
  /** The place of the session that ran all the time; undefined: none did. */
  readonly session: number | undefined;
  /** The boards, before the gateway was asked. */
  readonly boards: readonly TrueBoard[];
  /** What the gateway said; null: nothing. */
  readonly report: Pick<GatewayReport, "children"> | null;
  /** Process ids of calls that had begun before and lived after the gateway had answered. */
  readonly alive: readonly number[];
}

/** A firmware file, from then on. */
export interface FirmwareVersion {
  readonly board: number;
  readonly at_s: number;
  readonly sha256: string;
}

/** A board at the end. */
export interface BoardEvidence {
  readonly flash_cycles: number;
  readonly freezes: number;
  /** What the journal holds, in its order: see {@linkcode packetKey}. */
  readonly journalled: readonly string[];
  readonly counts: LineCounts;
  /** What the gateway says of the flash cycles. */
  readonly cyclesAtMost: number;
}

/** What a run has left behind. */
export interface Evidence {
  readonly plan: Plan;
  /** When the bench began, milliseconds of the wall clock. */
  readonly beganMs: number;
  /** What the gateway has logged. */
  readonly log: string;
  readonly sessions: readonly Session[];
  readonly leftovers: readonly Leftover[];
  readonly calls: readonly Call[];
  readonly samples: readonly Sample[];
  readonly firmware: readonly FirmwareVersion[];
  /** By the place in the plan. */
  readonly boards: readonly BoardEvidence[];
  /** What went wrong by itself on the way. */
  readonly faults: readonly string[];
}

/** The same for a packet as it was printed and as the journal gives it back. */
export function packetKey(
  ts: number | null,
  readings: readonly { readonly path: string; readonly value: Value }[],
): string {
  const values = readings.map(({ path, value }) => `${path}=${value}`).sort();
  return `${ts} ${values.join(" ")}`;
}

const MARKER = "JSON sent via VCP: ";

/** The whole packets in a text, in their order. */
export function packetsIn(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const at = line.lastIndexOf(MARKER);
    const end = line.lastIndexOf("\\n");
    if (at < 0 || end < at) return [];
    const packet = JSON.parse(line.slice(at + MARKER.length, end));
    const readings = ["n1", "n2", "sig", "sts"].flatMap((group) =>
      Object.entries<number>(packet[group]).map(([key, value]) => ({
        path: `${group}.${key}`,
        value,
      }))
    );
    return [packetKey(packet.ts, readings)];
  });
}
