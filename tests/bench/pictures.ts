/**
 * The README's pictures, made of results.
 *
 * @module
 */

import { type Chart, drawChart, type Series } from "./chart.ts";
import type { MeasuredPoint, Results } from "./results.ts";
import { spread } from "./stats.ts";
import { formatNumber } from "./table.ts";

/** The sides that stand side by side: `10 thousand rows`, `gateway, 500 packets/s`. */
const ROWS = /^([\d,.]+)(?: (thousand|million))?(?: rows)?$/;
const PACE = /^(?:gateway, )?(\d+) packets\/s$/;

/**
 * The pictures of the points that were measured, by the names of their files.
 *
 * @throws {Error} if one of these points lacks what its picture shows
 */
export function drawPictures({ points }: Results): Map<string, string> {
  const point = (name: string) => points.find((one) => one.name === name);
  const [growth, latency] = [point("growth"), point("latency")];
  const charts: [string, Chart][] = [];
  if (growth !== undefined) charts.push(["growth.svg", chartOfGrowth(growth)]);
  if (latency !== undefined) {
    charts.push(["latency.svg", chartOfLatency(latency)]);
  }
  return new Map(charts.map(([file, chart]) => [file, drawChart(chart)]));
}

function chartOfGrowth(point: MeasuredPoint): Chart {
  const places = "rows in the journal";
  return {
    description: "Throughput and CPU per packet with a growing journal",
    panels: [
      {
        title: "Packets a second",
        places,
        series: [seriesOf(point, "packets/s", ROWS, "line")],
      },
      {
        title: "CPU per packet, ms",
        places,
        series: [seriesOf(point, "CPU per packet", ROWS, "line")],
      },
    ],
  };
}

function chartOfLatency(point: MeasuredPoint): Chart {
  const middle = seriesOf(point, "median", PACE, "columns");
  const late = seriesOf(point, "p99", PACE, "columns");
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
  point: MeasuredPoint,
  name: string,
  side: RegExp,
  kind: Series["kind"],
): Series {
  const found = point.figures
    .filter((one) => one.name === name && side.test(one.side))
    .map((figure) => ({ ...figure, count: countIn(figure.side, side) }))
    .toSorted((a, b) => a.count - b.count);
  if (found.length === 0) {
    throw new Error(
      `The results of "${point.name}" lack "${name}" of a side such as ${side}`,
    );
  }
  return {
    name,
    kind,
    values: found.map(({ count, values }) => ({
      ...spread(values),
      place: formatCount(count),
      text: formatNumber(spread(values).median),
    })),
  };
}

function countIn(text: string, side: RegExp): number {
  const [, digits = "", word] = side.exec(text) ?? [];
  const unit = word === "million" ? 1e6 : word === "thousand" ? 1e3 : 1;
  return Number(digits.replaceAll(",", "")) * unit;
}

/** `500`, `10,000`, `10 million` */
function formatCount(count: number): string {
  return count >= 1e6
    ? `${formatNumber(count / 1e6)} million`
    : formatNumber(count);
}
