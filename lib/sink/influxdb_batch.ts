/**
 * One batch on its way into InfluxDB: finds the lines that the server refuses among those it takes.
 *
 * - A line is accepted only by a 204 to a request that held it.
 * - A line that was refused is a suspect, and given up only if it is refused after the server has
 *   accepted another line of the batch: one that refuses everything has another fault than a line.
 * - Each request holds fewer lines than the one that was refused, so it ends; what was stored already
 *   is written again, which changes nothing: measurement, tags and time are the same.
 *
 * @module
 */

import { counted } from "../counted.ts";
import type { Reading, Row } from "../model.ts";
import type { Answer } from "./influxdb_answers.ts";
import type { LineProtocol } from "./line_protocol.ts";
import { retentionSeconds } from "./retention_message.ts";
import {
  type Failure,
  MAX_REASON_LENGTH,
  type Outcome,
  type Refusal,
} from "./sink.ts";

/** So many refused lines without one that is accepted: the lines are not to blame. */
const MOST_SUSPECTS = 20;

/** Before the line that does not parse, in the words of InfluxDB 2. */
const QUOTE = "unable to parse '";

type Refused = Exclude<Answer, { kind: "failure" }>;
type BadLine = Extract<Answer, { kind: "bad_line" }>;
type PartialWrite = Extract<Answer, { kind: "partial" }>;

interface Entry {
  readonly index: number;
  readonly row: Row;
  readonly reading: Reading;
  readonly line: string;
  state: "open" | "accepted" | "suspect" | "refused";
  reason: string;
}

/** Writes lines, an LF between them; undefined when all are stored. */
export type WriteLines = (lines: string) => Promise<Answer | undefined>;

/** The lines of one `deliver`. */
export class InfluxdbBatch {
  readonly #rows: readonly Row[];
  readonly #lines: LineProtocol;
  /** One for each line, once there is something to sort out. */
  #entries: Entry[] = [];
  #accepted = false;
  readonly #suspects: Entry[] = [];
  /** The last line that was sent alone to learn what is too old. */
  #pivot: Entry | undefined;

  constructor(rows: readonly Row[], lines: LineProtocol) {
    this.#rows = rows;
    this.#lines = lines;
  }

  /**
   * Writes all lines, at most `maxLines` of them in a request, as often as it takes to know what
   * becomes of each.
   */
  async deliver(write: WriteLines, maxLines = Infinity): Promise<Outcome> {
    const whole = this.#whole(maxLines);
    const answer = whole ? await write(whole) : undefined;
    // Nearly every batch ends here, without a string and an object for each line: they are seen in the CPU
    // per packet of `deno task bench --points throughput`.
    if (whole && !answer) return this.#finish();
    this.#entries = takeApart(this.#rows, this.#lines);
    return await this.#sortOut(write, maxLines, answer);
  }

  /** All lines, where one request may hold them; undefined where it may not, or one has no metric. */
  #whole(maxLines: number): string | undefined {
    let count = 0;
    for (const { readings } of this.#rows) count += readings.length;
    return count > maxLines ? undefined : this.#lines.lines(this.#rows);
  }

  /** `first` is the answer to all lines in one request, where they were one. */
  async #sortOut(
    write: WriteLines,
    maxLines: number,
    first: Answer | undefined,
  ): Promise<Outcome> {
    const open = this.#entries.filter(({ state }) => state === "open");
    const parts = cut(open, maxLines);
    for (let known = first; parts.length > 0; known = undefined) {
      // Until one is accepted the newest lines have their turn too: twenty bad ones at the head of a
      // backlog are no fault of the server.
      const newest = !this.#accepted && this.#suspects.length % 2 === 1;
      const part = (newest ? parts.pop()! : parts.shift()!)
        .filter(({ state }) => state === "open");
      if (part.length === 0) continue;
      const answer = known ??
        await write(part.map(({ line }) => line).join("\n"));
      if (answer === undefined) {
        parts.unshift(...cut(this.#accept(part), maxLines));
      } else if (answer.kind === "failure") return this.#finish(answer.failure);
      else if (newest) parts.push(...this.#divide(part, answer));
      else parts.unshift(...this.#divide(part, answer));
      if (this.#suspects.length >= MOST_SUSPECTS && !this.#accepted) {
        return this.#finish(this.#nothingAccepted(answer));
      }
    }
    return this.#finish();
  }

  /** Gives back what is to be written again: what was refused before the server took anything. */
  #accept(part: readonly Entry[]): Entry[] {
    for (const entry of part) entry.state = "accepted";
    if (this.#accepted) return [];
    this.#accepted = true;
    const again = this.#suspects.splice(0);
    for (const entry of again) entry.state = "open";
    return again;
  }

  /** What of `part` is to be written again, in order, without what is found to be refused. */
  #divide(part: Entry[], answer: Refused): Entry[][] {
    if (answer.kind === "bad_line") {
      const parts = this.#takeQuoted(part, answer) ??
        this.#partByName(part, answer);
      if (parts !== undefined) return parts;
    }
    if (answer.kind === "partial") {
      const parts = this.#partByTime(part, answer);
      if (parts !== undefined) return parts;
    }
    if (part.length === 1) {
      this.#suspect(part[0]!, answer.message);
      return [];
    }
    const middle = Math.ceil(part.length / 2);
    return [part.slice(0, middle), part.slice(middle)];
  }

  /** Suspects the line that InfluxDB 2 quotes: it is the first bad one, so those before it parse. */
  #takeQuoted(part: Entry[], { message }: Refused): Entry[][] | undefined {
    const from = message.indexOf(QUOTE) + QUOTE.length;
    if (from < QUOTE.length) return undefined;
    const quoted = part.findIndex(({ line }) =>
      message.startsWith(line, from) && message[from + line.length] === "'"
    );
    if (quoted === -1) return undefined;
    this.#suspect(part[quoted]!, message);
    return [part.slice(0, quoted), part.slice(quoted + 1)];
  }

  /**
   * Parts the lines that InfluxDB 3 names from the others. Its numbers are believed only where it
   * refuses each line of a request: they would cost a good reading if they meant another one.
   */
  #partByName(part: Entry[], { named }: BadLine): Entry[][] | undefined {
    const messages = new Map(
      named.map(({ index, message }) => [index, message]),
    );
    const bad = part.filter((_, index) => messages.has(index));
    if (bad.length === 0) return undefined;
    if (bad.length < part.length) {
      return [part.filter((_, index) => !messages.has(index)), bad];
    }
    part.forEach((entry, index) => this.#suspect(entry, messages.get(index)!));
    return [];
  }

  /**
   * Parts the lines at the one that is probably the newest of those that the bucket keeps no more: by
   * the server's words and clock, or the middle one where these were wrong. That line goes alone: once
   * it is refused, all that are older are refused too.
   */
  #partByTime(part: Entry[], answer: PartialWrite): Entry[][] | undefined {
    const keptS = retentionSeconds(answer.message);
    if (keptS === undefined) return undefined;
    if (part.length === 1) {
      this.#refuseUpTo(part[0]!.row.timeUs, answer.message);
      return [];
    }
    const oldestUs = answer.serverUs - keptS * 1e6;
    const byTime = part.toSorted((a, b) => a.row.timeUs - b.row.timeUs);
    const guess = byTime.findLastIndex(({ row }) => row.timeUs < oldestUs);
    const at = guess === -1 || this.#pivot?.state === "accepted"
      ? Math.floor((part.length - 1) / 2)
      : guess;
    this.#pivot = byTime[at]!;
    return [[this.#pivot], byTime.slice(0, at), byTime.slice(at + 1)];
  }

  #refuseUpTo(timeUs: number, message: string): void {
    for (const entry of this.#entries) {
      if (entry.state !== "open" || entry.row.timeUs > timeUs) continue;
      entry.state = "refused";
      entry.reason = message.slice(0, MAX_REASON_LENGTH);
    }
  }

  #suspect(entry: Entry, message: string): void {
    entry.state = "suspect";
    entry.reason = message.slice(0, MAX_REASON_LENGTH);
    this.#suspects.push(entry);
  }

  #finish(failure?: Failure): Outcome {
    const isOpen = ({ state }: Entry) =>
      state === "open" || (state === "suspect" && !this.#accepted);
    const done = this.#entries.find(isOpen)?.index ?? this.#rows.length;
    const rejected: Refusal[] = this.#entries
      .filter((entry) => entry.index < done && entry.state !== "accepted")
      .map(({ row, reading, reason }) => ({ row, reading, reason }));
    return {
      done,
      rejected,
      parked: [],
      ...(done === this.#rows.length
        ? {}
        : { failure: failure ?? this.#waitForAnother() }),
    };
  }

  #nothingAccepted(answer: Answer | undefined): Failure {
    return {
      kind: "blocked",
      message: `InfluxDB refuses ${
        counted(this.#suspects.length, "line")
      } and accepts none: ${this.#suspects[0]!.reason}`,
      hint: answer?.kind === "too_large"
        ? "Raise the size of a request that the server, or a proxy before it, takes"
        : 'Look at what the bucket of "influxdb.bucket" holds already, and at the [[metric]] tables',
    };
  }

  #waitForAnother(): Failure {
    return {
      kind: "retry",
      message:
        `InfluxDB refuses a line, and no other line shows yet that it accepts any: ${
          this.#suspects[0]!.reason
        }`,
    };
  }
}

function takeApart(rows: readonly Row[], lines: LineProtocol): Entry[] {
  return rows.flatMap((row, index) =>
    row.readings.map((reading) => {
      const line = lines.line(row, reading);
      return line === undefined
        ? {
          index,
          row,
          reading,
          line: "",
          state: "refused",
          reason: lines.whyNone(reading),
        }
        : { index, row, reading, line, state: "open", reason: "" };
    })
  );
}

/** Parts of at most `size` entries each. */
function cut(entries: readonly Entry[], size: number): Entry[][] {
  const parts: Entry[][] = [];
  for (let from = 0; from < entries.length; from += size) {
    parts.push(entries.slice(from, from + size));
  }
  return parts;
}
