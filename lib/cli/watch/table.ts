/**
 * What is watched, as the lines of a table.
 *
 *     TOPIC                    AGE  FLAGS        VALUE
 *     gateway/state         stored  retained    online
 *     node1/gas_resistance     1 s  retained     84190 Ω   ▁▂▂▃▅▆▇█ ↗
 *     node1/temperature        1 s  retained      27.6 °C  ▃▃▄▅▅▆▆▆ →
 *
 * @module
 */

import { formatDuration } from "../../duration.ts";
import { sparkline, trend } from "./sparkline.ts";
import {
  cutText,
  padText,
  textWidth,
  wrapText,
} from "../terminal/text_width.ts";
import { unitSign } from "./unit_sign.ts";
import type { WatchedTopic } from "./watched_topics.ts";

/** What the table shows. */
export interface WatchView {
  /** What is watched, and how the link is: a line. */
  readonly status: string;
  /** Nothing comes for now. */
  readonly isDown: boolean;
  /** Lines in place of the table while there is no topic, or behind the status. */
  readonly notes: readonly string[];
  /** Sorted. */
  readonly topics: readonly WatchedTopic[];
  /** How a topic is called in the table. */
  nameOf(topic: string): string;
  /** Milliseconds, of the clock that the topics' are of. */
  readonly ms: number;
  /** Milliseconds since 1970. */
  readonly timeOfDayMs: number;
}

/** Options for {@linkcode watchTable}. */
export interface WatchTableOptions {
  /** Of the terminal; no line is longer. */
  readonly columns: number;
  /** Of the terminal; there are no more lines. */
  readonly rows: number;
  readonly color: boolean;
}

const SPARKLINE_COLUMNS = 20;
const GAP = "  ";
/** So much of a topic stays, however narrow the terminal. */
const LEAST_TOPIC = 12;
/** Of a number, or of what stands in its place. */
const MOST_VALUE = 16;

interface Cells {
  readonly name: string;
  readonly age: string;
  readonly flags: string;
  readonly text: string;
  readonly unit: string;
  readonly topic: WatchedTopic;
}

/** The lines, from the top; what does not fit into `rows` is counted in the last. */
export function watchTable(
  view: WatchView,
  { columns, rows, color }: WatchTableOptions,
): string[] {
  const paint = (code: number, text: string) =>
    color && text.trim() !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  const line = (code: number, text: string) =>
    paint(code, cutText(text, columns));
  const head = [
    // What is wrong, and what to do, is to be read whole.
    ...view.isDown
      ? wrapText(view.status, columns).map((one) => paint(RED, one))
      : [line(DIM, view.status)],
    ...view.notes.flatMap((note) => wrapText(note, columns)),
  ];
  if (view.topics.length === 0) return head.slice(0, rows);
  const room = rows - head.length - 2;
  const isTooMuch = view.topics.length > room;
  const shown = view.topics.slice(0, Math.max(0, isTooMuch ? room - 1 : room));
  const cells = shown.map((topic) => cellsOf(topic, view));
  const layOut = layoutOf(cells, columns);
  return [
    ...head,
    "",
    line(DIM, layOut.head),
    ...cells.map((one) => {
      const { name, age, flags, rest } = layOut.row(one);
      const flagColor = one.topic.newest.isHistorical ? YELLOW : DIM;
      const row = (paint: (code: number, text: string) => string) =>
        [name, paint(DIM, age), flags && paint(flagColor, flags), rest]
          .filter((part, index) => part !== "" || index === 3).join(GAP);
      const plain = row((_, text) => text);
      // A window that is too narrow for the columns themselves.
      return textWidth(plain) > columns ? cutText(plain, columns) : row(paint);
    }),
    ...(isTooMuch
      ? [line(
        DIM,
        `… and ${
          view.topics.length - shown.length
        } more: a larger window shows them, or a FILTER fewer`,
      )]
      : []),
  ].slice(0, rows);
}

const RED = 31, YELLOW = 33, DIM = 2;

function cellsOf(topic: WatchedTopic, view: WatchView): Cells {
  const { newest } = topic;
  const { unit, text, isRetained, isHistorical } = newest;
  return {
    name: view.nameOf(newest.topic),
    age: ageOf(topic, view),
    flags: [isRetained && "retained", isHistorical && "historical"]
      .filter((one) => one !== false).join(","),
    text,
    unit: unit === null ? "" : unitSign(unit),
    topic,
  };
}

/** How long ago it happened, as far as that is known, or came. */
function ageOf({ newest, ms }: WatchedTopic, view: WatchView): string {
  const { happened, isStored } = newest;
  if (happened !== undefined) {
    return formatAge(view.timeOfDayMs - Date.parse(happened));
  }
  return isStored ? "stored" : formatAge(view.ms - ms);
}

function formatAge(ms: number): string {
  if (ms < 1000) return "now";
  return ms < 2000 ? "1 s" : formatDuration(ms);
}

/** How wide the columns are, and with that the heading and the parts of a row. */
function layoutOf(cells: readonly Cells[], columns: number) {
  const widest = (texts: readonly string[], most = Infinity) =>
    Math.min(most, Math.max(0, ...texts.map(textWidth)));
  const numbers = cells.filter(({ topic }) => isNumber(topic));
  const age = Math.max(3, widest(cells.map((one) => one.age)));
  const flags = widest(cells.map((one) => one.flags));
  const value = widest(numbers.map((one) => one.text), MOST_VALUE);
  const unit = widest(numbers.map((one) => one.unit), 8);
  const fixed = age + (flags && Math.max(5, flags) + 2) + value +
    (unit && unit + 1) + 2 * GAP.length;
  const longest = Math.max(5, widest(cells.map((one) => one.name)));
  const name = Math.max(LEAST_TOPIC, Math.min(longest, columns - fixed));
  const flagColumns = flags && Math.max(5, flags);
  // Two for the arrow behind it.
  const picture = Math.min(
    SPARKLINE_COLUMNS,
    Math.max(0, columns - name - fixed - GAP.length - 2),
  );
  const before = name + GAP.length + age + GAP.length +
    (flagColumns && flagColumns + GAP.length);
  return {
    head: [
      padText("TOPIC", name),
      padText("AGE", age, "left"),
      ...(flags ? [padText("FLAGS", flagColumns)] : []),
      "VALUE",
    ].join(GAP),
    row(one: Cells) {
      const rest = isNumber(one.topic)
        ? [
          padText(cutText(one.text, value), value, "left"),
          unit && ` ${padText(cutText(one.unit, unit), unit)}`,
          picture && GAP +
            padText(sparkline(one.topic.numbers, picture), picture),
          ` ${trend(one.topic.numbers)}`,
        ].filter((part) => part !== 0).join("").trimEnd()
        : one.text;
      return {
        name: padText(cutText(one.name, name), name),
        age: padText(one.age, age, "left"),
        flags: flags ? padText(one.flags, flagColumns) : "",
        rest: cutText(rest, columns - before),
      };
    },
  };
}

function isNumber({ newest }: WatchedTopic): boolean {
  return typeof newest.value === "number";
}
