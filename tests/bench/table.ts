/**
 * What was measured, as a person reads it.
 *
 * @module
 */

import type { Build, Machine } from "./machine.ts";
import type { FigureName } from "./point.ts";
import type { MeasuredPoint, MeasuredRatio, Run } from "./results.ts";
import { median, spread } from "./stats.ts";

/** A number with three digits that say something, thousands parted: `8,431`, `12.3`, `0.118`. */
export function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 || value === 0
    ? 0
    : Math.min(2 - Math.floor(Math.log10(Math.abs(value))), 6);
  return value.toLocaleString("en-US", {
    minimumFractionDigits: Number.isInteger(value) ? 0 : digits,
    maximumFractionDigits: digits,
  });
}

/** `8,431 packets/s` */
export function formatValue(value: number, unit: string): string {
  return unit === "" ? formatNumber(value) : `${formatNumber(value)} ${unit}`;
}

/** The lines over a table: machine and program. */
export function describeRun(run: Run): string[] {
  const { machine, build, before, rounds, size } = run;
  return [
    describe(machine),
    `${describeBuild(build)}, ${run.at}`,
    ...(before === null ? [] : [`before: ${describeBuild(before)}`]),
    `median of ${rounds} ${rounds === 1 ? "round" : "rounds"}${
      size === "quick" ? ", quick" : ""
    }`,
  ];
}

/** A point's part of the table. */
export function formatPoint(point: MeasuredPoint): string {
  const rows = point.figures.map((figure) => {
    const { median: middle, min, max } = spread(figure.values);
    return [
      figure.side,
      figure.name,
      formatValue(middle, figure.unit),
      `${formatNumber(min)} to ${formatNumber(max)}`,
      point.ratios.filter(({ of, to, values }) =>
        isSame(of, figure) && to !== undefined && values.length > 0
      ).map(formatRatio).join(", "),
    ];
  });
  const table = align([
    ["side", "figure", "median", "min to max", "ratio"],
    ...rows,
  ]);
  const notes = point.notes.map((note) => `  ${note}`);
  return [point.title, ...notes, ...table.map((line) => `  ${line}`)]
    .join("\n");
}

/** `0.43 of mosquitto_pub, messages/s` */
export function formatRatio({ of, to, values }: MeasuredRatio): string {
  const middle = formatNumber(median(values));
  if (to === undefined) return middle;
  // The anchor's figure mostly has the same name.
  const what = to.name === of.name ? to.side : `${to.side}, ${to.name}`;
  return `${middle} of ${what}`;
}

function describe({ cpu, cores, memoryGb, system, fileSystem }: Machine) {
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${system}, ${fileSystem}`;
}

function describeBuild({ form, version, commit }: Build): string {
  return `${version}, ${form}${commit === "" ? "" : `, commit ${commit}`}`;
}

function isSame(one: FigureName, other: FigureName): boolean {
  return one.side === other.side && one.name === other.name;
}

/** Columns of equal width; the numbers' to the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((row) => row[column]!.length))
  );
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 2
        ? cell.padStart(widths[column]!)
        : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  );
}
