/**
 * Lines that probe-rs broke, or into which it put a channel's name, because a poll ended there.
 *
 * Only what leaves no doubt is mended, because a wrong packet is worse than a lost one: what is cut
 * within a number or beside one stays broken. Were anything lost there, the number would be another.
 *
 * @module
 */

import { readFirmwareText } from "./firmware_text.ts";

/** `[Terminal] `, but no level. */
const CHANNEL = /^\[(?!(?:TRACE|DEBUG|INFO|WARN|ERROR) {0,2}\])[^\]]{1,40}\] /;
const NUMBER_END = /[\d.+-]$/;
const NUMBER_START = /^[\d.+-]/;
/** A board has two or three; more are no names of channels. */
const MAX_CHANNELS = 16;

/** `head` and the line behind it as the one that they were; null where that is not certain. */
export function joinLines(head: string, tail: string): string | null {
  // A line with a time, a level or a channel of its own is one of its own.
  if (readFirmwareText(tail).layout !== "bare" || CHANNEL.test(tail)) {
    return null;
  }
  return touchesNumber(head, tail) ? null : head + tail;
}

/**
 * The channels of one child, which put their names before whatever a poll brought: at the beginning
 * of lines, from where they are known, and in the midst of them.
 */
export class ChannelNames {
  readonly #prefixes = new Set<string>();
  /** What the last line began with, so that not every line is looked at twice. */
  #last = "[";

  /** Notes the name that `line` begins with. */
  note(line: string): void {
    if (line.charCodeAt(0) !== 0x5b) return;
    if (this.#last.length > 1 && line.startsWith(this.#last)) return;
    this.#last = line.slice(0, line.indexOf("] ") + 2);
    const prefix = CHANNEL.exec(line)?.[0];
    if (prefix && this.#prefixes.size < MAX_CHANNELS) {
      this.#prefixes.add(prefix);
    }
  }

  /** `line` without names in its midst; null where one touches a number behind the marker. */
  without(line: string, marker: string): string | null {
    let mended = line;
    for (const prefix of this.#prefixes) {
      let start = 0;
      while (mended.startsWith(prefix, start)) start += prefix.length;
      if (!mended.includes(prefix, start)) continue;
      const [first = "", ...rest] = mended.slice(start).split(prefix);
      let whole = mended.slice(0, start) + first;
      for (const part of rest) {
        if (whole.includes(marker) && touchesNumber(whole, part)) return null;
        whole += part;
      }
      mended = whole;
    }
    return mended;
  }
}

function touchesNumber(before: string, behind: string): boolean {
  return NUMBER_END.test(before) || NUMBER_START.test(behind);
}
