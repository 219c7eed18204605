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
    const isKnown = row.timeQuality === "known";
    const boards = isKnown ? this.#known : this.#estimated;
    let heads = boards.get(row.board);
    if (heads === undefined) boards.set(row.board, heads = new Map());
    let head = heads.get(path);
    if (head === undefined) {
      head = this.#head(row.board, path, isKnown ? "" : "estimated");
      if (head === undefined) return undefined;
      heads.set(path, head);
    }
    return `${head}${value} ${row.timeUs}`;
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

  #head(board: string, path: string, clock: string): string | undefined {
    const metric = this.#catalogue.get(path);
    if (metric === undefined) return undefined;
    // Empty tags vanish in the library: a counter has no unit, the only board no name.
    const own = { node: metric.node, unit: metric.unit ?? "", board, clock };
    return headOf(metric.measurement, { ...this.#tags, ...own });
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
