/**
 * What a board would print, written to a file beforehand: `cat` of it costs a child next to nothing
 * while something is measured.
 *
 * @module
 */

import { SimulatedBoard } from "../../lib/simulator/board.ts";

/** From one packet to the next on the board's clock, in milliseconds. */
const STEP_MS = 10_000;
/** Packets written at once. */
const CHUNK_PACKETS = 2000;

/** Readings of each packet that the simulated board prints. */
export const READINGS = 9;

/** Options for {@linkcode writeLines}. */
export interface WriteLinesOptions {
  readonly packets: number;
  /** The same seed gives the same lines. @default {1} */
  readonly seed?: number;
}

/** A file of lines. */
export interface PreparedLines {
  readonly path: string;
  /** Lines of telemetry. */
  readonly packets: number;
  /** All lines: the firmware logs other things as well. */
  readonly lines: number;
  readonly bytes: number;
}

/** Makes the file at `path`: `packets` packets of nine readings, and the firmware's other log lines. */
export async function writeLines(
  path: string,
  { packets, seed = 1 }: WriteLinesOptions,
): Promise<PreparedLines> {
  const board = new SimulatedBoard({ seed, stepMs: STEP_MS });
  const encoder = new TextEncoder();
  using file = await Deno.create(path);
  let [lines, bytes] = [0, 0];
  for (let written = 0; written < packets; written += CHUNK_PACKETS) {
    const chunk: string[] = [];
    const end = Math.min(CHUNK_PACKETS, packets - written);
    for (let i = 0; i < end; i++) chunk.push(...board.packet());
    const text = encoder.encode(chunk.join("\n") + "\n");
    for (let at = 0; at < text.length;) {
      at += await file.write(text.subarray(at));
    }
    lines += chunk.length;
    bytes += text.length;
  }
  return { path, packets, lines, bytes };
}
