/**
 * The catalogue: what each reading is called, where it goes, and which values are possible.
 *
 * @module
 */

/** What is known of the readings at one JSON path. */
export interface Metric {
  /** JSON path in the board's packet, dots between the keys: `n1.t`. */
  readonly path: string;
  /** Topic level and tag: `node1`. */
  readonly node: string;
  /** Last topic level: `temperature`. */
  readonly name: string;
  /** InfluxDB measurement. */
  readonly measurement: string;
  /** The tag `unit`; null for counters, which have none. */
  readonly unit: string | null;
  /** Whether a broker keeps the newest value for later subscribers. */
  readonly retain: boolean;
  /** Smallest and largest possible value, both included; null: any finite number. */
  readonly range: readonly [min: number, max: number] | null;
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

/** The built-in catalogue with `own` metrics in place of those of the same path, or added. */
export function createCatalogue(own: readonly Metric[] = []): Catalogue {
  return new Map([...BUILT_IN_METRICS, ...own].map((one) => [one.path, one]));
}
