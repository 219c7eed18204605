/**
 * What a board says instead of telemetry, and what would make telemetry of it.
 *
 * The newest few lines are kept, and looked at only when somebody asks.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import { counted } from "../counted.ts";
import {
  ADVISE_ONE_LINE,
  ADVISE_VALUES,
  adviseJson,
  isPieceOfJson,
} from "../json_advice.ts";
import { advisePairs, readPairs } from "../key_value.ts";
import { adviseMarker, CommonMarker } from "../marker.ts";
import { readFirmwareText, sampleOf, stripColours } from "./firmware_text.ts";
import { parseLine, SEVERAL_LINES, textBeforeJson } from "./telemetry.ts";
import type { UnknownFields, UnknownFieldsMode } from "./unknown_fields.ts";

/** Lines that are kept. */
const KEPT = 8;
/** So much of a line is kept. */
const MAX_KEPT = 8192;

/** What stands in the way. */
export type Obstacle =
  /** JSON objects come, and not the marker before them. */
  | "no marker"
  /** JSON objects come where they should, and no metric names a field of them. */
  | "no metric"
  /** JSON objects come where they should, and no value in them can be sent. */
  | "no value"
  /** What stands where it should is no JSON. */
  | "broken"
  /** A JSON object goes over several lines. */
  | "several lines"
  /** Names and numbers come, and no JSON. */
  | "no json"
  /** No line holds anything that could be meant for JSON, nor names and numbers. */
  | "only words";

/** Lines that are no telemetry, and why. */
export interface Explanation {
  /** Undefined where nothing is known of it. */
  readonly obstacle?: Obstacle;
  /** One of them, short and harmless to a terminal. */
  readonly sample: string;
  /** What the operator can do, one sentence; undefined where nothing is known of it. */
  readonly todo?: string;
}

/** Options for {@linkcode OtherLines}. */
export interface OtherLinesOptions {
  readonly marker: string;
  readonly catalogue: Catalogue;
  /** What becomes of fields that no metric names. @default {nothing, and nobody hears of it} */
  readonly unknownFields?: Pick<UnknownFields, "mode"> | undefined;
  /** Takes secrets out of a line: one is shown at the broker and by status. @default {none} */
  readonly hide?: ((text: string) => string) | undefined;
}

/** The newest of a board's lines that are no packet. */
export class OtherLines {
  readonly #options: OtherLinesOptions;
  readonly #lines: string[] = [];

  constructor(options: OtherLinesOptions) {
    this.#options = options;
  }

  /** Takes a line. */
  take(line: string): void {
    if (line === "") return;
    if (this.#lines.length === KEPT) this.#lines.shift();
    this.#lines.push(line);
  }

  /** Telemetry has come: what was before says nothing. */
  forget(): void {
    this.#lines.length = 0;
  }

  /** Why the lines are no telemetry; undefined where there are none. */
  explain(): Explanation | undefined {
    const { hide = (line) => line } = this.#options;
    const lines = this.#lines.map((line) =>
      hide(stripColours(line.slice(0, MAX_KEPT)))
    );
    const newest = lines.at(-1);
    if (newest === undefined) return undefined;
    return this.#explainJson(lines) ??
      explainPairs(lines, this.#options.marker) ??
      explainWords(lines, this.#options.marker) ??
      { sample: sampleOf(newest) };
  }

  #explainJson(lines: readonly string[]): Explanation | undefined {
    const { marker, catalogue, unknownFields } = this.#options;
    const parsed = lines.map((text) => ({
      text,
      own: parseLine({ text, truncated: false }, { marker, catalogue }),
    })).reverse();
    for (const { text, own } of parsed) {
      if (own.kind !== "packet" && own.unknown !== undefined) {
        return {
          obstacle: "no metric",
          sample: sampleOf(text),
          todo: adviseFields(own.unknown.length, unknownFields?.mode),
        };
      }
      if (own.kind === "reject") {
        if (own.reason === SEVERAL_LINES) return severalLines(text);
        return {
          obstacle: "broken",
          sample: sampleOf(text),
          todo:
            `correct what the firmware prints, it is broken: ${own.reason} ("iiot-gateway rejects" has all such lines)`,
        };
      }
    }
    const empty = parsed.find(({ own }) => own.kind === "other" && own.isEmpty);
    if (empty !== undefined) {
      return {
        obstacle: "no value",
        sample: sampleOf(empty.text),
        todo: ADVISE_VALUES,
      };
    }
    const piece = parsed.find(({ text }) =>
      isPieceOfJson(readFirmwareText(text).text)
    );
    if (marker === "") return piece && severalLines(piece.text);
    const common = new CommonMarker();
    let sample: string | undefined;
    for (const { text, own } of parsed) {
      // A packet that something else made a reject, such as a channel's name, has its marker.
      if (own.kind === "packet" || !holdsJson(text, catalogue)) continue;
      common.take(textBeforeJson(text));
      sample ??= text;
    }
    if (sample === undefined) return piece && severalLines(piece.text);
    return {
      obstacle: "no marker",
      sample: sampleOf(sample),
      todo: `the lines hold JSON; ${adviseMarker(marker, common.text)}`,
    };
  }
}

function severalLines(text: string): Explanation {
  return {
    obstacle: "several lines",
    sample: sampleOf(text),
    todo: ADVISE_ONE_LINE,
  };
}

/** What to do where a line's fields have no metric, and none of them is sent. */
function adviseFields(
  count: number,
  mode: UnknownFieldsMode = "ignore",
): string {
  const fields = counted(count, "field");
  const unnamed = `no [[metric]] in config.toml names one of its ${fields}`;
  switch (mode) {
    case "hint":
      return `${unnamed}: paste those that the log proposes, or set gateway.unknown_fields = "publish", which sends all fields as they are`;
    case "publish":
      return `${unnamed}, and none can be sent as it is: the log says why, once for each; name what is wanted with [[metric]]`;
    case "ignore":
      return `${unnamed}, and gateway.unknown_fields is "ignore": set it to "hint", and the log proposes the lines to paste, or to "publish", which sends all fields as they are`;
  }
}

function holdsJson(text: string, catalogue: Catalogue): boolean {
  const parsed = parseLine({ text, truncated: false }, {
    marker: "",
    catalogue,
  });
  return parsed.kind === "packet" || parsed.unknown !== undefined;
}

function explainPairs(
  lines: readonly string[],
  marker: string,
): Explanation | undefined {
  const found = lines.flatMap((text) => {
    const { layout, text: said } = readFirmwareText(text);
    // What is said of bytes is the gateway's own sentence, with a colon before them.
    const pairs = layout === "hex" ? undefined : readPairs(said);
    return pairs === undefined ? [] : [{ text, pairs }];
  });
  const newest = found.at(-1);
  if (newest === undefined || found.length * 2 < lines.length) return undefined;
  return {
    obstacle: "no json",
    sample: sampleOf(newest.text),
    todo: advisePairs(newest.pairs, marker),
  };
}

function explainWords(
  lines: readonly string[],
  marker: string,
): Explanation | undefined {
  // What has a brace may have been meant for JSON, and bytes may be anything.
  const mayHoldJson = (text: string) =>
    text.includes("{") || readFirmwareText(text).layout === "hex";
  if (lines.some(mayHoldJson)) return undefined;
  return {
    obstacle: "only words",
    sample: sampleOf(lines.at(-1)!),
    todo: `the newest lines hold no JSON object: ${adviseJson(marker)}`,
  };
}
