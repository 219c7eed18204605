/**
 * What the recordings of tests begin with.
 *
 * @module
 */

import type { RecordingHeader } from "../../lib/source/recording.ts";

/** The header of a recording of the single board, by a clock that was known. */
export const HEADER: RecordingHeader = {
  kind: "header",
  ms: 0,
  program: "0.1.0",
  board: "",
  time: "2026-11-23T10:00:00.000Z",
  clock: "known",
  running: null,
};
