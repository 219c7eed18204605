/**
 * The README's pictures, made of results.
 *
 * @module
 */

import { type Chart, drawChart, type Series } from "./chart.ts";
import type { MeasuredPoint, Results } from "./results.ts";
import { spread } from "./stats.ts";
import { formatNumber } from "./table.ts";

/** What figures are called, by whose names the points are found. */
const ROWS = /^([\d,]+) rows$/;
const PACE = /^(\d+) packets\/s$/;

/** The pictures for which there are figures, by the names of their files. */
export function drawPictures({ points }: Results): Map<string, string> {
  const point = (name: string) => points.find((one) => one.name === name);
  const charts: [string, Chart | undefined][] = [
    ["growth.svg", chartOfGrowth(point("growth"))],
    ["latency.svg", chartOfLatency(point("latency"))],
  ];
  return new Map(
    charts.flatMap(([file, chart]) =>
      chart === undefined ? [] : [[file, drawChart(chart)]]
    ),
  );
}

function chartOfGrowth(point: MeasuredPoint | undefined): Chart | undefined {
  const speed = seriesOf(point, "packets/s", ROWS, "line");
  const cpu = seriesOf(point, "CPU per packet", ROWS, "line");
  if (speed === undefined || cpu === undefined) return undefined;
  const places = "rows in the journal";
  return {
    description: "Throughput and CPU per packet with a growing journal",
    panels: [
      { title: "Packets a second", places, series: [speed] },
      { title: "CPU per packet, ms", places, series: [cpu] },
    ],
  };
}

function chartOfLatency(point: MeasuredPoint | undefined): Chart | undefined {
  const middle = seriesOf(point, "median", PACE, "columns");
  const late = seriesOf(point, "p99", PACE, "columns");
  if (middle === undefined || late === undefined) return undefined;
  return {
    description: "Time from a line's leaving the child to its subscriber",
    panels: [{
      title: "From the child to the subscriber, ms",
      places: "packets a second",
      series: [middle, { ...late, name: "99th percentile" }],
    }],
  };
}

/** The figures called `name` of all sides that `side` fits, from the smallest number in it on. */
function seriesOf(
  point: MeasuredPoint | undefined,
  name: string,
  side: RegExp,
  kind: Series["kind"],
): Series | undefined {
  const numberIn = (text: string) =>
    Number(side.exec(text)?.[1]?.replaceAll(",", ""));
  const figures = (point?.figures ?? [])
    .filter((one) => one.name === name && side.test(one.side))
    .toSorted((a, b) => numberIn(a.side) - numberIn(b.side));
  if (figures.length === 0) return undefined;
  return {
    name,
    kind,
    values: figures.map(({ side, values }) => ({
      ...spread(values),
      place: formatCount(numberIn(side)),
      text: formatNumber(spread(values).median),
    })),
  };
}

/** `500`, `10,000`, `10 million` */
function formatCount(count: number): string {
  return count >= 1e6
    ? `${formatNumber(count / 1e6)} million`
    : formatNumber(count);
}
