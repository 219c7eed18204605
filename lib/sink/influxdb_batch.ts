/**
 * One batch on its way into InfluxDB: finds the lines that the server refuses among those it takes.
 *
 * - A line is accepted only by a 204 to a request that held it.
 * - A line that was refused is a suspect, and given up only once the server has accepted another line
 *   of the batch: a server that refuses everything has another fault than one line.
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
  noMetric,
  type Outcome,
  type Refusal,
} from "./sink.ts";

/** So many refused lines without one that is accepted: the lines are not to blame. */
const MOST_SUSPECTS = 20;

interface Entry {
  readonly index: number;
  readonly row: Row;
  readonly reading: Reading;
  readonly line: string;
  state: "open" | "accepted" | "suspect" | "refused";
  reason: string;
}

/** Writes lines; undefined when all are stored. */
export type WriteLines = (
  lines: readonly string[],
) => Promise<Answer | undefined>;

/** The lines of one `deliver`. */
export class InfluxdbBatch {
  readonly #rows: readonly Row[];
  readonly #entries: Entry[] = [];
  readonly #now: () => number;
  #accepted = false;
  readonly #suspects: Entry[] = [];

  constructor(rows: readonly Row[], lines: LineProtocol, now: () => number) {
    this.#rows = rows;
    this.#now = now;
    for (const [index, row] of rows.entries()) {
      for (const reading of row.readings) {
        const line = lines.line(row, reading);
        this.#entries.push(
          line === undefined
            ? {
              index,
              row,
              reading,
              line: "",
              state: "refused",
              reason: noMetric(reading.path),
            }
            : { index, row, reading, line, state: "open", reason: "" },
        );
      }
    }
  }

  /** Writes all lines, as often as it takes to know what becomes of each. */
  async deliver(write: WriteLines): Promise<Outcome> {
    const parts = [this.#entries.filter(({ state }) => state === "open")];
    while (parts.length > 0) {
      const part = parts.pop()!;
      if (part.length === 0) continue;
      const answer = await write(part.map(({ line }) => line));
      if (answer === undefined) this.#accept(part);
      else if (answer.kind === "failure") return this.#finish(answer.failure);
      else parts.push(...this.#divide(part, answer).reverse());
      if (this.#suspects.length >= MOST_SUSPECTS && !this.#accepted) {
        return this.#finish(this.#nothingAccepted());
      }
    }
    return this.#finish();
  }

  #accept(part: readonly Entry[]): void {
    this.#accepted = true;
    for (const entry of part) entry.state = "accepted";
  }

  /** What of `part` is to be written again, in order, without what is found to be refused. */
  #divide(
    part: Entry[],
    answer: Exclude<Answer, { kind: "failure" }>,
  ): Entry[][] {
    if (answer.kind === "bad_line") {
      // The quoted line is the first that does not parse, so those before it do.
      const quoted = part.findIndex(({ line }) =>
        answer.message.includes(`unable to parse '${line}'`)
      );
      if (quoted !== -1) {
        this.#suspect(part[quoted]!, answer.message);
        return [part.slice(0, quoted), part.slice(quoted + 1)];
      }
    }
    if (answer.kind === "partial") {
      const young = this.#refuseOld(part, answer.message);
      if (young.length < part.length) return [young];
    }
    if (part.length === 1) {
      this.#suspect(part[0]!, answer.message);
      return [];
    }
    const middle = Math.ceil(part.length / 2);
    return [part.slice(0, middle), part.slice(middle)];
  }

  /** Refuses what is older than the bucket keeps, by the server's words; the others come back. */
  #refuseOld(part: Entry[], message: string): Entry[] {
    const keptS = retentionSeconds(message);
    if (keptS === undefined) return part;
    const oldestUs = this.#now() - keptS * 1e6;
    return part.filter((entry) => {
      if (entry.row.timeUs >= oldestUs) return true;
      entry.state = "refused";
      entry.reason = message.slice(0, MAX_REASON_LENGTH);
      return false;
    });
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

  #nothingAccepted(): Failure {
    return {
      kind: "blocked",
      message: `InfluxDB refuses ${
        counted(this.#suspects.length, "line")
      } and accepts none: ${this.#suspects[0]!.reason}`,
      hint:
        'Look at what the bucket of "influxdb.bucket" holds already, and at the [[metric]] tables',
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
