/**
 * Lines that probe-rs broke, or into which it put a channel's name, because a poll ended there.
 *
 * Only what leaves no doubt is mended, because a wrong packet is worse than a lost one, and something
 * may have been lost where a line was broken. So nothing is mended within a number or beside one, and
 * a packet only if it has the shape of one that came whole: then no value can be under another's key.
 *
 * @module
 */

import { readFirmwareText } from "./firmware_text.ts";

/** `[Terminal] `, but no level. */
const CHANNEL = /^\[(?!(?:TRACE|DEBUG|INFO|WARN|ERROR) {0,2}\])[^\]]{1,40}\] /;
const BRACKET = 0x5b;
const NUMBER = /[\d.+-]/;
const STRING_OR_NUMBER = /"[^"]*"?|[-+\d.eE]+/g;
/** A board has two or three; more are no names of channels. */
const MAX_CHANNELS = 16;

/** A line that was put together. */
export interface MendedLine {
  readonly text: string;
  /** Where in `text` it was broken, the last time. */
  readonly brokenAt: number;
}

/** `head` and the line behind it as the one that they were; null where that is not certain. */
export function joinLines(head: string, tail: string): MendedLine | null {
  // A line with a time, a level or a channel of its own is one of its own.
  if (readFirmwareText(tail).layout !== "bare" || CHANNEL.test(tail)) {
    return null;
  }
  const text = head + tail;
  return touchesNumber(text, head.length)
    ? null
    : { text, brokenAt: head.length };
}

/**
 * The channels of one child, which put their names before whatever a poll brought: at the beginning
 * of lines, from where they are known, and in the midst of them.
 */
export class ChannelNames {
  readonly #marker: string;
  readonly #prefixes = new Set<string>();

  /** @param marker `gateway.marker` */
  constructor(marker: string) {
    this.#marker = marker;
  }

  /** Notes the name that `line` begins with. */
  note(line: string): void {
    // Asked of every line, and most of them begin with a time or a level.
    if (line.charCodeAt(0) !== BRACKET || !CHANNEL.test(line)) return;
    if (this.#prefixes.size === MAX_CHANNELS) return;
    const name = line.slice(0, line.indexOf("] ") + 2);
    if (!this.#isOfMarker(name)) this.#prefixes.add(name);
  }

  /**
   * `line` without the names that stand in its packet, or in the marker before it; undefined where
   * none does, null where one touches a number.
   */
  without(line: string): MendedLine | null | undefined {
    // Most boards have no names, and no line of theirs shall pay for them.
    if (this.#prefixes.size === 0) return undefined;
    const marker = this.#marker;
    let text = line;
    let brokenAt: number | undefined;
    for (const name of this.#prefixes) {
      const start = Math.max(0, packetStart(text, marker));
      const end = text.lastIndexOf("}");
      if (end < start) continue;
      const pieces = text.slice(start, end).split(name);
      if (pieces.length === 1) continue;
      text = text.slice(0, start) + pieces.join("") + text.slice(end);
      const marked = packetStart(text, marker);
      let at = start;
      for (const piece of pieces.slice(0, -1)) {
        at += piece.length;
        const isWithin = marked >= 0 && at >= marked + marker.length;
        if (isWithin && touchesNumber(text, at)) return null;
      }
      brokenAt = Math.max(at, brokenAt ?? 0);
    }
    return brokenAt === undefined ? undefined : { text, brokenAt };
  }

  /** Whether it is the firmware's: taken out, no marker would be left, or two packets would look like one. */
  #isOfMarker(name: string): boolean {
    const marker = this.#marker;
    return marker !== "" &&
      (name.includes(marker) || marker.includes(name.trimEnd()));
  }
}

/** Where in a line the marker of its packet begins, or the packet where there is none; −1 where none does. */
export function packetStart(line: string, marker: string): number {
  return line.indexOf(marker === "" ? "{" : marker);
}

/** Whether the JSON of two lines is the same but for its numbers. */
export function haveSameShape(one: string, other: string): boolean {
  return shapeOf(jsonOf(one)) === shapeOf(jsonOf(other));
}

/** Whether `head` may become a line like `whole`, which came whole, by what another line adds. */
export function mayGoOn(head: string, whole: string, marker: string): boolean {
  const marked = packetStart(head, marker);
  const start = marked < 0 ? -1 : head.indexOf("{", marked);
  if (start < 0) return true;
  return !NUMBER.test(head.slice(-1)) &&
    shapeOf(jsonOf(whole)).startsWith(shapeOf(head.slice(start)));
}

function jsonOf(line: string): string {
  return line.slice(line.indexOf("{"), line.lastIndexOf("}") + 1);
}

function shapeOf(json: string): string {
  return json.replace(
    STRING_OR_NUMBER,
    (part) => part.startsWith('"') ? part : "0",
  );
}

function touchesNumber(text: string, at: number): boolean {
  return NUMBER.test(text.slice(Math.max(0, at - 1), at + 1));
}
