/**
 * What a line is: a packet of telemetry, something that looks like one and is broken, or a log line.
 *
 * @module
 */

import type { Catalogue, Metric } from "../catalogue.ts";
import { ADVISE_ONE_LINE, ADVISE_VALUES } from "../json_advice.ts";
import type { Field } from "../metric_proposal.ts";
import type { TelemetryPacket } from "../model.ts";
import {
  type FirmwareText,
  readFirmwareText,
  splitLocation,
  stripColours,
} from "./firmware_text.ts";
import type { Line } from "./line_stream.ts";
import { PacketError, PacketReader } from "./packet_reader.ts";
import type { PacketShapes } from "./packet_shape.ts";
import { readPanic } from "./panic.ts";
import { type PathNode, pathTree } from "./path_tree.ts";

/** What a line turned out to be. */
export type ParsedLine =
  | {
    readonly kind: "packet";
    readonly packet: TelemetryPacket;
    /** Fields that no metric names; left out of a packet that is like one before it. */
    readonly unknown?: readonly Field[];
  }
  | {
    readonly kind: "reject";
    /** What is wrong, with the value; fit for a log. */
    readonly reason: string;
    /** It is the beginning of a packet, and the line ends too early. */
    readonly isOpen: boolean;
    /** The line holds JSON, and no metric names one of its fields, at least one. */
    readonly unknown?: readonly Field[];
  }
  | {
    readonly kind: "other";
    readonly said: FirmwareText;
    /** Its end may be the beginning of the marker, or of a packet. */
    readonly isOpen: boolean;
    /** The line holds JSON where the gateway looks for it, without a value that could be sent. */
    readonly isEmpty?: true;
    /** The line holds JSON, and no metric names one of its fields, at least one. */
    readonly unknown?: readonly Field[];
  };

/** Options for {@linkcode parseLine}. */
export interface ParseOptions {
  /** What stands before the JSON (`gateway.marker`): `JSON sent via VCP: `; empty: anything may. */
  readonly marker: string;
  readonly catalogue: Catalogue;
  /** What packets of the same board were like, by the same catalogue. @default {each is read with care} */
  readonly shapes?: PacketShapes;
  /** The metric as which a field goes on that the catalogue does not have. @default {it does not} */
  readonly metricOf?: ((field: Field) => Metric | undefined) | undefined;
}

/** What the guide's firmware prints before its JSON, and how `gateway.marker` is unless it is given. */
export const GUIDE_MARKER = "JSON sent via VCP: ";

/** Why a line that was too long is a reject, whatever is left of it. */
export const CUT = "The line is longer than the limit and was cut";

const NOTHING_KNOWN = "No metric of the catalogue is in the packet";
const NOTHING_USABLE = `No value of the packet can be sent: ${ADVISE_VALUES}`;
/** Why an object is a reject whose first brace ends its line. */
export const SEVERAL_LINES =
  `The JSON object goes on in the next line, and ${ADVISE_ONE_LINE}`;
const TWO_PACKETS = "Two packets in one line";

/** The beginning of a JSON object that says something. */
const OBJECT = /\{\s*"/g;
/** What Python prints for an object. */
const SINGLE_QUOTED = /\{\s*'[^']*'\s*:/;
/** What compilers call parts of a program in a backtrace: `{closure#0}`, `{{closure}}`, `{impl#2}`. */
const CODE =
  /^\{\{?(?:closure|coroutine|constant|constructor|impl|extern|shim|vtable)\b[^"{}]*\}/;
/** What probe-rs puts before what a channel prints. */
const CHANNELS = /^(?:\[[^\]]{1,40}\] )*/;

/** All up to the last character that cannot be seen, be it as it is or escaped as in a log. */
const UNPRINTABLE =
  /^.*(?:[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|\\u\{[0-9a-f]{1,6}\})/su;

const NO_METRICS: Catalogue = new Map();
const trees = new WeakMap<Catalogue, PathNode>();

/**
 * Finds the marker anywhere in the line and reads the JSON object behind it; what stands before and
 * behind (time, level, channel, location, the literal `\n`) may be anything.
 *
 * Without a marker the first JSON object of a line is it. One that is broken is a reject where the text of
 * the line begins with it, and else a log line like any other; so is an object without a metric.
 */
export function parseLine(line: Line, options: ParseOptions): ParsedLine {
  const text = stripColours(line.text);
  return options.marker === ""
    ? parseUnmarked(text, line.truncated, options)
    : parseMarked(text, line.truncated, options);
}

function parseMarked(
  text: string,
  truncated: boolean,
  options: ParseOptions,
): ParsedLine {
  const { marker } = options;
  const found = text.indexOf(marker);
  if (found < 0) {
    return other(text, !truncated && endsWithBeginning(text, marker));
  }
  if (truncated) return reject(CUT);
  let start = found + marker.length;
  while (text[start] === " ") start++;
  if (text[start] !== "{") {
    return reject(
      "No JSON object stands behind the marker",
      start === text.length,
    );
  }
  const read = readObject(text, start, options);
  if (read.kind === "broken") return reject(read.reason, read.isOpen);
  const { packet, end, unknown } = read;
  // Two lines whose newline was lost: taking the first would lose the second in silence.
  if (text.includes(marker, end)) return reject(TWO_PACKETS);
  if (hasReadings(packet)) return packetOf(packet, unknown);
  return unknown
    ? { ...reject(NOTHING_KNOWN), unknown }
    : reject(NOTHING_USABLE);
}

function parseUnmarked(
  text: string,
  truncated: boolean,
  options: ParseOptions,
): ParsedLine {
  const start = objectIn(text);
  if (start < 0 || tellsOfPanic(text)) return other(text);
  if (truncated) {
    return beginsAt(text, start) ? reject(CUT) : other(text);
  }
  const read = readObject(text, start, options);
  if (read.kind === "broken") {
    return beginsAt(text, start)
      ? reject(read.reason, read.isOpen)
      : other(text, read.isOpen);
  }
  const { packet, end, unknown } = read;
  if (!hasReadings(packet)) {
    return { ...other(text), ...(unknown ? { unknown } : { isEmpty: true }) };
  }
  OBJECT.lastIndex = end;
  return OBJECT.test(text) ? reject(TWO_PACKETS) : packetOf(packet, unknown);
}

/** Where a JSON object begins in the line, or what was meant for one; −1 where nothing does. */
function objectIn(text: string): number {
  const first = text.indexOf("{");
  if (first < 0) return -1;
  OBJECT.lastIndex = first;
  const found = OBJECT.exec(text)?.index ?? -1;
  return found !== first && !CODE.test(text.slice(first)) &&
      beginsAt(text, first)
    ? first
    : found;
}

/** Whether it is the first line of a panic, whose message may hold anything. */
function tellsOfPanic(text: string): boolean {
  return text.includes("panicked at ") &&
    readPanic(readFirmwareText(text)) !== null;
}

/**
 * Why the JSON of a line cannot be read, wherever it stands; undefined where there is none, or none that is
 * broken: `Config { baud: 9600 }` and a panic's message were never meant for JSON.
 */
export function brokenJsonIn(line: string): string | undefined {
  const text = stripColours(line);
  if (!text.includes("{") || tellsOfPanic(text)) return undefined;
  const found = objectIn(text);
  const start = found < 0 ? text.search(SINGLE_QUOTED) : found;
  if (start < 0) return undefined;
  const read = readObject(text, start, { marker: "", catalogue: NO_METRICS });
  return read.kind === "broken" ? read.reason : undefined;
}

/** Whether what a line says begins with its JSON: nothing but time, level and channel stand before it. */
export function beginsWithJson({ text: raw }: Line): boolean {
  const text = stripColours(raw);
  const start = objectIn(text);
  return start >= 0 && beginsAt(text, start);
}

/**
 * What a line says before its JSON object, without time, level and channel, and without all up to the last
 * character that cannot be seen: nobody would write that into a configuration.
 *
 * @param start index of the object's `{` @default {where the gateway finds it}
 */
export function textBeforeJson(
  text: string,
  start = Math.max(0, objectIn(text)),
): string {
  const before = text.slice(0, start).replace(UNPRINTABLE, "");
  const { text: said } = readFirmwareText(before + "{");
  return said.replace(CHANNELS, "").slice(0, -1);
}

/** Whether what a line says begins at `start`: before that there are time, level and channel alone. */
function beginsAt(text: string, start: number): boolean {
  const { text: said, layout } = readFirmwareText(text.slice(0, start) + "{");
  if (layout === "hex" || layout === "location") return false;
  return said.replace(CHANNELS, "").trimStart() === "{";
}

/** What stands at a `{`. */
type ReadObject =
  | {
    readonly kind: "object";
    readonly packet: TelemetryPacket;
    readonly end: number;
    readonly unknown?: readonly Field[] | undefined;
  }
  | {
    readonly kind: "broken";
    readonly reason: string;
    readonly isOpen: boolean;
  };

function readObject(
  text: string,
  start: number,
  { marker, catalogue, shapes, metricOf }: ParseOptions,
): ReadObject {
  const known = shapes?.read(text, start);
  if (known) return { kind: "object", ...known };
  const strictHeader = marker === GUIDE_MARKER;
  const tree = treeOf(catalogue);
  let reader = new PacketReader(text, start, { strictHeader });
  try {
    let packet = reader.read(tree);
    if (metricOf !== undefined && reader.unknown.length > 0) {
      // Only now, since names in a line that is broken are anything, and there is room for so many only.
      reader = new PacketReader(text, start, { strictHeader, metricOf });
      packet = reader.read(tree);
    }
    const { end, values, unknown, isTypical } = reader;
    if (
      isTypical && packet.readings.length > 0 && packet.dropped.length === 0
    ) {
      shapes?.learn(text, start, end, values);
    }
    return {
      kind: "object",
      packet,
      end,
      unknown: unknown.length > 0 ? unknown : undefined,
    };
  } catch (error) {
    // What is no PacketError is a fault of ours; the line is kept among the rejects all the same.
    if (!(error instanceof PacketError)) {
      return {
        kind: "broken",
        reason: `Cannot read the line: ${error}`,
        isOpen: false,
      };
    }
    // Behind a location nothing can be missing: defmt prints whole lines.
    const isOpen = error.isOpen && splitLocation(text).text === text;
    const reason = isOpen && text.slice(start).trim() === "{"
      ? SEVERAL_LINES
      : error.message;
    return { kind: "broken", reason, isOpen };
  }
}

function hasReadings({ readings, dropped }: TelemetryPacket): boolean {
  return readings.length + dropped.length > 0;
}

function packetOf(
  packet: TelemetryPacket,
  unknown: readonly Field[] | undefined,
): ParsedLine {
  return unknown
    ? { kind: "packet", packet, unknown }
    : { kind: "packet", packet };
}

function other(text: string, isOpen = false): ParsedLine {
  return { kind: "other", said: readFirmwareText(text), isOpen };
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
