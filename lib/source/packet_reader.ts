/**
 * One JSON object, checked against the catalogue while it is read.
 *
 * Not `JSON.parse`, because it refuses a whole packet for one `NaN`, takes the last of two equal
 * keys in silence, and forgets how a number was written. Everything else is as strict as JSON: no
 * object is ever built, so no key can do harm.
 *
 * @module
 */

import { type Metric, valueOf } from "../catalogue.ts";
import { formatPath, type PathPart } from "../field_path.ts";
import type { Field } from "../metric_proposal.ts";
import {
  type DroppedReading,
  MAX_TEXT_LENGTH,
  type Reading,
  type TelemetryPacket,
  type Value,
} from "../model.ts";
import { ownText } from "../own_text.ts";
import { escapeTricks } from "./firmware_text.ts";
import type { ValuePlace } from "./packet_shape.ts";
import type { PathNode } from "./path_tree.ts";

/** Why a packet is not one; the message goes to the rejects. */
export class PacketError extends Error {
  override name = "PacketError";
  /** What was read is right as far as it goes, and the text ends too early. */
  readonly isOpen: boolean;

  constructor(message: string, { isOpen = false }: { isOpen?: boolean } = {}) {
    super(message);
    this.isOpen = isOpen;
  }
}

/** The most objects and arrays within each other; a board sends two. */
const MAX_DEPTH = 16;
const U32_MAX = 4_294_967_295;

const ID = /^[A-Za-z0-9_.-]{1,64}$/;
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** The last group is what C and Rust print for numbers that are none. */
const WORD = /true|false|(?:null|-?(?:NaN|nan|inf|Infinity))/y;
/** What JSON allows in a string: U+0020 and above, but for quote and backslash. */
const STRING =
  /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y;
/** A string that the end of the text cuts, but for one that is cut within an escape. */
const OPEN_STRING =
  /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*$/y;

/** What no terminal shows, or what plays tricks there: no word of an enum has it. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** So many fields without a metric are looked at in one packet. */
const MAX_UNKNOWN = 100;

/** Options for {@linkcode PacketReader}. */
export interface PacketReaderOptions {
  /**
   * The packet is one of the guide's firmware: a `ts` that is no time, or an `id` that is no name, shows
   * that it is broken. Else such a field is one like any other.
   *
   * @default {false}
   */
  readonly strictHeader?: boolean | undefined;
  /** The metric as which a field goes on that the catalogue does not have. @default {it does not} */
  readonly metricOf?: ((field: Field) => Metric | undefined) | undefined;
}

/** Reads one object out of a line; used once. */
export class PacketReader {
  readonly #text: string;
  readonly #options: PacketReaderOptions;
  #at: number;
  #boardTs: number | null = null;
  readonly #readings: Reading[] = [];
  readonly #dropped: DroppedReading[] = [];
  readonly #values: ValuePlace[] = [];
  readonly #unknown: Field[] = [];
  #isTypical = true;
  /** Where the value stands that is read. */
  readonly #trail: PathPart[] = [];

  /** @param at where in `text` the object's `{` stands */
  constructor(text: string, at: number, options: PacketReaderOptions = {}) {
    this.#text = text;
    this.#at = at;
    this.#options = options;
  }

  /** Index behind what was read. */
  get end(): number {
    return this.#at;
  }

  /** All values of the packet that may be others in the next one, in order. */
  get values(): readonly ValuePlace[] {
    return this.#values;
  }

  /** Whether each field had a value, so that one that had none cannot have one in the next packet. */
  get isTypical(): boolean {
    return this.#isTypical;
  }

  /** The first {@linkcode MAX_UNKNOWN} fields that no metric names, with what could be a metric's value. */
  get unknown(): readonly Field[] {
    return this.#unknown;
  }

  /**
   * The packet; without a reading and without a dropped one it has nothing that is known.
   *
   * @throws {PacketError} if it is not JSON
   */
  read(root: PathNode): TelemetryPacket {
    this.#object(root, 1);
    return {
      boardTs: this.#boardTs,
      readings: this.#readings,
      dropped: this.#dropped,
    };
  }

  #object(node: PathNode | undefined, depth: number): void {
    this.#goDeeper(depth);
    if (this.#accept("}")) return;
    const keys = new Set<string>();
    do {
      this.#skipSpace();
      const key = this.#string();
      if (keys.has(key)) throw new PacketError(`Duplicate key ${quote(key)}`);
      keys.add(key);
      this.#expect(":");
      this.#skipSpace();
      this.#trail.push(key);
      const child = node?.children.get(key);
      if (depth > 1 || !this.#header(key, child)) this.#value(child, depth);
      this.#trail.pop();
    } while (this.#accept(","));
    this.#expect("}");
  }

  #array(node: PathNode | undefined, depth: number): void {
    this.#goDeeper(depth);
    if (this.#accept("]")) return;
    let index = 0;
    do {
      this.#skipSpace();
      this.#trail.push(index);
      this.#value(node?.items.get(index), depth);
      this.#trail.pop();
      index++;
    } while (this.#accept(","));
    this.#expect("]");
  }

  #value(node: PathNode | undefined, depth: number): void {
    const start = this.#at;
    switch (this.#text[start]) {
      case "{":
        if (node?.metric && node.children.size === 0) {
          this.#drop(node.metric, "{…}", "wrong_type");
        }
        return this.#object(node, depth + 1);
      case "[":
        if (node?.metric && node.items.size === 0) {
          this.#drop(node.metric, "[…]", "wrong_type");
        }
        return this.#array(node, depth + 1);
      case '"':
        return this.#take(node?.metric, this.#string(), start);
    }
    if (this.#skip(NUMBER)) {
      // Adding 0 turns −0.0, which the board prints for −0.04, into the 0 that the journal gives back.
      const number = Number(this.#text.slice(start, this.#at)) + 0;
      this.#take(node?.metric, number, start);
    } else if (this.#skip(WORD)) {
      const word = this.#text.slice(start, this.#at);
      if (word === "true" || word === "false") {
        this.#take(node?.metric, word === "true", start);
      } else if (node?.metric) {
        const { type = "number" } = node.metric;
        const isNumber = type === "number" || type === "integer";
        this.#drop(node.metric, word, isNumber ? "not_a_number" : "wrong_type");
      }
    } else throw this.#unexpected("a value");
  }

  /** Takes a value that begins at `start` and ends here. */
  #take(known: Metric | undefined, value: Value, start: number): void {
    const isPossible = isValue(value);
    const metric = known ?? (isPossible ? this.#unknownField(value) : known);
    const end = this.#at;
    this.#values.push({
      start,
      end,
      kind: typeof value as ValuePlace["kind"],
      metric,
      isTs: false,
    });
    if (metric === undefined) {
      // "" or 1e999: what it is a value of is asked once it is one.
      this.#isTypical &&= isPossible;
      return;
    }
    const written = () => this.#text.slice(start, end);
    const own = isPossible ? valueOf(metric, value) : undefined;
    if (own === undefined) {
      // 1e999 is JSON, and no number of ours; where a range is given it lies outside.
      const isInfinite = typeof value === "number" && !isPossible;
      if (!isInfinite) this.#drop(metric, written(), "wrong_type");
      else if (metric.range) this.#drop(metric, written(), "implausible");
      else this.#drop(metric, written(), "not_a_number");
    } else if (isOutside(metric, own)) {
      this.#drop(metric, written(), "implausible");
    } else this.#readings.push({ path: metric.path, value });
  }

  /** Notes the field that is read; gives the metric as which it goes on all the same. */
  #unknownField(value: Value): Metric | undefined {
    if (this.#unknown.length === MAX_UNKNOWN) return undefined;
    const field = { path: formatPath(this.#trail), value };
    const metric = this.#options.metricOf?.(field);
    if (metric === undefined) this.#unknown.push(field);
    return metric;
  }

  #drop(
    { path }: Metric,
    written: string,
    reason: DroppedReading["reason"],
  ): void {
    this.#dropped.push({ path, value: cap(written), reason });
  }

  /** Whether a value is read by this, because it is the packet's `ts` or `id`. */
  #header(key: string, node: PathNode | undefined): boolean {
    if (key !== "ts" && key !== "id") return false;
    const { strictHeader = false } = this.#options;
    // Where somebody has named it, it is what he says: only the guide's firmware has it as a time as well.
    if (node !== undefined && !strictHeader) return false;
    return key === "ts"
      ? this.#ts(node, strictHeader)
      : this.#id(node, strictHeader);
  }

  #ts(node: PathNode | undefined, isStrict: boolean): boolean {
    const start = this.#at;
    const found = this.#skip(NUMBER);
    const written = this.#text.slice(start, this.#at);
    this.#at = start;
    const ts = found ? Number(written) + 0 : NaN;
    if (Number.isInteger(ts) && ts >= 0 && ts <= U32_MAX) {
      this.#boardTs = ts;
      if (node?.metric) {
        this.#value(node, 1);
        this.#values.at(-1)!.isTs = true;
      } else {
        this.#at += written.length;
        const metric = undefined;
        this.#values.push({
          start,
          end: this.#at,
          kind: "number",
          metric,
          isTs: true,
        });
      }
      return true;
    }
    if (!isStrict) return false;
    this.#value(undefined, 1);
    throw new PacketError(
      `"ts" must be an integer from 0 to ${U32_MAX}: it is ${
        cap(this.#text.slice(start, this.#at))
      }`,
    );
  }

  #id(node: PathNode | undefined, isStrict: boolean): boolean {
    const start = this.#at;
    // Not among the values: a packet of another node is one of another shape.
    const id = this.#text[start] === '"' ? this.#string() : "";
    if (ID.test(id) && node === undefined) return true;
    this.#at = start;
    if (!isStrict || ID.test(id)) return false;
    this.#value(undefined, 1);
    throw new PacketError(
      `"id" must be 1 to 64 letters, digits, "_", "." or "-" in quotes: it is ${
        cap(this.#text.slice(start, this.#at))
      }`,
    );
  }

  #string(): string {
    const start = this.#at;
    if (!this.#skip(STRING)) {
      if (this.#text[start] !== '"') throw this.#unexpected("a string");
      const rest = cap(this.#text.slice(start), 24);
      throw new PacketError(
        `A string is not closed or not as JSON wants it: ${rest}`,
        { isOpen: this.#skip(OPEN_STRING) },
      );
    }
    return decode(this.#text.slice(start, this.#at));
  }

  /** Steps over the bracket that opens. */
  #goDeeper(depth: number): void {
    if (depth > MAX_DEPTH) {
      throw new PacketError(`Nested deeper than ${MAX_DEPTH}`);
    }
    this.#at++;
  }

  #accept(mark: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #expect(mark: string): void {
    if (!this.#accept(mark)) throw this.#unexpected(`"${mark}"`);
  }

  #skipSpace(): void {
    // Boards print none, and a regular expression asked for nothing costs as much as a number.
    if (this.#text.charCodeAt(this.#at) <= 0x20) this.#skip(SPACE);
  }

  #skip(token: RegExp): boolean {
    token.lastIndex = this.#at;
    if (!token.test(this.#text)) return false;
    this.#at = token.lastIndex;
    return true;
  }

  #unexpected(wanted: string): PacketError {
    const rest = this.#text.slice(this.#at);
    return new PacketError(
      rest === ""
        ? `The line ends where ${wanted} should stand`
        : `${wanted[0]?.toUpperCase()}${wanted.slice(1)} should stand where ${
          cap(rest, 24)
        } does`,
      { isOpen: rest === "" },
    );
  }
}

/** Whether a metric can have it: a finite number, a truth, or a short text that is to be seen. */
function isValue(value: Value): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "boolean") return true;
  return value !== "" && value.length <= MAX_TEXT_LENGTH &&
    !INVISIBLE.test(value);
}

/** Whether the value, in the metric's unit, is out of its range. */
function isOutside({ range }: Metric, value: Value): boolean {
  return range !== null && typeof value === "number" &&
    (value < range[0] || value > range[1]);
}

/** A JSON string's text. */
function decode(written: string): string {
  // Names and values are kept for longer than the line.
  return written.includes("\\")
    ? JSON.parse(written)
    : ownText(written.slice(1, -1));
}

function quote(text: string): string {
  return `"${cap(text)}"`;
}

/** Fit for a log: short and without tricks. */
function cap(text: string, most = 60): string {
  return escapeTricks(text.length > most ? `${text.slice(0, most)}…` : text);
}
