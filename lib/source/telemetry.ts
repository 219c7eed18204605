/**
 * What a line is: a packet of telemetry, something that looks like one and is broken, or a log line.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import type { TelemetryPacket } from "../model.ts";
import { type Level, readFirmwareText, stripColours } from "./firmware_text.ts";
import type { Line } from "./line_stream.ts";
import { PacketError, PacketReader } from "./packet_reader.ts";
import { type PathNode, pathTree } from "./path_tree.ts";

/** What a line turned out to be. */
export type ParsedLine =
  | { readonly kind: "packet"; readonly packet: TelemetryPacket }
  | {
    readonly kind: "reject";
    /** What is wrong, with the value; fit for a log. */
    readonly reason: string;
  }
  | { readonly kind: "other"; readonly level: Level; readonly text: string };

/** Options for {@linkcode parseLine}. */
export interface ParseOptions {
  /** What stands before the JSON (`gateway.marker`): `JSON sent via VCP: `. */
  readonly marker: string;
  readonly catalogue: Catalogue;
}

/** Why a line that was too long is a reject, whatever is left of it. */
export const CUT = "The line is longer than the limit and was cut";

const trees = new WeakMap<Catalogue, PathNode>();

/**
 * Finds the marker anywhere in the line and reads the JSON object behind it; what stands before and
 * behind (time, level, channel, location, the literal `\n`) may be anything.
 */
export function parseLine(
  line: Line,
  { marker, catalogue }: ParseOptions,
): ParsedLine {
  const text = stripColours(line.text);
  const found = text.indexOf(marker);
  if (found < 0) return { kind: "other", ...readFirmwareText(text) };
  if (line.truncated) {
    return reject(CUT);
  }
  let start = found + marker.length;
  while (text[start] === " ") start++;
  if (text[start] !== "{") {
    return reject("No JSON object stands behind the marker");
  }
  try {
    const reader = new PacketReader(text, start);
    const packet = reader.read(treeOf(catalogue));
    // Two lines whose newline was lost: taking the first would lose the second in silence.
    if (text.includes(marker, reader.end)) {
      return reject("Two packets in one line");
    }
    return { kind: "packet", packet };
  } catch (error) {
    // What is no PacketError is a fault of ours; the line is kept among the rejects all the same.
    return reject(
      error instanceof PacketError
        ? error.message
        : `Cannot read the line: ${error}`,
    );
  }
}

function reject(reason: string): ParsedLine {
  return { kind: "reject", reason };
}

function treeOf(catalogue: Catalogue): PathNode {
  let tree = trees.get(catalogue);
  if (!tree) trees.set(catalogue, tree = pathTree(catalogue));
  return tree;
}
