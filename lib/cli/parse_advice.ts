/**
 * What would help lines that do not become all that they say.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import { counted } from "../counted.ts";
import {
  formatMetricTable,
  type MetricProposal,
  proposeMetrics,
} from "../metric_proposal.ts";
import { LineSurvey } from "./captured_lines.ts";
import type { ParsedCounters, ParsedEntry } from "./parsed_lines.ts";

/** Other reasons than the first so many are not told apart. */
const MOST_REASONS = 100;

/** Looks at entries; memory is bounded. */
export class ParseAdvice {
  readonly #marker: string;
  readonly #catalogue: Catalogue;
  /** Lines without the marker, until a packet comes. */
  readonly #others = new LineSurvey();
  /** Lines with it. */
  readonly #marked = new LineSurvey();
  readonly #reasons = new Map<string, number>();
  #hasPacket = false;

  /** `marker`: what was looked for. */
  constructor(marker: string, catalogue: Catalogue) {
    this.#marker = marker;
    this.#catalogue = catalogue;
  }

  /** Takes what became of a line. */
  take(entry: ParsedEntry): void {
    if (entry.kind === "log") {
      if (!this.#hasPacket) this.#others.add(entry.text);
      return;
    }
    this.#marked.add(entry.line);
    if (entry.kind === "packet") this.#hasPacket = true;
    else {
      const count = this.#reasons.get(entry.reason) ?? 0;
      if (count > 0 || this.#reasons.size < MOST_REASONS) {
        this.#reasons.set(entry.reason, count + 1);
      }
    }
  }

  /** Fields that no metric names, and the metrics that they probably are. */
  get proposals(): MetricProposal[] {
    const survey = this.#hasPacket || this.#marked.result.packets > 0
      ? this.#marked
      : this.#others;
    const fields = survey.result.fields
      .map(({ proposal }) => proposal)
      .filter(({ path }) => !this.#catalogue.has(path));
    return proposeMetrics(fields, this.#catalogue.values());
  }

  /** What to do, a line each; `from`: where the lines came from. */
  sentences(counters: ParsedCounters, from: string): string[] {
    const why = counters.packets > 0 ? [] : this.#onNoPacket(counters, from);
    return [...why, ...this.#onFields()];
  }

  #onNoPacket(counters: ParsedCounters, from: string): string[] {
    if (counters.lines === 0) {
      return [
        `No line came from ${from}. The board's program prints its lines on stdout: probe-rs run … | iiot-gateway parse`,
      ];
    }
    const advice = [
      ...this.#onMarker(),
      ...this.#onRejects(counters.rejects),
      ...this.#onPairs(),
    ];
    return advice.length > 0 ? advice : [
      `No line holds ${
        JSON.stringify(this.#marker)
      }, nor any JSON object: the firmware has to print one for each packet, such as ${this.#marker}{"n1":{"t":27.6}}`,
    ];
  }

  #onMarker(): string[] {
    const { packets, marker } = this.#others.result;
    if (packets === 0) return [];
    return [
      `${counted(packets, "line holds", "lines hold")} a JSON object, and not ${
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
    const { packets, keyValue: { count, line, json } } = this.#others.result;
    if (count === 0 || packets > 0) return [];
    return [
      `${counted(count, "line looks", "lines look")} like this: ${line}`,
      `The gateway reads JSON. To do: have the firmware print an object, such as ${this.#marker}${json}`,
    ];
  }

  #onFields(): string[] {
    const { proposals } = this;
    if (proposals.length === 0) return [];
    return [
      `No [[metric]] names ${
        counted(proposals.length, "field")
      }: not sent. To do: paste these lines into config.toml, and correct what is guessed`,
      ...proposals.flatMap((one) => ["", formatMetricTable(one)]),
    ];
  }
}

/** As a string of config.toml, in which a dollar is written twice. */
function toToml(text: string): string {
  return JSON.stringify(text.replaceAll("$", "$$$$"));
}
