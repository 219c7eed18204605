/**
 * What a run has left behind, as the check needs it.
 *
 * @module
 */

import type { SinkStatus, Status } from "../../lib/monitor/status.ts";
import type { ExportedPoint } from "../servers.ts";
import type { PrintedPacket } from "./board_files.ts";
import type { Session } from "./gateway.ts";
import type { RecordedRow } from "./journal_record.ts";
import type { Heard } from "./listener.ts";

/** A session, and what may be missing of it. */
export interface JudgedSession extends Session {
  /** What was read and not on the disk may be lost with it, because the disk failed. */
  readonly excused: boolean;
  /** It was in memory until its end: what had gone to both servers by then stands in no journal. */
  readonly joined: boolean;
}

/** What a run has left behind. */
export interface Evidence {
  /** Before every topic, without a slash. */
  readonly prefix: string;
  /** What the board printed, by its own account. */
  readonly printed: readonly PrintedPacket[];
  readonly sessions: readonly JudgedSession[];
  /** Every row that the journal has ever held. */
  readonly rows: readonly RecordedRow[];
  /** What a durable subscriber heard. */
  readonly heard: Heard;
  /** What a late subscriber got, by topic. */
  readonly retained: ReadonlyMap<string, string>;
  /** What the database holds. */
  readonly points: readonly ExportedPoint[];
  /** How the gateway says that things stand. */
  readonly status: {
    readonly boards: Status["boards"];
    readonly sinks: readonly Omit<SinkStatus, "target" | "cursor" | "link">[];
  };
  /** What was wrong on the way. */
  readonly faults: readonly string[];
}
