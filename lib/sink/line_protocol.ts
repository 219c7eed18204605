/**
 * InfluxDB's line protocol: `temperature,node=node1,unit=celsius value=27.6 1700000000000000`.
 *
 * @module
 */

import { Point } from "@influxdata/influxdb-client";
import {
  type Catalogue,
  isPlain,
  type Metric,
  notOfType,
  valueOf,
} from "../catalogue.ts";
import type { Reading, Row, Value } from "../model.ts";
import { noMetric } from "./sink.ts";

/** What is the same in all lines of a series. */
interface Series {
  /** A line up to its field. */
  readonly head: string;
  /** The names that its values have, by their type; each with a `=` behind. */
  readonly fields: FieldNames;
  /** A line up to its value, where that is a number. */
  readonly numberHead: string;
  readonly metric: Metric;
  /** Its values are numbers, and written as the board said them. */
  readonly isPlain: boolean;
}

/** The names of a series' fields, by the type that JavaScript has for their values. */
type FieldNames = Readonly<Record<"number" | "boolean" | "string", string>>;

/** Of a metric that is named: a table says what its values are, and keeps them of one type. */
const NAMED: FieldNames = {
  number: "value=",
  boolean: "value=",
  string: "value=",
};
/** Of a field that is sent as it is. InfluxDB keeps one type for each: a text beside a number would be refused. */
const UNNAMED: FieldNames = {
  number: "value=",
  boolean: "value_bool=",
  string: "value_text=",
};
/** Of one beside a metric whose table has made no float of `value`. */
const BESIDE_ANOTHER: FieldNames = { ...UNNAMED, number: "value_number=" };

/** Makes lines; what is the same in all lines of a series is prepared once. */
export class LineProtocol {
  readonly #catalogue: Catalogue;
  readonly #tags: Readonly<Record<string, string>>;
  readonly #known = new Map<string, Map<string, Series>>();
  readonly #estimated = new Map<string, Map<string, Series>>();
  /** Measurements of metrics that are named whose `value` is no float. */
  readonly #otherTypes: ReadonlySet<string>;

  /** `tags` go on every line. */
  constructor(catalogue: Catalogue, tags: Readonly<Record<string, string>>) {
    this.#catalogue = catalogue;
    this.#tags = tags;
    this.#otherTypes = new Set(
      [...catalogue.values()]
        .filter(({ type = "number" }) => type !== "number")
        .map(({ measurement }) => measurement),
    );
  }

  /**
   * The line of one reading, its time in microseconds; undefined where the catalogue has no such path, or
   * the value is not of the metric's type.
   *
   * A time that is only estimated is told by the tag `clock=estimated`.
   *
   * A number has the suffix `i` only where the metric's type is `integer`: a field that was once an integer
   * refuses a later `27.5`. The field is `value`; of what no metric names its name tells the type, so that
   * nothing conflicts: `value` or, beside a metric of another type, `value_number`; `value_bool`;
   * `value_text`.
   */
  line(row: Row, { path, value }: Reading): string | undefined {
    const series = this.#seriesIn(this.#series(row), row, path);
    const field = series && fieldOf(series, value);
    return field === undefined
      ? undefined
      : `${series!.head}${field} ${row.timeUs}`;
  }

  /** Why {@linkcode LineProtocol.line} gives none. */
  whyNone({ path, value }: Reading): string {
    const metric = this.#catalogue.get(path);
    return metric === undefined ? noMetric(path) : notOfType(metric, value);
  }

  /** The lines of all readings, an LF between them; undefined where one has none. */
  lines(rows: readonly Row[]): string | undefined {
    let text = "";
    for (const row of rows) {
      const known = this.#series(row);
      const end = ` ${row.timeUs}\n`;
      for (const { path, value } of row.readings) {
        const series = this.#seriesIn(known, row, path);
        if (series === undefined) return undefined;
        // Nearly every value: a call for each costs a sixth of all this.
        if (series.isPlain && typeof value === "number") {
          text += series.numberHead + value + end;
          continue;
        }
        const field = fieldOf(series, value);
        if (field === undefined) return undefined;
        text += series.head + field + end;
      }
    }
    return text.slice(0, -1);
  }

  /** A line that says of itself that it is a test: `iiot_gateway_check,check=true value=1 TIME`. */
  static testLine(
    tags: Readonly<Record<string, string>>,
    timeUs: number,
  ): string {
    return `${
      headOf("iiot_gateway_check", { ...tags, check: "true" })
    }value=1 ${timeUs}`;
  }

  /** What is prepared for the board and the time's quality of `row`, by path. */
  #series({ board, timeQuality }: Row): Map<string, Series> {
    const boards = timeQuality === "known" ? this.#known : this.#estimated;
    let series = boards.get(board);
    if (series === undefined) boards.set(board, series = new Map());
    return series;
  }

  #seriesIn(
    all: Map<string, Series>,
    { board, timeQuality }: Row,
    path: string,
  ): Series | undefined {
    const known = all.get(path);
    if (known !== undefined) return known;
    const metric = this.#catalogue.get(path);
    if (metric === undefined) return undefined;
    // Empty tags vanish in the library: a counter has no unit, the only board no name.
    const head = headOf(metric.measurement, {
      ...this.#tags,
      node: metric.node,
      unit: metric.unit ?? "",
      board,
      clock: timeQuality === "known" ? "" : "estimated",
    });
    const fields = this.#fieldsOf(metric);
    const series = {
      head,
      fields,
      numberHead: head + fields.number,
      metric,
      isPlain: isPlain(metric),
    };
    all.set(path, series);
    return series;
  }

  #fieldsOf({ type, measurement }: Metric): FieldNames {
    if (type !== "any") return NAMED;
    return this.#otherTypes.has(measurement) ? BESIDE_ANOTHER : UNNAMED;
  }
}

/** A value as the field that it becomes; undefined where it is not of the metric's type. */
function fieldOf(
  { metric, fields }: Series,
  value: Value,
): string | undefined {
  const own = valueOf(metric, value);
  switch (typeof own) {
    case "number":
      return `${fields.number}${own}${metric.type === "integer" ? "i" : ""}`;
    case "boolean":
      return `${fields.boolean}${own}`;
    case "string":
      return `${fields.string}"${own.replace(/["\\]/g, "\\$&")}"`;
  }
  return undefined;
}

/** A line up to its field, escaped by the library. */
function headOf(
  measurement: string,
  tags: Readonly<Record<string, string>>,
): string {
  const point = new Point(measurement).floatField("value", 0).timestamp("");
  for (const [key, value] of Object.entries(tags)) point.tag(key, value);
  const line = point.toLineProtocol({ convertTime: () => undefined })!;
  return line.slice(0, -"value=0".length);
}
