/**
 * `[[metric]]` tables for fields that nobody has named: what they probably are, by their names.
 *
 * A key is taken apart into words (`motorTempC`: motor, temp, c). The last word that is known says what is
 * measured and in which unit; words before it, and the keys around it, say whose it is. All of it is a
 * guess, and the table says so.
 *
 * @module
 */

import {
  BUILT_IN_METRICS,
  type Metric,
  type MetricType,
  STATE_TOPICS,
  topicOf,
} from "./catalogue.ts";
import { parsePath, type PathPart } from "./field_path.ts";
import type { Value } from "./model.ts";
import { toTomlString } from "./toml_string.ts";

/** A metric that is guessed from a field's name and one of its values. */
export interface MetricProposal
  extends Pick<Metric, "path" | "node" | "name" | "unit" | "retain"> {
  readonly type: MetricType;
  /** The value that it was guessed from. */
  readonly value: Value;
}

/** A field of a packet, and one of its values. */
export interface Field {
  /** As `field_path.ts` writes it. */
  readonly path: string;
  readonly value: Value;
}

/** What a word of a key means. */
interface Meaning {
  /** Last topic level, where the word is short for it; undefined: the key itself is a good name. */
  readonly name?: string;
  readonly unit: string | null | ((value: number) => string | null);
  /** It counts something: nobody wants yesterday's. */
  readonly counts?: true;
}

/** The node of what has no key around it. */
const NO_NODE = "device";
const MAX_LEVEL = 64;

const MEANINGS = new Map<string, Meaning>();

/** `words`, with a space between them, mean what follows. */
function mean(words: string, meaning: Meaning): void {
  for (const word of words.split(" ")) MEANINGS.set(word, meaning);
}

mean("temperature temp tmp t celsius degc", {
  name: "temperature",
  unit: "celsius",
});
mean("humidity humid hum h rh", { name: "humidity", unit: "percent" });
mean("pressure press pres p baro", { name: "pressure", unit: pressureUnit });
mean("hpa mbar", { name: "pressure", unit: "hpa" });
mean("voltage volt volts v u vcc vdd vin vout vbus", {
  name: "voltage",
  unit: "volt",
});
mean("vbat batv", { name: "battery_voltage", unit: voltUnit });
mean("current curr cur amp amps ampere i", {
  name: "current",
  unit: "ampere",
});
mean("power pwr watt watts w", { name: "power", unit: "watt" });
mean("energy kwh", { name: "energy", unit: "kilowatt_hour" });
mean("frequency freq hz", { name: "frequency", unit: "hertz" });
mean("rpm", { unit: "rpm" });
mean("lux illuminance als", { name: "illuminance", unit: "lux" });
mean("co2 tvoc voc", { unit: "ppm" });
mean("gas", { name: "gas_resistance", unit: "ohms" });
mean("resistance ohm ohms", { name: "resistance", unit: "ohms" });
mean("rssi", { unit: "dbm" });
mean("snr", { unit: "db" });
mean("battery bat batt soc", { name: "battery", unit: batteryUnit });
mean("duty percent pct load", { unit: "percent" });
mean("angle heading deg", { unit: "degree" });
mean("kmh kph", { name: "speed", unit: "kilometre_per_hour" });
mean("mps", { name: "speed", unit: "metre_per_second" });
mean("distance dist range", { name: "distance", unit: null });
mean("acceleration accel acc", { name: "acceleration", unit: null });
mean("uptime count cnt counter rx tx err errs error errors fail fails", {
  unit: null,
  counts: true,
});
mean(
  "failures packets pkts seq drops dropped lost resets reset boots reboots",
  {
    unit: null,
    counts: true,
  },
);
mean("ticks tick heap free time timestamp ts ms millis n nr no retries crc", {
  unit: null,
  counts: true,
});

/** Words behind what is measured that say the unit: `temp_f`, `vbat_mv`. */
const UNITS: ReadonlyMap<string, string> = new Map(Object.entries({
  c: "celsius",
  f: "fahrenheit",
  k: "kelvin",
  pa: "pa",
  hpa: "hpa",
  kpa: "kpa",
  mbar: "hpa",
  bar: "bar",
  mv: "millivolt",
  v: "volt",
  ma: "milliampere",
  a: "ampere",
  mw: "milliwatt",
  w: "watt",
  kw: "kilowatt",
  kwh: "kilowatt_hour",
  wh: "watt_hour",
  hz: "hertz",
  khz: "kilohertz",
  mm: "millimetre",
  cm: "centimetre",
  m: "metre",
  km: "kilometre",
  kmh: "kilometre_per_hour",
  kph: "kilometre_per_hour",
  mps: "metre_per_second",
  g: "gram",
  kg: "kilogram",
  pct: "percent",
  percent: "percent",
  ppm: "ppm",
  ppb: "ppb",
  lux: "lux",
  rpm: "rpm",
  deg: "degree",
  dbm: "dbm",
  db: "db",
  ohm: "ohms",
  s: "second",
  ms: "millisecond",
  us: "microsecond",
}));

/** The metric that the field at `path` probably is; one that has no such path is named after its text. */
export function proposeMetric(path: string, value: Value): MetricProposal {
  const parts = parsePath(path) ?? [path];
  const at = parts.findLastIndex((part) => typeof part === "string");
  const key = String(parts[Math.max(0, at)]);
  const index = at < 0 ? "" : parts.slice(at + 1).map((i) => `_${i}`).join("");
  const guess = typeof value === "number" ? guessNumber(key, value) : {
    name: levelOf(key),
    owner: "",
    unit: null,
    counts: false,
  };
  const around = [...parts.slice(0, Math.max(0, at)), guess.owner]
    .filter((part) => part !== "");
  return {
    path,
    node: nodeOf(around),
    name: levelOf(guess.name + index),
    unit: guess.unit,
    retain: !guess.counts,
    type: typeof value === "number" ? "number" : typeof value as MetricType,
    value,
  };
}

/** What is taken already. */
export type TakenMetric = Pick<
  Metric,
  "node" | "name" | "measurement" | "type"
>;

/**
 * The metrics that `fields` probably are, none with the topic of another, of a built-in one or of one of
 * `taken`, and each of the type that its measurement has.
 */
export function proposeMetrics(
  fields: Iterable<Field>,
  taken: Iterable<TakenMetric> = [],
): MetricProposal[] {
  const topics = new Set<string>(Object.values(STATE_TOPICS));
  const types = new Map<string, MetricType>();
  for (const one of [...BUILT_IN_METRICS, ...taken]) {
    topics.add(topicOf(one));
    types.set(one.measurement, one.type ?? "number");
  }
  return Array.from(fields, ({ path, value }) => {
    const first = proposeMetric(path, value);
    const { type } = first;
    let proposal = first;
    for (
      let i = 2;
      topics.has(topicOf(proposal)) ||
      (types.get(proposal.name) ?? type) !== type;
      i++
    ) {
      const end = `_${i}`;
      const name = first.name.slice(0, MAX_LEVEL - end.length) + end;
      proposal = { ...first, name };
    }
    topics.add(topicOf(proposal));
    types.set(proposal.name, type);
    return proposal;
  });
}

/** The table to paste into config.toml, without a line end; it says what is guessed. */
export function formatMetricTable(
  { path, node, name, unit, retain, type, value }: MetricProposal,
): string {
  const said = typeof value === "string" ? toTomlString(value) : String(value);
  const lines = [
    "[[metric]]",
    `path = ${toTomlString(path)}  # the board sent ${said}`,
    `node = ${toTomlString(node)}`,
    `name = ${toTomlString(name)}`,
  ];
  if (type !== "number") lines.push(`type = ${toTomlString(type)}`);
  if (unit !== null) {
    lines.push(
      `unit = ${toTomlString(unit)}  # guessed from the name: correct it`,
    );
  } else if (type === "number" && retain) {
    lines.push('#unit = ""  # not guessed');
  }
  if (!retain) lines.push("retain = false  # taken for a counter");
  return lines.join("\n");
}

function guessNumber(key: string, value: number) {
  const words = wordsOf(key);
  const ends = words.length > 1 ? UNITS.get(words.at(-1)!) : undefined;
  // `speed_rpm` is a speed in rpm, and `temp_c` a temperature in °C; `motor_i` is a current.
  const at = words.findLastIndex((word, i) =>
    meaningOf(word, words.length) !== undefined &&
    !(ends !== undefined && i === words.length - 1)
  );
  const meaning = at < 0 ? undefined : meaningOf(words[at]!, words.length);
  const alone = meaningOf(words.at(-1) ?? "", 1);
  if (meaning === undefined || ends !== undefined && at < words.length - 2) {
    return {
      name: levelOf(key),
      owner: "",
      unit: ends ?? unitOf(alone, value),
      counts: words.length === 1 && alone?.counts === true,
    };
  }
  const behind = words.slice(at + 1, ends === undefined ? undefined : -1);
  const owner = meaning.name === undefined ? [] : words.slice(0, at);
  const own = meaning.name ?? words.slice(0, at + 1).join("_");
  return {
    name: [own, ...behind].join("_"),
    owner: owner.join("_"),
    unit: ends ?? unitOf(meaning, value),
    counts: meaning.counts === true,
  };
}

/** A single letter means something only where it is all there is, or stands behind whose it is. */
function meaningOf(word: string, words: number): Meaning | undefined {
  const meaning = MEANINGS.get(word) ??
    (word.length > 3 ? MEANINGS.get(word.replace(/s$/, "")) : undefined);
  if (word.length > 1 || words <= 2) return meaning;
  return undefined;
}

function unitOf(meaning: Meaning | undefined, value: number): string | null {
  const unit = meaning?.unit ?? null;
  return typeof unit === "function" ? unit(value) : unit;
}

/** `motorTempC`, `motor_temp_c` and `MOTOR-TEMP-C` are the same words; a number is a word of its own. */
function wordsOf(key: string): string[] {
  if (MEANINGS.has(key.toLowerCase())) return [key.toLowerCase()];
  return key
    .replace(/([a-z\d])([A-Z])/g, "$1_$2")
    .replace(/([A-Za-z])(\d+)$/, "$1_$2")
    // Two words that are one unit: the last one alone would be seconds, or humidity.
    .replace(/(?<![A-Za-z\d])km[^A-Za-z\d]+h$/i, "kmh")
    .replace(/(?<![A-Za-z\d])m[^A-Za-z\d]+s$/i, "mps")
    .toLowerCase().split(/[^a-z\d]+/).filter((word) => word !== "");
}

function nodeOf(parts: readonly PathPart[]): string {
  return levelOf(parts.length === 0 ? NO_NODE : parts.join("_"));
}

/** As a level of a topic, and the name of a measurement, that a table may have. */
function levelOf(text: string): string {
  return text.replace(/[^A-Za-z0-9_.-]+/g, "_").replace(/^_+/, "")
    .slice(0, MAX_LEVEL) || "field";
}

/** By what is possible on this planet, in the units that sensors use. */
function pressureUnit(value: number): string | null {
  if (value >= 300 && value <= 1_200) return "hpa";
  if (value >= 30_000 && value <= 120_000) return "pa";
  if (value >= 30 && value <= 120) return "kpa";
  return null;
}

function voltUnit(value: number): string {
  return value >= 500 ? "millivolt" : "volt";
}

function batteryUnit(value: number): string | null {
  if (value > 0 && value < 5 && !Number.isInteger(value)) return "volt";
  if (value >= 0 && value <= 100) return "percent";
  return value >= 1_000 && value <= 60_000 ? "millivolt" : null;
}
