/**
 * InfluxDB's line protocol: `temperature,node=node1,unit=celsius value=27.6 1700000000000000`.
 *
 * @module
 */

import { Point } from "@influxdata/influxdb-client";
import type { Catalogue } from "../catalogue.ts";
import type { Reading, Row } from "../model.ts";

/** Makes lines; what is the same in all lines of a series is prepared once. */
export class LineProtocol {
  readonly #catalogue: Catalogue;
  readonly #tags: Readonly<Record<string, string>>;
  readonly #known = new Map<string, Map<string, string>>();
  readonly #estimated = new Map<string, Map<string, string>>();

  /** `tags` go on every line. */
  constructor(catalogue: Catalogue, tags: Readonly<Record<string, string>>) {
    this.#catalogue = catalogue;
    this.#tags = tags;
  }

  /**
   * The line of one reading, its time in microseconds; undefined where the catalogue has no such path.
   *
   * A time that is only estimated is told by the tag `clock=estimated`.
   *
   * The value never has the suffix `i`: a field that was once an integer refuses a later `27.5`.
   */
  line(row: Row, { path, value }: Reading): string | undefined {
    const head = this.#headIn(this.#heads(row), row, path);
    return head === undefined ? undefined : `${head}${value} ${row.timeUs}`;
  }

  /** The lines of all readings, an LF between them; undefined where one has none. */
  lines(rows: readonly Row[]): string | undefined {
    let text = "";
    for (const row of rows) {
      const heads = this.#heads(row);
      const end = ` ${row.timeUs}\n`;
      for (const { path, value } of row.readings) {
        const head = this.#headIn(heads, row, path);
        if (head === undefined) return undefined;
        text += head + value + end;
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
    }1 ${timeUs}`;
  }

  /** What is prepared for the board and the time's quality of `row`, by path. */
  #heads({ board, timeQuality }: Row): Map<string, string> {
    const boards = timeQuality === "known" ? this.#known : this.#estimated;
    let heads = boards.get(board);
    if (heads === undefined) boards.set(board, heads = new Map());
    return heads;
  }

  #headIn(
    heads: Map<string, string>,
    { board, timeQuality }: Row,
    path: string,
  ): string | undefined {
    const known = heads.get(path);
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
    heads.set(path, head);
    return head;
  }
}

/** A line up to its value, escaped by the library. */
function headOf(
  measurement: string,
  tags: Readonly<Record<string, string>>,
): string {
  const point = new Point(measurement).floatField("value", 0).timestamp("");
  for (const [key, value] of Object.entries(tags)) point.tag(key, value);
  const line = point.toLineProtocol({ convertTime: () => undefined })!;
  return line.slice(0, -"0".length);
}
