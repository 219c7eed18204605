/**
 * What a line is: a packet of telemetry, something that looks like one and is broken, or a log line.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import type { TelemetryPacket } from "../model.ts";
import {
  type FirmwareText,
  readFirmwareText,
  splitLocation,
  stripColours,
} from "./firmware_text.ts";
import type { Line } from "./line_stream.ts";
import { PacketError, PacketReader } from "./packet_reader.ts";
import type { PacketShapes, ShapedPacket } from "./packet_shape.ts";
import { type PathNode, pathTree } from "./path_tree.ts";

export type { Field } from "../metric_proposal.ts";

/** What a line turned out to be. */
export type ParsedLine =
  | { readonly kind: "packet"; readonly packet: TelemetryPacket }
  | {
    readonly kind: "reject";
    /** What is wrong, with the value; fit for a log. */
    readonly reason: string;
    /** It is the beginning of a packet, and the line ends too early. */
    readonly isOpen: boolean;
  }
  | {
    readonly kind: "other";
    readonly said: FirmwareText;
    /** Its end may be the beginning of the marker. */
    readonly isOpen: boolean;
  };

/** Options for {@linkcode parseLine}. */
export interface ParseOptions {
  /** What stands before the JSON (`gateway.marker`): `JSON sent via VCP: `. */
  readonly marker: string;
  readonly catalogue: Catalogue;
  /** What packets of the same board were like, by the same catalogue. @default {each is read with care} */
  readonly shapes?: PacketShapes;
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
  { marker, catalogue, shapes }: ParseOptions,
): ParsedLine {
  const text = stripColours(line.text);
  const found = text.indexOf(marker);
  if (found < 0) {
    const isOpen = !line.truncated && endsWithBeginning(text, marker);
    return { kind: "other", said: readFirmwareText(text), isOpen };
  }
  if (line.truncated) {
    return reject(CUT);
  }
  let start = found + marker.length;
  while (text[start] === " ") start++;
  if (text[start] !== "{") {
    return reject(
      "No JSON object stands behind the marker",
      start === text.length,
    );
  }
  try {
    const { packet, end } = shapes?.read(text, start) ??
      readWithCare(text, start, treeOf(catalogue), shapes);
    // Two lines whose newline was lost: taking the first would lose the second in silence.
    if (text.includes(marker, end)) return reject("Two packets in one line");
    return { kind: "packet", packet };
  } catch (error) {
    // What is no PacketError is a fault of ours; the line is kept among the rejects all the same.
    if (!(error instanceof PacketError)) {
      return reject(`Cannot read the line: ${error}`);
    }
    // Behind a location nothing can be missing: defmt prints whole lines.
    const isOpen = error.isOpen && splitLocation(text).text === text;
    return reject(error.message, isOpen);
  }
}

function readWithCare(
  text: string,
  start: number,
  tree: PathNode,
  shapes: PacketShapes | undefined,
): ShapedPacket {
  const reader = new PacketReader(text, start);
  const packet = reader.read(tree);
  const { end, numbers } = reader;
  if (packet.dropped.length === 0) shapes?.learn(text, start, end, numbers);
  return { packet, end };
}

function reject(reason: string, isOpen = false): ParsedLine {
  return { kind: "reject", reason, isOpen };
}

/** Whether `text` ends with some of the marker's first characters. */
function endsWithBeginning(text: string, marker: string): boolean {
  if (!marker.includes(text.slice(-1))) return false;
  for (let length = marker.length - 1; length > 0; length--) {
    if (text.endsWith(marker.slice(0, length))) return true;
  }
  return false;
}

function treeOf(catalogue: Catalogue): PathNode {
  let tree = trees.get(catalogue);
  if (!tree) trees.set(catalogue, tree = pathTree(catalogue));
  return tree;
}
