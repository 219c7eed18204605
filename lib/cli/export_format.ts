/**
 * What an export looks like.
 *
 * | format | a line is |
 * |---|---|
 * | `csv` | a reading, as RFC 4180 has it; the first line names the columns |
 * | `jsonl` | a reading, as an object with the same names |
 * | `lp` | a point in InfluxDB's line protocol, its time in microseconds: `precision=us` |
 *
 * @module
 */

import { type Catalogue, catalogueOf, valueOf } from "../catalogue.ts";
import type { Config } from "../config/schema.ts";
import type { Reading, Row, Value } from "../model.ts";
import { LineProtocol } from "../sink/line_protocol.ts";
import { MqttTopics } from "../sink/mqtt_topics.ts";
import { formatMoment } from "./moment.ts";

/** The name of a format. */
export type ExportFormatName = "csv" | "jsonl" | "lp";

/** How readings are written. */
export interface ExportFormat {
  /** What stands before all. */
  readonly head: string;
  /** A reading with its line end; undefined where the format has no way to write it. */
  line(row: Row, reading: Reading): string | undefined;
}

/** What is known of a reading; topic, measurement, node and unit are null where the catalogue has no such path. */
type Columns = [name: string, value: Value | null][];

/** The format called `name`, with the names and tags that `config` gives. */
export function createExportFormat(
  name: ExportFormatName,
  config:
    & Pick<Config, "mqtt" | "influxdb" | "metrics">
    & Partial<Pick<Config, "boards">>,
): ExportFormat {
  const { mqtt, influxdb } = config;
  const catalogue = catalogueOf(config);
  if (name === "lp") {
    const lines = new LineProtocol(catalogue, influxdb?.tags ?? {});
    return {
      head: "",
      line: (row, reading) => {
        const line = lines.line(row, reading);
        return line === undefined ? undefined : `${line}\n`;
      },
    };
  }
  const topics = mqtt && new MqttTopics(mqtt.topic_prefix, false, catalogue);
  const columns = (row: Row, { path, value }: Reading): Columns => [
    ["time", formatMoment(row.timeUs)],
    ["board", row.board],
    ["topic", topics?.of(row.board, path)?.name ?? null],
    ...described(catalogue, path),
    ["value", scaled(catalogue, path, value)],
    ["path", path],
    ["seq", row.seq],
  ];
  if (name === "jsonl") {
    return {
      head: "",
      line: (row, reading) =>
        `${JSON.stringify(Object.fromEntries(columns(row, reading)))}\n`,
    };
  }
  const nobody: Row = {
    seq: 0,
    board: "",
    timeUs: 0,
    timeQuality: "known",
    boardTs: null,
    total: 0,
    readings: [],
  };
  const names = columns(nobody, { path: "", value: 0 }).map(([name]) => name);
  return {
    head: `${names.join(",")}\r\n`,
    line: (row, reading) =>
      `${columns(row, reading).map(([, value]) => quote(value)).join(",")}\r\n`,
  };
}

function described(catalogue: Catalogue, path: string): Columns {
  const metric = catalogue.get(path);
  return [
    ["measurement", metric?.measurement ?? null],
    ["node", metric?.node ?? null],
    ["unit", metric?.unit ?? null],
  ];
}

/** In the metric's unit; as the board said it where no metric of its type is known. */
function scaled(catalogue: Catalogue, path: string, value: Value): Value {
  const metric = catalogue.get(path);
  return metric === undefined ? value : valueOf(metric, value) ?? value;
}

function quote(value: Value | null): string {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
