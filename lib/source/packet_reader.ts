/**
 * One JSON object, checked against the catalogue while it is read.
 *
 * Not `JSON.parse`, because it refuses a whole packet for one `NaN`, takes the last of two equal
 * keys in silence, and forgets how a number was written. Everything else is as strict as JSON: no
 * object is ever built, so no key can do harm.
 *
 * @module
 */

import type { DroppedReading, Reading, TelemetryPacket } from "../model.ts";
import { escapeTricks } from "./firmware_text.ts";
import type { NumberPlace } from "./packet_shape.ts";
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

/** Reads one object out of a line; used once. */
export class PacketReader {
  readonly #text: string;
  #at: number;
  #boardTs: number | null = null;
  readonly #readings: Reading[] = [];
  readonly #dropped: DroppedReading[] = [];
  readonly #numbers: NumberPlace[] = [];

  /** @param at where in `text` the object's `{` stands */
  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
  }

  /** Index behind what was read. */
  get end(): number {
    return this.#at;
  }

  /** All numbers of the packet, in order. */
  get numbers(): readonly NumberPlace[] {
    return this.#numbers;
  }

  /**
   * The packet.
   *
   * @throws {PacketError} if it is not JSON, has the wrong types or nothing that is known
   */
  read(root: PathNode): TelemetryPacket {
    this.#object(root, 1);
    if (this.#readings.length + this.#dropped.length === 0) {
      throw new PacketError("No metric of the catalogue is in the packet");
    }
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
      const start = this.#at;
      this.#value(node?.children.get(key), key, depth);
      if (depth === 1) this.#header(key, start);
    } while (this.#accept(","));
    this.#expect("}");
  }

  #array(depth: number): void {
    this.#goDeeper(depth);
    if (this.#accept("]")) return;
    do {
      this.#skipSpace();
      this.#value(undefined, "", depth);
    } while (this.#accept(","));
    this.#expect("]");
  }

  #value(node: PathNode | undefined, key: string, depth: number): void {
    const start = this.#at;
    switch (this.#text[start]) {
      case "{":
        if (node && node.children.size === 0) {
          throw this.#wrongType(node, key, "an object");
        }
        return this.#object(node, depth + 1);
      case "[":
        if (node) throw this.#wrongType(node, key, "an array");
        return this.#array(depth + 1);
      case '"': {
        const text = this.#string();
        if (node) throw this.#wrongType(node, key, quote(text));
        return;
      }
    }
    if (this.#skip(NUMBER)) {
      const metric = node?.metric;
      this.#numbers.push({ start, end: this.#at, metric, isTs: false });
      if (node) this.#reading(node, key, this.#text.slice(start, this.#at));
    } else if (this.#skip(WORD)) {
      if (node) this.#noNumber(node, key, this.#text.slice(start, this.#at));
    } else throw this.#unexpected("a value");
  }

  #reading({ metric, children }: PathNode, key: string, written: string): void {
    if (!metric) throw this.#wrongType({ metric, children }, key, written);
    const { path, range } = metric;
    // Adding 0 turns −0.0, which the board prints for −0.04, into the 0 that the journal gives back.
    const value = Number(written) + 0;
    if (range && (value < range[0] || value > range[1])) {
      this.#dropped.push({ path, value: cap(written), reason: "implausible" });
    } else if (Number.isFinite(value)) {
      this.#readings.push({ path, value });
    } else {
      this.#dropped.push({ path, value: cap(written), reason: "not_a_number" });
    }
  }

  #noNumber(node: PathNode, key: string, word: string): void {
    if (word === "true" || word === "false") {
      throw this.#wrongType(node, key, word);
    }
    if (node.metric) {
      this.#dropped.push({
        path: node.metric.path,
        value: word,
        reason: "not_a_number",
      });
    } else if (word !== "null") {
      // A group that is null is one that the board does not have, as `{}` is.
      throw this.#wrongType(node, key, word);
    }
  }

  /** Checks `ts` and `id`, which begin at `start` and end here. */
  #header(key: string, start: number): void {
    if (key !== "ts" && key !== "id") return;
    const written = this.#text.slice(start, this.#at);
    if (key === "ts") {
      const ts = /^[-\d]/.test(written) ? Number(written) + 0 : NaN;
      if (!Number.isInteger(ts) || ts < 0 || ts > U32_MAX) {
        throw new PacketError(
          `"ts" must be an integer from 0 to ${U32_MAX}: it is ${cap(written)}`,
        );
      }
      this.#boardTs = ts;
      this.#numbers.at(-1)!.isTs = true;
    } else if (written[0] !== '"' || !ID.test(decode(written))) {
      throw new PacketError(
        `"id" must be 1 to 64 letters, digits, "_", "." or "-" in quotes: it is ${
          cap(written)
        }`,
      );
    }
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

  #wrongType({ metric }: PathNode, key: string, found: string): PacketError {
    const wanted = metric ? "a number" : "an object";
    return new PacketError(
      `${quote(metric?.path ?? key)} must be ${wanted}: it is ${cap(found)}`,
    );
  }
}

/** A JSON string's text. */
function decode(written: string): string {
  return written.includes("\\") ? JSON.parse(written) : written.slice(1, -1);
}

function quote(text: string): string {
  return `"${cap(text)}"`;
}

/** Fit for a log: short and without tricks. */
function cap(text: string, most = 60): string {
  return escapeTricks(text.length > most ? `${text.slice(0, most)}…` : text);
}
