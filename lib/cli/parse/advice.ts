/**
 * What would help lines that do not become all that they say.
 *
 * @module
 */

import type { Catalogue } from "../../catalogue.ts";
import { counted } from "../../counted.ts";
import type { BoardConfig } from "../../config/schema.ts";
import { adviseDrop } from "../../drop_advice.ts";
import {
  ADVISE_CORRECT,
  ADVISE_ONE_LINE,
  ADVISE_VALUES,
  adviseJson,
} from "../../json_advice.ts";
import { advisePairs } from "../../key_value.ts";
import { adviseMarker } from "../../marker.ts";
import {
  type Field,
  formatMetricTable,
  type MetricProposal,
  proposeMetrics,
} from "../../metric_proposal.ts";
import type { DroppedReading } from "../../model.ts";
import { escapeTricks } from "../../source/firmware_text.ts";
import { SEVERAL_LINES } from "../../source/telemetry.ts";
import { describeBroken, LineSurvey } from "../capture/captured_lines.ts";
import type { ParsedCounters, ParsedEntry } from "./parsed_lines.ts";

/** Other reasons than the first so many are not told apart. */
const MOST_REASONS = 100;

/** Looks at entries; memory is bounded. */
export class ParseAdvice {
  readonly #marker: string;
  readonly #mode: BoardConfig["unknown_fields"];
  readonly #catalogue: Catalogue;
  /** Lines without the marker, until a packet comes. */
  readonly #others = new LineSurvey();
  readonly #reasons = new Map<string, number>();
  /** The first reading that ended, by path and reason. */
  readonly #dropped = new Map<string, DroppedReading>();
  /** Lines whose JSON has no value that could be sent. */
  #empty = 0;
  #hasPacket = false;

  constructor(
    { marker, unknown_fields }: Pick<BoardConfig, "marker" | "unknown_fields">,
    catalogue: Catalogue,
  ) {
    this.#marker = marker;
    this.#mode = unknown_fields;
    this.#catalogue = catalogue;
  }

  /** Takes what became of a line. */
  take(entry: ParsedEntry): void {
    if (entry.kind === "log") {
      if (entry.reason === "no usable value") this.#empty++;
      if (!this.#hasPacket) this.#others.add(entry.text);
      return;
    }
    if (entry.kind === "packet") {
      this.#hasPacket = true;
      for (const one of entry.dropped) {
        const key = `${one.reason} ${one.path}`;
        if (!this.#dropped.has(key)) this.#dropped.set(key, one);
      }
    } else {
      const count = this.#reasons.get(entry.reason) ?? 0;
      if (count > 0 || this.#reasons.size < MOST_REASONS) {
        this.#reasons.set(entry.reason, count + 1);
      }
    }
  }

  /**
   * The metrics that fields probably are which no metric names and which are not sent.
   *
   * @param unknown such fields of lines that the gateway reads; of others it is found out here
   */
  proposals(unknown: readonly Field[]): MetricProposal[] {
    if (this.#mode === "ignore") return [];
    const isElsewhere = unknown.length === 0 && !this.#hasPacket &&
      this.#mode === "hint";
    const fields = !isElsewhere
      ? unknown
      : this.#others.result.fields.map(({ proposal }) => proposal);
    return proposeMetrics(
      fields.filter(({ path }) => !this.#catalogue.has(path)),
      this.#catalogue.values(),
    );
  }

  /** What to do, a line each; `from`: where the lines came from. */
  sentences(
    counters: ParsedCounters,
    { unknown, from }: {
      readonly unknown: readonly Field[];
      readonly from: string;
    },
  ): string[] {
    const why = counters.packets > 0 ? [] : this.#onNoPacket(counters, from);
    return [
      ...why,
      ...this.#onDropped(),
      ...this.#onFields(this.proposals(unknown)),
    ];
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
      ...this.#onEmpty(),
      ...this.#onPieces(),
      ...this.#onBroken(),
      ...this.#onPairs(),
    ];
    if (advice.length > 0 || this.#others.result.packets > 0) return advice;
    const marked = this.#marker === ""
      ? "No line holds a JSON object"
      : `No line holds ${JSON.stringify(this.#marker)}, nor any JSON object`;
    return [`${marked}: ${adviseJson(this.#marker)}`];
  }

  #onMarker(): string[] {
    const { packets, marker } = this.#others.result;
    // Without a marker each object has been read.
    if (packets === 0 || this.#marker === "") return [];
    return [
      `${
        counted(
          packets,
          "line holds a JSON object and is not read",
          "lines hold a JSON object and are not read",
        )
      }. To do: ${adviseMarker(this.#marker, marker)}`,
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

  #onEmpty(): string[] {
    if (this.#empty === 0) return [];
    return [
      `${
        counted(this.#empty, "line holds", "lines hold")
      } a JSON object, and no value in it can be sent. To do: ${ADVISE_VALUES}`,
    ];
  }

  #onPieces(): string[] {
    const { packets, pieces } = this.#others.result;
    // The reason of a reject says it already.
    if (pieces === 0 || packets > 0 || this.#reasons.has(SEVERAL_LINES)) {
      return [];
    }
    return [
      `${
        counted(pieces, "line is a piece", "lines are pieces")
      } of a JSON object over several lines. To do: ${ADVISE_ONE_LINE}`,
    ];
  }

  #onBroken(): string[] {
    const { pieces, broken } = this.#others.result;
    const why = describeBroken(broken);
    return why === undefined || pieces > 0
      ? []
      : [`${why}. To do: ${ADVISE_CORRECT}`];
  }

  #onPairs(): string[] {
    const { packets, keyValue: { count, first } } = this.#others.result;
    if (first === undefined || packets > 0) return [];
    return [
      `${
        counted(count, "line says", "lines say")
      } names and numbers, and none is JSON. To do: ${
        advisePairs(first, this.#marker)
      }`,
    ];
  }

  #onDropped(): string[] {
    return [...this.#dropped.values()].map((one) =>
      escapeTricks(adviseDrop(one, this.#catalogue.get(one.path)))
    );
  }

  #onFields(proposals: readonly MetricProposal[]): string[] {
    if (proposals.length === 0) return [];
    const orSendAll = this.#mode === "publish"
      ? ""
      : '; or set unknown_fields = "publish" under [gateway], which sends all fields as they are';
    return [
      `No [[metric]] names ${
        counted(proposals.length, "field")
      }: not sent. To do: paste these lines into config.toml, and correct what is guessed${orSendAll}`,
      ...proposals.flatMap((one) => ["", formatMetricTable(one)]),
    ];
  }
}
