/**
 * Packets that are like one before them but for their values, read by these alone.
 *
 * A board prints the same keys in the same order, again and again. What stands around the values of a
 * packet that was read with care (`packet_reader.ts`) is right wherever it stands again, character by
 * character; so nothing is left to read but the values. Whatever is not so plain, such as a number with
 * an exponent or out of its range, is read with care again: nothing is refused or dropped here.
 *
 * Where a board prints several kinds of packets in turn, the one that followed last time is tried first.
 *
 * A packet of ten numbers and the log line beside it take 1.8 µs instead of 3.7 in the TelemetryStream:
 * `deno bench tests/source/`.
 *
 * @module
 */

import { isPlain, type Metric, valueOf } from "../catalogue.ts";
import {
  MAX_TEXT_LENGTH,
  type Reading,
  type TelemetryPacket,
  type Value,
} from "../model.ts";
import { ownText } from "../own_text.ts";

/** A value in a packet's text. */
export interface ValuePlace {
  readonly start: number;
  /** Index behind it. */
  readonly end: number;
  readonly kind: "number" | "boolean" | "string";
  /** What it is a value of; undefined where the catalogue has none. */
  readonly metric: Metric | undefined;
  /** It is the packet's `ts`. */
  isTs: boolean;
}

/** A packet, and where in the text it ends. */
export interface ShapedPacket {
  readonly packet: TelemetryPacket;
  /** Index behind it. */
  readonly end: number;
}

/** So many shapes of one board are remembered: nodes and kinds of packets that take turns have one each. */
const MOST_SHAPES = 16;
const U32_MAX = 4_294_967_295;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** Integers of so many digits and these powers are exact as doubles, so their quotient is the number's nearest. */
const MOST_DIGITS = 15;
/** A string without escapes, of letters whose number of bytes is known. */
const TEXT = /"[ !#-[\]-~]*"/y;
const POWERS = Array.from({ length: MOST_DIGITS + 1 }, (_, i) => 10 ** i);

/** The shapes of one board's packets, as far as they have been seen. */
export class PacketShapes {
  readonly #shapes: PacketShape[] = [];
  #learned = 0;
  /** That of the last packet. */
  #last: PacketShape | undefined;

  /** The packet whose `{` stands at `start`; undefined where it has to be read with care. */
  read(text: string, start: number): ShapedPacket | undefined {
    const guess = this.#last?.follower;
    const found = guess?.read(text, start);
    if (found) {
      this.#last = guess;
      return found;
    }
    for (const shape of this.#shapes) {
      if (shape === guess) continue;
      const found = shape.read(text, start);
      if (found) {
        this.#follow(shape);
        return found;
      }
    }
    return undefined;
  }

  /** Remembers what stands from `start` to `end` in `text`: a packet of which nothing was dropped. */
  learn(
    text: string,
    start: number,
    end: number,
    values: readonly ValuePlace[],
  ): void {
    const shape = new PacketShape(ownText(text), start, end, values);
    // It was a value that had to be read with care.
    if (this.#shapes.some((known) => known.equals(shape))) return;
    this.#shapes[this.#learned++ % MOST_SHAPES] = shape;
    this.#follow(shape);
  }

  #follow(shape: PacketShape): void {
    if (this.#last) this.#last.follower = shape;
    this.#last = shape;
  }
}

class PacketShape {
  readonly #places: readonly (ValuePlace & { readonly isPlain: boolean })[];
  /** What stands before each value, and behind the last. */
  readonly #between: readonly string[];
  /** Where in the text `read` is. */
  #at = 0;
  /** The shape of the packet that came after one of this, the last time. */
  follower: PacketShape | undefined;

  constructor(
    text: string,
    start: number,
    end: number,
    values: readonly ValuePlace[],
  ) {
    this.#places = values.map((place) => ({
      ...place,
      isPlain: place.metric === undefined || isPlain(place.metric),
    }));
    const starts = [start, ...values.map((value) => value.end)];
    const ends = [...values.map((value) => value.start), end];
    this.#between = starts.map((from, i) => text.slice(from, ends[i]));
  }

  /** Whether the same stands around the same kinds of values: they are of the same metrics then. */
  equals(other: PacketShape): boolean {
    return this.#between.length === other.#between.length &&
      this.#between.every((text, i) => text === other.#between[i]) &&
      this.#places.every(({ kind }, i) => kind === other.#places[i]!.kind);
  }

  read(text: string, start: number): ShapedPacket | undefined {
    this.#at = start;
    let boardTs: number | null = null;
    const readings: Reading[] = [];
    for (let i = 0; i < this.#places.length; i++) {
      if (!this.#skip(text, this.#between[i]!)) return undefined;
      const { kind, metric, isTs, isPlain } = this.#places[i]!;
      if (kind !== "number") {
        const value = kind === "string"
          ? this.#string(text, metric)
          : this.#boolean(text);
        if (value === undefined) return undefined;
        if (metric) readings.push({ path: metric.path, value });
        continue;
      }
      const value = this.#number(text);
      if (Number.isNaN(value)) return undefined;
      if (isTs) {
        if (value < 0 || value > U32_MAX || !Number.isInteger(value)) {
          return undefined;
        }
        boardTs = value;
      }
      if (metric === undefined) continue;
      const { path, range } = metric;
      const own = isPlain ? value : valueOf(metric, value) as number;
      if (own === undefined) return undefined;
      if (range && (own < range[0] || own > range[1])) return undefined;
      readings.push({ path, value });
    }
    if (!this.#skip(text, this.#between.at(-1)!)) return undefined;
    return { packet: { boardTs, readings, dropped: [] }, end: this.#at };
  }

  #boolean(text: string): Value | undefined {
    if (this.#skip(text, "true")) return true;
    return this.#skip(text, "false") ? false : undefined;
  }

  /** The string that stands here, undefined where it is none for `metric`, or has to be read with care. */
  #string(text: string, metric: Metric | undefined): string | undefined {
    TEXT.lastIndex = this.#at;
    if (!TEXT.test(text)) return undefined;
    const value = text.slice(this.#at + 1, TEXT.lastIndex - 1);
    if (metric && (value === "" || value.length > MAX_TEXT_LENGTH)) {
      return undefined;
    }
    this.#at = TEXT.lastIndex;
    return ownText(value);
  }

  #skip(text: string, literal: string): boolean {
    if (!text.startsWith(literal, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  /** The number that stands here, up to what is no more of it; NaN where it is not a plain one. */
  #number(text: string): number {
    const isNegative = text.charCodeAt(this.#at) === MINUS;
    if (isNegative) this.#at++;
    const start = this.#at;
    let digits = this.#digits(text, 0);
    let length = this.#at - start;
    if (length === 0) return NaN;
    if (length > 1 && text.charCodeAt(start) === ZERO) return NaN;
    let decimals = 0;
    if (text.charCodeAt(this.#at) === DOT) {
      const dot = this.#at++;
      digits = this.#digits(text, digits);
      decimals = this.#at - dot - 1;
      if (decimals === 0) return NaN;
      length += decimals;
    }
    if (length > MOST_DIGITS) return NaN;
    // Adding 0 turns −0.0 into the 0 that the journal gives back.
    return (isNegative ? -digits : digits) / POWERS[decimals]! + 0;
  }

  /** `value` with the digits that stand here behind it. */
  #digits(text: string, value: number): number {
    for (;; this.#at++) {
      const code = text.charCodeAt(this.#at);
      // Behind the text's end it is NaN, which is neither.
      if (!(code >= ZERO && code <= NINE)) return value;
      value = value * 10 + code - ZERO;
    }
  }
}
