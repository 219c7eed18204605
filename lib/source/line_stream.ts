/**
 * Bytes to lines, with a bound on a line's length: `TextLineStream` for input that nobody promises
 * anything about.
 *
 * - The lines are the same however the bytes were cut into chunks.
 * - Memory is one line of `maxBytes` and the lines of the chunk at hand, whatever comes.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** One line, without its end. */
export interface Line {
  /** UTF-8 decoded; what is not UTF-8 stands as U+FFFD. */
  readonly text: string;
  /** The line was longer than the limit: `text` is its beginning, the rest is gone. */
  readonly truncated: boolean;
}

/** Options for {@linkcode LineStream}. */
export interface LineStreamOptions {
  /**
   * Bytes of a line that are kept, its end not counted.
   *
   * @default {8192}
   */
  readonly maxBytes?: number;
  /**
   * Where this stands far within a line that is too long, a line of its own begins: a channel that
   * prints bytes without end must not swallow the packets of another.
   *
   * @default {the rest is skipped}
   */
  readonly marker?: string;
}

/** Bytes; what stands before the marker of a packet's own line, twice a channel's name included, is shorter. */
const MAX_PREFIX = 128;
const LF = 0x0a;
const CR = 0x0d;
const LINE_END = /\r\n|\n|\r/;
/** Of what is a character in a string: a half of a pair, or what stands for bytes that are none. */
const MAX_BYTES_PER_CHARACTER = 3;

/**
 * Splits bytes into lines at LF, CRLF and lone CR. A chunk out is the lines that a chunk in ended,
 * because a chunk per line costs twice the time.
 *
 * An empty line is `""`. A line longer than the limit comes at once, cut, and the rest of it is
 * skipped. What stands behind the last line end comes when the stream closes.
 */
export class LineStream extends TransformStream<Uint8Array, Line[]> {
  /** The line begun in earlier chunks: the first `#length` bytes. */
  readonly #begun: Uint8Array;
  #length = 0;
  /** Within a line that was already emitted, cut. */
  #skipping = false;
  readonly #marker: Uint8Array;
  /** The end of what was skipped, where it may be the beginning of the marker. */
  #skipped: Uint8Array = new Uint8Array();
  /** The last byte was a CR: an LF that comes next belongs to it. */
  #afterCr = false;
  /** Keeps a byte order mark, so that the first line is like any other. */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor({ maxBytes = 8192, marker = "" }: LineStreamOptions = {}) {
    super({
      transform: (chunk, controller) => {
        const lines = this.#split(chunk);
        if (lines.length > 0) controller.enqueue(lines);
      },
      flush: (controller) => {
        if (this.#length > 0) controller.enqueue([this.#finish()]);
      },
    });
    this.#begun = new Uint8Array(maxBytes);
    this.#marker = new TextEncoder().encode(marker);
  }

  /** Byte by byte only what is no whole line of this chunk, or may be too long. */
  #split(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let start = this.#afterCr && chunk[0] === LF ? 1 : 0;
    if (chunk.length > 0) this.#afterCr = chunk[chunk.length - 1] === CR;
    if (this.#length > 0 || this.#skipping) {
      const end = chunk.indexOf(LF, start) + 1;
      this.#splitBytes(chunk.subarray(start, end), lines);
      start = end;
    }
    const end = chunk.lastIndexOf(LF) + 1;
    if (end > start && this.#splitText(chunk.subarray(start, end), lines)) {
      start = end;
    }
    this.#splitBytes(chunk.subarray(start), lines);
    return lines;
  }

  /**
   * Splits whole lines as text, in 0.1 µs a line instead of 0.4; whether each is certainly within the
   * limit, else nothing is done. In UTF-8 LF and CR stand for nothing but themselves, and a character
   * comes of three bytes at most.
   */
  #splitText(bytes: Uint8Array, lines: Line[]): boolean {
    const text = this.#decoder.decode(bytes);
    const texts = text.split(text.includes("\r") ? LINE_END : "\n");
    const most = this.#begun.length / MAX_BYTES_PER_CHARACTER;
    if (texts.some(({ length }) => length > most)) return false;
    // What stands behind the last end is no line.
    texts.pop();
    for (const text of texts) lines.push({ text, truncated: false });
    return true;
  }

  #splitBytes(bytes: Uint8Array, lines: Line[]): void {
    let start = 0;
    // Each is looked for again only once it is behind us, so every byte is scanned at most twice.
    let lf = bytes.indexOf(LF);
    let cr = bytes.indexOf(CR);
    while (lf >= 0 || cr >= 0) {
      const end = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr;
      this.#take(bytes.subarray(start, end), lines);
      if (this.#skipping) this.#skipping = false;
      else lines.push(this.#finish());
      start = end === cr && lf === cr + 1 ? end + 2 : end + 1;
      if (lf >= 0 && lf < start) lf = bytes.indexOf(LF, start);
      if (cr >= 0 && cr < start) cr = bytes.indexOf(CR, start);
    }
    this.#take(bytes.subarray(start), lines);
  }

  /** Adds `bytes` to the line begun; past the limit the line is emitted and the rest skipped. */
  #take(bytes: Uint8Array, lines: Line[]): void {
    if (this.#skipping) return this.#skip(bytes, lines);
    const room = this.#begun.length - this.#length;
    this.#begun.set(
      bytes.length > room ? bytes.subarray(0, room) : bytes,
      this.#length,
    );
    this.#length += Math.min(bytes.length, room);
    if (bytes.length > room) {
      const found = this.#marker.length === 0
        ? -1
        : Buffer.from(this.#begun.buffer).indexOf(this.#marker, MAX_PREFIX);
      if (found > 0) {
        this.#length = found;
        lines.push(this.#finish(true));
        this.#length = this.#begun.copyWithin(0, found).length - found;
        return this.#take(bytes.subarray(room), lines);
      }
      this.#skipped = this.#endOf(this.#begun);
      lines.push(this.#finish(true));
      this.#skipping = true;
      this.#skip(bytes.subarray(room), lines);
    }
  }

  /** Skips `bytes`, up to a marker. */
  #skip(bytes: Uint8Array, lines: Line[]): void {
    if (this.#marker.length === 0) return;
    const seen = Buffer.concat([this.#skipped, bytes]);
    const found = seen.indexOf(this.#marker);
    this.#skipped = this.#endOf(seen);
    if (found < 0) return;
    this.#skipping = false;
    this.#take(seen.subarray(found), lines);
  }

  /** A copy of the last bytes, one less than the marker has. */
  #endOf(bytes: Uint8Array): Uint8Array {
    const start = Math.max(0, bytes.length - this.#marker.length + 1);
    return new Uint8Array(bytes.subarray(start));
  }

  #finish(truncated = false): Line {
    const text = this.#decoder.decode(this.#begun.subarray(0, this.#length));
    this.#length = 0;
    return { text, truncated };
  }
}
