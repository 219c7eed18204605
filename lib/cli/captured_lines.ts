/**
 * Lines that a board printed, looked through for what the configuration should say of them: the marker,
 * and the fields with their values.
 *
 * - Memory is bounded, however many lines come.
 * - Nothing is asked of the lines: what cannot be used is counted, and one of each kind is shown.
 *
 * @module
 */

import { createCatalogue } from "../catalogue.ts";
import { MAX_PATH_LENGTH } from "../field_path.ts";
import {
  type Field,
  type MetricProposal,
  proposeMetrics,
} from "../metric_proposal.ts";
import {
  escapeTricks,
  readFirmwareText,
  stripColours,
} from "../source/firmware_text.ts";
import { findObject, leavesOf } from "./json_in_line.ts";
import { SeenValues } from "./seen_values.ts";

/** What the lines have shown. */
export interface Survey {
  readonly lines: number;
  /** Lines with a JSON object. */
  readonly packets: number;
  /** What stands before each object, as far as all have it; "" where they have nothing in common. */
  readonly marker: string;
  /** Fields that are not built in. */
  readonly fields: readonly SurveyedField[];
  /** How many built-in metrics were there. */
  readonly builtIn: number;
  /** Sentences on what could not be used. */
  readonly unusable: readonly string[];
  /** The first lines with an object, to try a configuration on. */
  readonly samples: readonly string[];
  /** A line without an object that says `key=value`, and the object that it should be. */
  readonly keyValue: KeyValueLines;
}

/** Lines that say `temp=21.5 hum=40`. */
export interface KeyValueLines {
  readonly count: number;
  /** The first, short. */
  readonly line: string;
  /** The same as JSON. */
  readonly json: string;
}

/** A field, what it probably is, and what was seen of it. */
export interface SurveyedField {
  readonly proposal: MetricProposal;
  readonly count: number;
  /** `19.8 to 23.1`, `true and false`, `"idle", "run"`. */
  readonly seen: string;
}

/** More fields than these are no telemetry that anybody would name one by one. */
const MOST_FIELDS = 200;
const MOST_SAMPLES = 200;
const MAX_SHOWN = 80;
/** `temp=21.5`, `hum: 40` */
const PAIR =
  /(?:^|[\s,;])([A-Za-z_][\w.]*)\s*[=:]\s*(-?\d+(?:\.\d+)?)(?![\w.:-])/g;
const WORD = /[A-Za-z\d_]/;
const U32_MAX = 4_294_967_295;

/** Takes lines until it is asked. */
export class LineSurvey {
  #lines = 0;
  #packets = 0;
  #marker: string | undefined;
  readonly #fields = new Map<string, SeenValues>();
  readonly #tooMany = new Set<string>();
  readonly #samples: string[] = [];
  readonly #pairs = { count: 0, line: "", json: "" };

  /** Looks at one line. */
  add(line: string): void {
    this.#lines++;
    const text = stripColours(line);
    const found = findObject(text);
    if (found === undefined) return this.#addPairs(text);
    this.#packets++;
    const before = readFirmwareText(text.slice(0, found.start)).text;
    this.#marker = this.#marker === undefined
      ? before
      : commonEnd(this.#marker, before);
    if (this.#samples.length < MOST_SAMPLES) this.#samples.push(line);
    for (const { path, value } of leavesOf(found.object)) {
      if (!isHeader(path, value)) this.#see(path, value);
    }
  }

  /** What was seen up to now. */
  get result(): Survey {
    const known = createCatalogue();
    const fields: (Field & SeenValues)[] = [];
    const unusable: string[] = [];
    let builtIn = 0;
    for (const [path, seen] of this.#fields) {
      const isBuiltIn = known.has(path);
      if (isBuiltIn) builtIn++;
      if (path.length > MAX_PATH_LENGTH || path === "__proto__") {
        unusable.push(`"${escapeTricks(path).slice(0, MAX_SHOWN)}" is no path`);
        continue;
      }
      const { value, why } = seen.use(known.get(path));
      if (why !== undefined) unusable.push(`"${escapeTricks(path)}" ${why}`);
      if (value !== undefined && !isBuiltIn) {
        fields.push(Object.assign(seen, { path, value }));
      }
    }
    if (this.#tooMany.size > 0) {
      unusable.push(
        `More than ${MOST_FIELDS} fields are there: the others are left out, the first of them "${
          escapeTricks([...this.#tooMany][0]!)
        }"`,
      );
    }
    const proposals = proposeMetrics(fields);
    return {
      lines: this.#lines,
      packets: this.#packets,
      marker: markerFrom(this.#marker ?? ""),
      fields: fields.map(({ count, seen }, i) => ({
        proposal: proposals[i]!,
        count,
        seen,
      })),
      builtIn,
      unusable,
      samples: this.#samples,
      keyValue: this.#pairs,
    };
  }

  #see(path: string, value: unknown): void {
    let seen = this.#fields.get(path);
    if (seen === undefined) {
      if (this.#fields.size >= MOST_FIELDS) {
        if (this.#tooMany.size === 0) this.#tooMany.add(path);
        return;
      }
      this.#fields.set(path, seen = new SeenValues());
    }
    seen.add(value);
  }

  #addPairs(text: string): void {
    const said = readFirmwareText(text).text;
    const pairs = [...said.matchAll(PAIR)];
    if (pairs.length === 0) return;
    if (this.#pairs.count++ > 0) return;
    this.#pairs.line = said.length > MAX_SHOWN
      ? `${said.slice(0, MAX_SHOWN)}…`
      : said;
    this.#pairs.json = `{${
      pairs.slice(0, 8).map(([, key, value]) => `"${key}":${value}`).join(",")
    }}`;
  }
}

/** Whether it is what the gateway reads itself: the board's clock, or its name. */
function isHeader(path: string, value: unknown): boolean {
  return path === "id" && typeof value === "string" ||
    path === "ts" && Number.isInteger(value) && Number(value) >= 0 &&
      Number(value) <= U32_MAX;
}

/** What both end in, beginning where a word does. */
function commonEnd(one: string, other: string): string {
  let length = 0;
  while (
    length < one.length && length < other.length &&
    one.at(-1 - length) === other.at(-1 - length)
  ) length++;
  const common = one.slice(one.length - length);
  const isCut = [one, other].some((text) =>
    WORD.test(text.at(-1 - length) ?? "")
  );
  return isCut ? common.replace(/^[A-Za-z\d_]+/, "") : common;
}

/**
 * The marker in what all have before their object: it begins with a whole word, and without a word it is
 * none, since numbers and signs may be any.
 */
function markerFrom(common: string): string {
  return /(?<![A-Za-z\d_])[A-Za-z_].*$/s.exec(common)?.[0] ?? "";
}
