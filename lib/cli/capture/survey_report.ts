/**
 * What captured lines have shown, as config.toml and somebody who has just captured them want it.
 *
 * @module
 */

import { createCatalogue } from "../../catalogue.ts";
import type { Config } from "../../config/schema.ts";
import { templateValue } from "../../config/template.ts";
import { counted } from "../../counted.ts";
import {
  ADVISE_CORRECT,
  ADVISE_ONE_LINE,
  adviseJson,
} from "../../json_advice.ts";
import { advisePairs } from "../../key_value.ts";
import { formatMetricTable } from "../../metric_proposal.ts";
import { parseLine } from "../../source/telemetry.ts";
import { doubleDollars } from "../../toml_string.ts";
import { describeBroken, type Survey } from "./captured_lines.ts";

/** @throws {Error} if no line holds a JSON object */
export function refuseUseless(
  { lines, packets, keyValue, pieces, broken }: Survey,
  from: string,
): void {
  if (packets > 0) return;
  const where = from === "-" ? "stdin" : `"${from}"`;
  if (pieces > 0) {
    throw new Error(
      `No line of ${where} holds a whole JSON object, and ${
        counted(pieces, "line is a piece", "lines are pieces")
      } of one: ${ADVISE_ONE_LINE}`,
    );
  }
  const why = describeBroken(broken);
  if (why !== undefined) {
    throw new Error(
      `No line of ${where} holds a whole JSON object, and ${why}: ${ADVISE_CORRECT}`,
    );
  }
  const { count, first } = keyValue;
  if (first !== undefined) {
    throw new Error(
      `No line of ${where} holds a JSON object, and ${
        counted(count, "line says", "lines say")
      } names and numbers: ${advisePairs(first, "")}`,
    );
  }
  throw new Error(
    lines === 0
      ? `There are no lines in ${where}: give it what the board's program prints, such as of "probe-rs attach"`
      : `No line of ${where} holds a JSON object (${counted(lines, "line")}): ${
        adviseJson("")
      }`,
  );
}

/** `gateway.marker` for these lines, as config.toml has it; undefined: as it is by default. */
export function markerOf({ marker }: Survey): string | undefined {
  return marker === templateValue("gateway.marker")
    ? undefined
    : doubleDollars(marker);
}

/** The tables for the end of the file. */
export function metricTables({ fields }: Survey): string {
  if (fields.length === 0) return "";
  return [
    '# What follows is guessed, by "iiot-gateway init --from" and from what the board printed: nodes, names and',
    "# units come from the names of the fields. Look through it, and correct what is wrong.",
    "",
    fields.map(({ proposal }) => formatMetricTable(proposal)).join("\n\n"),
    "",
  ].join("\n");
}

/** What was found in the lines, and what the configuration makes of them. */
export function describeSurvey(
  { lines, packets, marker, fields, builtIn, unusable, samples, broken }:
    Survey,
  file: string,
  { mqtt, boards, metrics }: Config,
): string[] {
  const prefix = mqtt === undefined ? "" : `${mqtt.topic_prefix}/`;
  const rows = fields.map(({ proposal: { path, node, name, unit }, seen }) => [
    path,
    `${prefix}${node}/${name}`,
    unit === null ? "" : `${unit}?`,
    seen,
  ]);
  const widths = [0, 1, 2].map((column) =>
    Math.max(0, ...rows.map((row) => row[column]!.length))
  );
  const isBroken = describeBroken(broken);
  const catalogue = createCatalogue(metrics);
  const { marker: set } = boards[0]!;
  const tried =
    samples.filter((text) =>
      parseLine({ text, truncated: false }, { marker: set, catalogue }).kind ===
        "packet"
    ).length;
  return [
    `${counted(lines, "line")}, ${packets} with a JSON object. ${
      marker === ""
        ? 'No words that all have stand before it, but for time, level and names in brackets: with marker = "" every line with one is taken.'
        : `Before it stands the marker "${marker}".`
    }`,
    ...(builtIn > 0
      ? [
        `${
          counted(
            builtIn,
            "field is a built-in metric",
            "fields are built-in metrics",
          )
        }.`,
      ]
      : []),
    ...(rows.length > 0
      ? [
        `${
          counted(rows.length, "field is new", "fields are new")
        }; names and units are GUESSED, so look through the end of ${file}:`,
        ...rows.map((row) =>
          `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`
            .trimEnd()
        ),
      ]
      : []),
    ...(isBroken === undefined ? [] : [`Not used: ${isBroken}.`]),
    ...unusable.map((sentence) => `Not used: ${sentence}.`),
    `Tried with it: ${tried} of ${
      counted(samples.length, "line")
    } with a JSON object become a packet.`,
  ];
}
