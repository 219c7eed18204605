/**
 * What a person sees who starts the gateway at a terminal: the values, as they come.
 *
 * @module
 */

import { type Catalogue, type Metric, valueOf } from "../catalogue.ts";
import type { Reading, Row, Value } from "../model.ts";
import { unitSign } from "./watch/unit_sign.ts";

/** What is shown of a packet; a row of the journal is one. */
export type LivePacket = Pick<Row, "board" | "timeUs" | "readings">;

/** Options for {@linkcode LiveValues}. */
export interface LiveValuesOptions {
  /** Stands in every line: `SIMULATED`; empty for a board's values. */
  readonly mark: string;
  /** Takes one line, without its end; resolves when it can take the next. May reject. */
  readonly write: (line: string) => Promise<void>;
  /** Width of the terminal in characters; longer lines are cut. */
  readonly columns: () => number;
  /** Dims the time and stresses the mark. */
  readonly color: boolean;
  /** Milliseconds of a clock that never steps, as `performance.now()`. */
  readonly now: () => number;
}

/** From one line to the next of the same board, in milliseconds: more cannot be read. */
const LINE_INTERVAL_MS = 1000;
/** So much early a line may be: a board that sends every second never does so to the millisecond. */
const EARLY_MS = 100;

/**
 * A line per packet, at most one a second per board, and none while the one before it is still being
 * written: nothing ever waits for a terminal that stands still.
 *
 *     10:00:00 SIMULATED node1 27.6 °C 54.1 % 84190 Ω │ node2 26.8 °C │ signal −39 dBm 9 dB
 */
export class LiveValues {
  readonly #catalogue: Catalogue;
  readonly #options: LiveValuesOptions;
  /** Per board: when its next line is due, and how many packets were passed over since the last. */
  readonly #boards = new Map<string, { due: number; passedOver: number }>();
  #writing = false;

  constructor(catalogue: Catalogue, options: LiveValuesOptions) {
    this.#catalogue = catalogue;
    this.#options = options;
  }

  /** Begins to write `packet`, unless another line is under way or the board's next is not due yet. */
  show(packet: LivePacket): void {
    const now = this.#options.now();
    const { due, passedOver } = this.#boards.get(packet.board) ??
      { due: now, passedOver: 0 };
    if (this.#writing || now < due - EARLY_MS) {
      this.#boards.set(packet.board, { due, passedOver: passedOver + 1 });
      return;
    }
    this.#boards.set(packet.board, {
      due: Math.max(now, due) + LINE_INTERVAL_MS,
      passedOver: 0,
    });
    void this.#write(this.#line(packet, passedOver));
  }

  async #write(line: string): Promise<void> {
    this.#writing = true;
    try {
      await this.#options.write(line);
    } catch {
      // The reader has gone: nobody misses the line.
    } finally {
      this.#writing = false;
    }
  }

  #line(
    { board, timeUs, readings }: LivePacket,
    passedOver: number,
  ): string {
    const { columns, color } = this.#options;
    const time = new Date(timeUs / 1000).toTimeString().slice(0, 8);
    const mark = this.#options.mark && ` ${this.#options.mark}`;
    const more = passedOver > 0 ? ` (and ${passedOver} more)` : "";
    const values = `${board === "" ? "" : ` ${board}:`} ${
      this.#values(readings)
    }`;

    const room = Math.max(0, columns() - time.length - mark.length);
    const rest = values.length + more.length <= room
      ? values + more
      : cut(values, room);
    return color
      ? `\x1b[2m${time}\x1b[0m\x1b[33m${mark}\x1b[0m${rest}`
      : time + mark + rest;
  }

  #values(readings: readonly Reading[]): string {
    const nodes = new Map<string, string[]>();
    for (const { path, value } of readings) {
      const metric = this.#catalogue.get(path);
      if (metric === undefined) continue;
      const values = nodes.get(metric.node) ?? [];
      nodes.set(metric.node, values);
      values.push(format(valueOf(metric, value) ?? value, metric));
    }
    return [...nodes].map(([node, values]) => [node, ...values].join(" "))
      .join(" │ ");
  }
}

/** `27.6 °C`, or `packets_received 42` where there is no unit to tell the numbers apart. */
function format(value: Value, { name, unit }: Metric): string {
  if (typeof value !== "number") return `${name} ${value}`;
  const number = String(value).replace("-", "−");
  return unit === null ? `${name} ${number}` : `${number} ${unitSign(unit)}`;
}

function cut(text: string, room: number): string {
  return text.length <= room
    ? text
    : text.slice(0, Math.max(0, room - 1)) + "…";
}
