/**
 * Lines that a board printed, looked through for what the configuration should say of them: the marker,
 * and the fields with their values.
 *
 * - Memory is bounded, however many lines come.
 * - Nothing is asked of the lines: what cannot be used is counted, and one of each kind is shown.
 *
 * @module
 */

import { createCatalogue } from "../../catalogue.ts";
import { counted } from "../../counted.ts";
import { MAX_PATH_LENGTH } from "../../field_path.ts";
import { isPieceOfJson } from "../../json_advice.ts";
import { type KeyValuePairs, readPairs } from "../../key_value.ts";
import { CommonMarker } from "../../marker.ts";
import {
  type Field,
  type MetricProposal,
  proposeMetrics,
} from "../../metric_proposal.ts";
import {
  escapeTricks,
  readFirmwareText,
  stripColours,
} from "../../source/firmware_text.ts";
import { type OpenPanic, readPanic } from "../../source/panic.ts";
import {
  beginsWithJson,
  brokenJsonIn,
  textBeforeJson,
} from "../../source/telemetry.ts";
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
  /** Lines without an object that say `key=value`. */
  readonly keyValue: KeyValueLines;
  /** Lines that are pieces of an object over several lines. */
  readonly pieces: number;
  /** Lines with an object that cannot be read. */
  readonly broken: BrokenLines;
}

/** Lines with JSON that is cut, or not as JSON wants it. */
export interface BrokenLines {
  readonly count: number;
  /** The first of them, fit for a terminal, and what is wrong with it. */
  readonly first?: { readonly line: string; readonly reason: string };
}

/** Lines that say `temp=21.5 hum=40`. */
export interface KeyValueLines {
  readonly count: number;
  /** Of the first of them. */
  readonly first?: KeyValuePairs;
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
const U32_MAX = 4_294_967_295;
/** An object whose first key stands in quotes. */
const QUOTED = /\{\s*["']/;

/** Takes lines until it is asked. */
export class LineSurvey {
  #lines = 0;
  #packets = 0;
  readonly #marker = new CommonMarker();
  readonly #fields = new Map<string, SeenValues>();
  readonly #tooMany = new Set<string>();
  readonly #samples: string[] = [];
  #keyValue: KeyValueLines = { count: 0 };
  #pieces = 0;
  #broken: BrokenLines = { count: 0 };
  /** The panic that the last lines told of. */
  #panic: OpenPanic | null = null;

  /** Looks at one line. */
  add(line: string): void {
    this.#lines++;
    const text = stripColours(line);
    const isPanic = this.#isPanic(text);
    const found = isPanic ? undefined : findObject(text);
    if (found === undefined) {
      return this.#addUseless(text, isPanic ? undefined : brokenJsonIn(text));
    }
    this.#packets++;
    this.#marker.take(textBeforeJson(text, found.start));
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
      marker: this.#marker.text,
      fields: fields.map(({ count, seen }, i) => ({
        proposal: proposals[i]!,
        count,
        seen,
      })),
      builtIn,
      unusable,
      samples: this.#samples,
      keyValue: this.#keyValue,
      pieces: this.#pieces,
      broken: this.#broken,
    };
  }

  /** Whether a line is one of a panic, whose message may hold anything. */
  #isPanic(text: string): boolean {
    if (this.#panic === null && !text.includes("panicked at ")) return false;
    const said = readFirmwareText(text);
    if (this.#panic?.takes(said)) {
      return !beginsWithJson({ text, truncated: false });
    }
    this.#panic = readPanic(said);
    return this.#panic !== null;
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

  /** Takes a line without an object, or with one that cannot be read, for this `reason`. */
  #addUseless(text: string, reason: string | undefined): void {
    const said = readFirmwareText(text).text;
    if (isPieceOfJson(said)) return void this.#pieces++;
    const pairs = readPairs(said);
    // `{temp=21 hum=40}` was never meant for JSON.
    if (reason !== undefined && (pairs === undefined || QUOTED.test(text))) {
      const { count, first = { line: show(text), reason } } = this.#broken;
      this.#broken = { count: count + 1, first };
    } else if (pairs !== undefined) {
      const { count, first = pairs } = this.#keyValue;
      this.#keyValue = { count: count + 1, first };
    }
  }
}

/** `1 line holds a JSON object that is broken: {"a":1,}: A string should stand where } does`; or undefined. */
export function describeBroken(
  { count, first }: BrokenLines,
): string | undefined {
  if (first === undefined) return undefined;
  return `${
    counted(count, "line holds", "lines hold")
  } a JSON object that is broken${
    count > 1 ? ", the first of them " : ": "
  }${first.line}: ${first.reason}`;
}

/** As much of a line as a sentence has room for. */
function show(text: string): string {
  const line = text.trim();
  return escapeTricks(
    line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line,
  );
}

/** Whether it is what the gateway reads itself: the board's clock, or its name. */
function isHeader(path: string, value: unknown): boolean {
  return path === "id" && typeof value === "string" ||
    path === "ts" && Number.isInteger(value) && Number(value) >= 0 &&
      Number(value) <= U32_MAX;
}
