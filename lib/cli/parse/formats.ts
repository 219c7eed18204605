/**
 * How `iiot-gateway parse` shows what became of a line: in columns, as lines, or as objects.
 *
 *     packet    12000 ms
 *       iiot/node1/temperature   27.6 °C  retained  temperature,node=node1,unit=celsius value=27.6
 *       dropped                  n1.h = 180, implausible: possible are 0 to 100
 *       no metric                co2 = 415
 *     log       no marker  LoRa packet received
 *     reject    Two packets in one line
 *               JSON sent via VCP: {…
 *
 * @module
 */

import type { Field } from "../../metric_proposal.ts";
import { escapeTricks, stripColours } from "../../source/firmware_text.ts";
import type { ParsedDrop, ParsedEntry, ParsedValue } from "./parsed_lines.ts";
import { cutText, padText, textWidth } from "../terminal/text_width.ts";
import { unitSign } from "../watch/unit_sign.ts";

/** Makes lines of what became of a line. */
export interface ParseFormat {
  lines(entry: ParsedEntry): string[];
}

/** Options for {@linkcode ParseColumns}. */
export interface ParseColumnsOptions {
  /** Of the terminal; only a topic, a value or a point that is longer is not cut. */
  columns(): number;
  readonly color: boolean;
}

const GREEN = 32, YELLOW = 33, RED = 31, DIM = 2;
const LABEL = 10;
const GAP = "  ";
/** Longer topics are not lined up with others. */
const MOST_TOPIC = 60;

/** Columns for a terminal, as wide as all packets up to now need. */
export class ParseColumns implements ParseFormat {
  readonly #options: ParseColumnsOptions;
  #topic = 0;
  #value = 0;
  #unit = 0;

  constructor(options: ParseColumnsOptions) {
    this.#options = options;
  }

  lines(entry: ParsedEntry): string[] {
    switch (entry.kind) {
      case "packet":
        return this.#packet(entry);
      case "log":
        return [
          this.#labelled(
            DIM,
            "log",
            `${entry.reason}${GAP}${entry.text}`,
          ),
        ];
      case "reject":
        return [
          this.#labelled(RED, "reject", entry.reason),
          this.#labelled(DIM, "", visible(entry.line)),
        ];
    }
  }

  #packet(
    { boardTs, values, dropped, unknown }: ParsedEntry & { kind: "packet" },
  ): string[] {
    const cells = values.map(cellsOf);
    const widest = (least: number, texts: readonly string[]) =>
      Math.min(MOST_TOPIC, Math.max(least, ...texts.map(textWidth)));
    this.#topic = widest(this.#topic, cells.map(({ topic }) => topic));
    this.#value = widest(this.#value, cells.map(({ value }) => value));
    this.#unit = widest(this.#unit, cells.map(({ unit }) => unit));
    return [
      this.#labelled(
        GREEN,
        "packet",
        boardTs === null ? "" : `${boardTs} ms`,
      ).trimEnd(),
      ...cells.flatMap((one) => this.#row(one)),
      ...dropped.map((one) => this.#ended("dropped", describe(one))),
      ...unknown.map((one) => this.#ended("no metric", pathAndValue(one))),
    ];
  }

  #row({ topic, value, unit, flag, point, problem }: Cells): string[] {
    const row = [
      GAP + padText(topic, this.#topic),
      padText(value, this.#value, "left") +
      (this.#unit > 0 ? ` ${padText(unit, this.#unit)}` : ""),
      padText(flag, "retained".length),
    ].join(GAP);
    const end = problem === undefined
      ? this.#paint(DIM, point)
      : this.#paint(YELLOW, problem);
    const isWide = textWidth(row) + GAP.length + textWidth(problem ?? point) >
      this.#options.columns();
    if ((problem ?? point) === "") return [row.trimEnd()];
    return isWide
      ? [row.trimEnd(), `${GAP}${GAP}${end}`]
      : [`${row}${GAP}${end}`];
  }

  #ended(label: string, text: string): string {
    const row = GAP + padText(label, this.#topic) + GAP + text;
    return this.#paint(YELLOW, cutText(row, this.#options.columns()));
  }

  #labelled(color: number, label: string, text: string): string {
    const room = this.#options.columns() - LABEL;
    const shown = cutText(text, Math.max(0, room));
    const head = padText(label, LABEL);
    return color === DIM
      ? this.#paint(DIM, head + shown)
      : this.#paint(color, head) + shown;
  }

  #paint(code: number, text: string): string {
    return this.#options.color && text.trim() !== ""
      ? `\x1b[${code}m${text}\x1b[0m`
      : text;
  }
}

interface Cells {
  readonly topic: string;
  readonly value: string;
  readonly unit: string;
  readonly flag: string;
  readonly point: string;
  readonly problem: string | undefined;
}

function cellsOf(
  { path, value, unit, message, point, problem }: ParsedValue,
): Cells {
  return {
    topic: visible(message?.topic ?? path),
    value: visible(message?.payload ?? String(value)),
    unit: unit === null ? "" : visible(unitSign(unit)),
    flag: message?.retain ? "retained" : "",
    point: visible(point ?? ""),
    problem: problem === undefined ? undefined : visible(problem),
  };
}

/**
 * Lines with a tab between their fields, for a pipe:
 *
 *     packet  ts  line
 *     value   topic  payload  unit  retained  point
 *     dropped path  value  reason
 *     unknown path  value
 *     log     level  reason  text
 *     reject  reason  line
 */
export class ParseFields implements ParseFormat {
  lines(entry: ParsedEntry): string[] {
    return [
      ...this.#own(entry),
      ...entry.unknown.map(({ path, value }) =>
        fields("unknown", path, String(value))
      ),
    ];
  }

  #own(entry: ParsedEntry): string[] {
    switch (entry.kind) {
      case "packet":
        return [
          fields("packet", entry.boardTs ?? "", entry.line),
          ...entry.values.map((one) => {
            const { topic, value, flag, point, problem } = cellsOf(one);
            const unit = one.unit ?? "";
            return fields("value", topic, value, unit, flag, problem ?? point);
          }),
          ...entry.dropped.map(({ path, value, reason }) =>
            fields("dropped", path, value, reason)
          ),
        ];
      case "log":
        return [fields("log", entry.level, entry.reason, entry.text)];
      case "reject":
        return [fields("reject", entry.reason, entry.line)];
    }
  }
}

function fields(...all: readonly (string | number)[]): string {
  return all.map((one) => visible(String(one))).join("\t").trimEnd();
}

/** An object a line. */
export class ParseJson implements ParseFormat {
  readonly #board: string;

  /** `board`: the name of the board. */
  constructor(board: string) {
    this.#board = board;
  }

  lines(entry: ParsedEntry): string[] {
    return [JSON.stringify(this.#object(entry))];
  }

  #object(entry: ParsedEntry) {
    if (entry.kind !== "packet") return entry;
    const { line, boardTs, values, dropped, unknown } = entry;
    return {
      kind: "packet",
      board: this.#board,
      ts: boardTs,
      values: values.map(({ message, ...rest }) => ({
        ...rest,
        topic: message?.topic ?? null,
        payload: message?.payload ?? null,
        retain: message?.retain ?? false,
      })),
      dropped,
      unknown,
      line,
    };
  }
}

/** `n1.h = 180, implausible: possible are 0 to 100` */
function describe({ path, value, reason, range }: ParsedDrop): string {
  const why = reason === "implausible" && range !== null
    ? `implausible: possible are ${range[0]} to ${range[1]}`
    : reason;
  return visible(`${path} = ${value}, ${why}`);
}

function pathAndValue({ path, value }: Field): string {
  return visible(`${path} = ${value}`);
}

/** `text` in a line, harmless to a terminal. */
function visible(text: string): string {
  return escapeTricks(stripColours(text));
}
