/**
 * The catalogue: what each reading is called, where it goes, and which values are possible.
 *
 * @module
 */

import { fieldMetric } from "./field_metric.ts";
import type { Value } from "./model.ts";

/** What the values of a metric are, and what they become as InfluxDB's field. */
export type MetricType =
  /** Any finite number; a float. */
  | "number"
  /** A whole number within ±(2⁵³ − 1); an integer, with the suffix `i`. */
  | "integer"
  | "boolean"
  /** A word of 1 to 64 visible characters. */
  | "string"
  /** Whatever it is: a field that is sent as it is. No table can ask for it. */
  | "any";

/** What is known of the readings at one JSON path. */
export interface Metric {
  /** JSON path in the board's packet, as `field_path.ts` writes it: `n1.t`, `motor.phase[1].current`. */
  readonly path: string;
  /** Topic level and tag: `node1`. */
  readonly node: string;
  /** Last topic level: `temperature`. */
  readonly name: string;
  /** Its topic below the prefix, or below a board's name there. @default {`NODE/NAME`} */
  readonly topic?: string | undefined;
  /** InfluxDB measurement. */
  readonly measurement: string;
  /** The tag `unit`; null for counters, which have none. */
  readonly unit: string | null;
  /** What its values are. @default {"number"} */
  readonly type?: MetricType | undefined;
  /** What the board's number is multiplied with, before `offset` is added. @default {1} */
  readonly scale?: number | undefined;
  /** In the metric's unit. @default {0} */
  readonly offset?: number | undefined;
  /** Whether a broker keeps the newest value for later subscribers. */
  readonly retain: boolean;
  /** Smallest and largest possible value, scaled, both included; null: any finite number. */
  readonly range: readonly [min: number, max: number] | null;
  /** How often a value comes, in seconds; that none came for three times this is told. @default {nobody says} */
  readonly expectIntervalS?: number | undefined;
}

/**
 * Topics below the prefix, or below a board's name there, that tell how the gateway and its boards are;
 * no metric may have them.
 */
export const STATE_TOPICS = {
  gatewayState: "gateway/state",
  boardState: "board/state",
  boardDetail: "board/detail",
} as const;

/** Whether the metric's values are numbers, and meant as the board says them: most are. */
export function isPlain({ type, scale, offset }: Metric): boolean {
  return (type === undefined || type === "number" || type === "any") &&
    (scale === undefined || scale === 1) &&
    (offset === undefined || offset === 0);
}

/** What `value` is in the metric's unit; undefined where it is not of the metric's type. */
export function valueOf(metric: Metric, value: Value): Value | undefined {
  const { type = "number", scale = 1, offset = 0 } = metric;
  if (type === "any") return value;
  if (type === "boolean" || type === "string") {
    const is: string = typeof value;
    return is === type ? value : undefined;
  }
  if (typeof value !== "number") return undefined;
  const scaled = scale === 1 && offset === 0
    ? value
    : scaleExactly(value, scale, offset);
  const isOfType = type === "integer"
    ? Number.isSafeInteger(scaled)
    : Number.isFinite(scaled);
  return isOfType ? scaled : undefined;
}

/**
 * `value * scale + offset` as it is on paper: a sum of decimals has no more decimals than they have, so
 * 271 * 0.1 is 27.1, and 2731 * 0.1 − 273.15 is −0.05.
 */
function scaleExactly(value: number, scale: number, offset: number): number {
  const decimals = Math.max(
    decimalsOf(value) + decimalsOf(scale),
    decimalsOf(offset),
  );
  const scaled = value * scale + offset;
  // More digits than these a double does not have. Adding 0 makes 0 of −0.
  return decimals > 15 ? scaled : Number(scaled.toFixed(decimals)) + 0;
}

/** How many digits stand behind the point, where it is written out. */
function decimalsOf(value: number): number {
  const [digits = "", exponent = "0"] = String(value).split("e");
  const dot = digits.indexOf(".");
  const written = dot < 0 ? 0 : digits.length - dot - 1;
  return Math.max(0, written - Number(exponent));
}

/** Why a reading is refused that is not of its metric's type. */
export function notOfType(
  { path, type = "number" }: Metric,
  value: Value,
): string {
  const said = typeof value === "string" ? JSON.stringify(value) : value;
  return `The metric of path "${path}" has the type "${type}", and the value is ${said}`;
}

/** A metric's topic below the prefix, or below a board's name there. */
export function topicOf(
  { topic, node, name }: Pick<Metric, "topic" | "node" | "name">,
): string {
  return topic ?? `${node}/${name}`;
}

/** Metrics by path. */
export type Catalogue = ReadonlyMap<string, Metric>;

const U32_MAX = 4_294_967_295;

/**
 * The ten metrics of the guide's firmware.
 *
 * Ranges are those of the parts, from their data sheets: BME680 −40 to 85 °C and 0 to 100 %,
 * BMP280 300 to 1100 hPa, SHT3x −40 to 125 °C; SX1276 RSSI from −164 dBm (its offset on the low
 * band) and SNR a signed byte of quarter decibels. Counters and the gas resistance are u32.
 */
export const BUILT_IN_METRICS: readonly Metric[] = [
  metric("n1.t", "node1", "temperature", "celsius", true, [-40, 85]),
  metric("n1.h", "node1", "humidity", "percent", true, [0, 100]),
  metric("n1.g", "node1", "gas_resistance", "ohms", true, [0, U32_MAX]),
  metric("n2.t", "node2", "temperature", "celsius", true, [-40, 125]),
  metric("n2.p", "node2", "pressure", "hpa", true, [300, 1100]),
  metric("n2.h", "node2", "humidity", "percent", true, [0, 100]),
  metric("sig.rssi", "signal", "rssi", "dbm", false, [-164, 20]),
  metric("sig.snr", "signal", "snr", "db", false, [-32, 31.75]),
  metric("sts.rx", "stats", "packets_received", null, false, [0, U32_MAX]),
  metric("sts.err", "stats", "crc_errors", null, false, [0, U32_MAX]),
];

function metric(
  path: string,
  node: string,
  name: string,
  unit: string | null,
  retain: boolean,
  range: readonly [number, number],
): Metric {
  return { path, node, name, measurement: name, unit, retain, range };
}

/** Options for {@linkcode createCatalogue}. */
export interface CatalogueOptions {
  /** A board's fields are sent as they are where no metric names them. @default {false} */
  readonly hasFields?: boolean;
}

/**
 * The built-in catalogue with `own` metrics in place of those of the same path, or added. Those of fields
 * that are sent as they are can be asked for, and are not among its entries.
 */
export function createCatalogue(
  own: readonly Metric[] = [],
  { hasFields = false }: CatalogueOptions = {},
): Catalogue {
  const metrics = [...BUILT_IN_METRICS, ...own]
    .map((one) => [one.path, one] as const);
  return hasFields ? new OpenCatalogue(metrics) : new Map(metrics);
}

/** The catalogue that a configuration makes. */
export function catalogueOf({ metrics, boards = [] }: {
  readonly metrics: readonly Metric[];
  readonly boards?: readonly { readonly unknown_fields: string }[];
}): Catalogue {
  const hasFields = boards.some((one) => one.unknown_fields === "publish");
  return createCatalogue(metrics, { hasFields });
}

/** A catalogue that has every field. */
class OpenCatalogue extends Map<string, Metric> {
  override get(path: string): Metric | undefined {
    return super.get(path) ?? fieldMetric(path);
  }
}
