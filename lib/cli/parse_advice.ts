/**
 * What would help where lines hold no telemetry.
 *
 * @module
 */

import { counted } from "../counted.ts";
import type { ParsedCounters, ParsedEntry } from "./parsed_lines.ts";

/** A `{` that a `}` follows; what stands between may be no JSON. */
const BRACES = /\{.*\}/s;
/** `temp=21.5`, `hum: 40` */
const PAIR = /(?:^|[\s,;])[A-Za-z_][\w.]*\s*[=:]\s*-?\d+(?:\.\d+)?(?![\w.:-])/;
const MAX_SHOWN = 60;
/** The beginning of a marker that another word reaches into. */
const PART_OF_WORD = /^[\p{L}\p{N}_.-]+/u;
const WORD = /\p{L}/u;

/** Looks at entries, and remembers of each kind how many there were, and one. */
export class ParseAdvice {
  readonly #marker: string;
  /** Lines with an object behind another text, and what all of these texts end in. */
  #objects = { count: 0, before: "", isCut: false };
  #pairs = { count: 0, line: "" };
  #reasons = new Map<string, number>();

  /** `marker`: what was looked for. */
  constructor(marker: string) {
    this.#marker = marker;
  }

  /** Takes what became of a line. */
  take(entry: ParsedEntry): void {
    if (entry.kind === "reject") {
      const count = this.#reasons.get(entry.reason) ?? 0;
      if (count > 0 || this.#reasons.size < 100) {
        this.#reasons.set(entry.reason, count + 1);
      }
    } else if (entry.kind === "log") this.#look(entry.text);
  }

  /** What to do, where nothing was a packet; `from`: where the lines came from. */
  sentences(counters: ParsedCounters, from: string): string[] {
    if (counters.packets > 0) return [];
    if (counters.lines === 0) {
      return [
        `No line came from ${from}. The board's program prints its lines on stdout: probe-rs run … | iiot-gateway parse`,
      ];
    }
    const advice = [
      ...this.#onObjects(),
      ...this.#onRejects(counters.rejects),
      ...this.#onPairs(),
    ];
    return advice.length > 0 ? advice : [
      `No line holds ${
        JSON.stringify(this.#marker)
      }, nor any JSON object: the firmware has to print one for each packet, such as ${this.#marker}{"n1":{"t":27.6}}`,
    ];
  }

  #look(text: string): void {
    const start = text.indexOf("{");
    if (start >= 0 && holdsObject(text.slice(start))) {
      const { count, before } = this.#objects;
      const here = text.slice(0, start);
      this.#objects.count++;
      this.#objects.before = count === 0 ? here : commonEnd(before, here);
      this.#objects.isCut ||= count > 0 && here !== this.#objects.before;
    } else if (PAIR.test(text) && this.#pairs.count++ === 0) {
      this.#pairs.line = shorten(text);
    }
  }

  #onObjects(): string[] {
    const { count, before, isCut } = this.#objects;
    if (count === 0) return [];
    const common = isCut ? before.replace(PART_OF_WORD, "") : before;
    // Numbers and signs may be any.
    const marker = WORD.test(common) ? common : "";
    return [
      `${counted(count, "line holds", "lines hold")} a JSON object, and not ${
        JSON.stringify(this.#marker)
      } before it. To do: set this under [gateway] in config.toml`,
      `  marker = ${toToml(marker)}`,
    ];
  }

  #onRejects(rejects: number): string[] {
    const [most] = [...this.#reasons].sort((a, b) => b[1] - a[1]);
    if (most === undefined) return [];
    const [reason, count] = most;
    return [
      `${
        counted(rejects, "line looks", "lines look")
      } like telemetry and cannot be used, ${count} for this reason: ${reason}`,
    ];
  }

  #onPairs(): string[] {
    const { count, line } = this.#pairs;
    if (count === 0 || this.#objects.count > 0) return [];
    return [
      `${counted(count, "line looks", "lines look")} like this: ${line}`,
      `The gateway reads JSON. To do: have the firmware print an object, such as ${this.#marker}{"temperature":21.5,"humidity":40}`,
    ];
  }
}

function holdsObject(text: string): boolean {
  const found = BRACES.exec(text)?.[0];
  if (found === undefined) return false;
  try {
    return Object.keys(JSON.parse(found)).length > 0;
  } catch {
    return false;
  }
}

/** What both end in. */
function commonEnd(one: string, other: string): string {
  let length = 0;
  while (
    length < one.length && length < other.length &&
    one.at(-1 - length) === other.at(-1 - length)
  ) length++;
  return one.slice(one.length - length);
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** As a string of config.toml, in which a dollar is written twice. */
function toToml(text: string): string {
  return JSON.stringify(text.replaceAll("$", "$$$$"));
}
