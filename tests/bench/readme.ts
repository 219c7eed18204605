/**
 * `deno task figures`: the README's figures and pictures, made of the results that are kept in
 * `results/`, so that the two cannot differ: a test compares them.
 *
 *     deno task bench --executable --json tests/bench/results/results.json && deno task figures
 *
 * @module
 */

import { join } from "node:path";
import { PROJECT } from "../cli/program.ts";
import { drawPictures } from "./pictures.ts";
import type { FigureName } from "./point.ts";
import {
  findFigure,
  type MeasuredPoint,
  readResults,
  type Results,
} from "./results.ts";
import { spread } from "./stats.ts";
import {
  describeRun,
  formatNumber,
  formatRatio,
  formatValue,
} from "./table.ts";

/** Where results and pictures are kept. */
export const RESULTS_FOLDER = join(PROJECT, "tests/bench/results");
const FILE = join(RESULTS_FOLDER, "results.json");

/** What stands between these lines is written by this program. */
const BEGIN = "<!-- Measured: deno task figures -->";
const END = "<!-- /Measured -->";

/** A row of the README's table. */
interface Shown extends FigureName {
  /** What the row says that it is. */
  readonly text: string;
}

const gateway = (name: string, text: string): Shown => ({
  ...{ side: "gateway", name, text },
});

/** What the README shows of each point; the rest stands in the results. */
const SHOWN: Readonly<Record<string, readonly Shown[]>> = {
  throughput: [
    gateway("packets/s", "packets a second, the whole way"),
    gateway("messages/s", "messages a second, each acknowledged"),
    gateway("points/s", "points a second"),
    gateway("CPU per packet", "CPU per packet"),
    gateway("resident memory, most", "resident memory in the flood, at most"),
    gateway("journal per packet", "journal per packet"),
    gateway("written per packet", "written to disk per packet"),
  ],
  growth: [
    ...["100 thousand", "1 million", "10 million"].map((side): Shown => ({
      ...{ side, name: "CPU per packet" },
      text: `CPU per packet, ${side} rows in the journal`,
    })),
    ...["5 boards", "20 boards"].map((side): Shown => ({
      ...{ side, name: "CPU per packet" },
      text: `CPU per packet, ${side}`,
    })),
    ...["30 metrics", "100 metrics"].map((side): Shown => ({
      ...{ side, name: "CPU per reading" },
      text: `CPU per reading, ${side} a packet`,
    })),
  ],
  deleting: [
    ...["nothing", "by size", "by age"].flatMap((what): Shown[] => {
      const side = `deleting ${what}`;
      return [
        { side, name: "median", text: `child to subscriber, ${side}, median` },
        { side, name: "longest stall", text: "the longest of these" },
      ];
    }),
    {
      ...{ side: "commits", name: "longest" },
      text: "longest commit of one packet",
    },
    {
      ...{ side: "commits that delete", name: "longest" },
      text: "the same, with old packets deleted in it",
    },
  ],
  sd_card: [
    ...["1 packet every 2 s", "500 packets/s", "flood"].map((side): Shown => ({
      ...{ side, name: "written per packet" },
      text: `written to disk per packet, ${side}`,
    })),
    ...["median", "p99", "worst"].map((name): Shown => ({
      ...{ side: "gateway, sync of 50 ms", name },
      text: `child to subscriber, each sync 50 ms, ${name}`,
    })),
    {
      ...{ side: "gateway, sync of 50 ms", name: "child's longest write" },
      text: "child's longest write, each sync 50 ms",
    },
  ],
  latency: [
    ["10 packets/s", "at 10 packets a second, ten minutes on"],
    ["10 packets/s, just started", "at 10 packets a second, just started"],
    ["500 packets/s", "at 500 packets a second"],
  ].flatMap(([pace, at]): Shown[] => {
    const side = `gateway, ${pace}`;
    return [
      { side, name: "median", text: `line to subscriber ${at}` },
      { side, name: "p99", text: "99 % of these within" },
    ];
  }),
  idle: [
    gateway("CPU", "CPU at a packet every 10 s"),
    gateway("wake-ups/s", "wake-ups a second then"),
    gateway("syncs per packet", "syncs of the disk per packet then"),
    gateway("writes to the broker per packet", "writes to the broker"),
    gateway("writes to the database per packet", "writes to the database"),
  ],
  memory: [
    {
      ...{ side: "a packet a second", name: "resident, most" },
      text: "resident memory at a packet a second, five minutes, at most",
    },
    {
      ...{ side: "waiting", name: "resident, most" },
      text: "resident memory while a flood waits for both servers, at most",
    },
  ],
  hour: [
    {
      ...{ side: "a packet a second", name: "resident, most" },
      text: "resident memory in an hour at a packet a second, at most",
    },
    {
      ...{ side: "a packet a second", name: "growth in an hour" },
      text: "its growth in that hour, by the second half",
    },
  ],
  start: [
    {
      ...{ side: "empty journal", name: "first line" },
      text: "from exec to the first line read",
    },
    {
      ...{ side: "many rows", name: "first line" },
      text: "the same with 10,000,000 rows in the journal",
    },
  ],
};

/** What a README holds that was made of results. */
export interface Made {
  /** The README's text, with its part of the results. */
  readonly readme: string;
  /** The pictures' texts by the names of their files. */
  readonly pictures: ReadonlyMap<string, string>;
}

/** The results that are kept. */
export function keptResults(): Promise<Results> {
  return readResults(FILE);
}

/**
 * Puts `results` into the text of a README.
 *
 * @throws {Error} if the README has no place for them, or they lack what it shows
 */
export async function make(results: Results, readme: string): Promise<Made> {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin === -1 || end < begin) {
    throw new Error(`README.md has no "${BEGIN}" with "${END}" behind it`);
  }
  const pictures = drawPictures(results);
  const part = await formatMarkdown(
    [describe(results), table(results), ...images(pictures)].join("\n\n"),
  );
  return {
    readme: `${readme.slice(0, begin)}${BEGIN}\n\n${part}\n${
      readme.slice(end)
    }`,
    pictures,
  };
}

/** On what the points were measured: a line for all on the same machine, with the same build, as often. */
function describe({ points }: Results): string {
  const together = Map.groupBy(points, ({ run }) => {
    const [machine, build, ...rest] = describeRun(run);
    return [machine, build?.replace(/, [^,]*$/, ""), ...rest].join("; ");
  });
  const lines = together.entries().map(([run, points]) =>
    `- ${points.map(({ name }) => `\`${name}\``).join(", ")}: ${run}`
  );
  const caution = together.size > 1
    ? ["\nRatios of two lines can be compared; their milliseconds cannot."]
    : [];
  return ["Measured on:\n", ...lines, ...caution].join("\n");
}

function table({ points }: Results): string {
  const rows = points.flatMap((point) => rowsOf(point));
  return [
    "| point | what | median | min to max | ratio |",
    "|---|---|---:|---|---|",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
  ].join("\n");
}

function rowsOf(point: MeasuredPoint): string[][] {
  const shown = SHOWN[point.name];
  if (shown === undefined) {
    throw new Error(
      `readme.ts does not say what the README shows of "${point.name}"`,
    );
  }
  return shown.map((one, index) => {
    const figure = findFigure(point.figures, one);
    if (figure === undefined) {
      throw new Error(
        `The results of "${point.name}" lack "${one.name}" of "${one.side}"`,
      );
    }
    const { median, min, max } = spread(figure.values);
    return [
      index === 0 ? `\`${point.name}\`` : "",
      one.text,
      formatValue(median, figure.unit),
      `${formatNumber(min)} to ${formatNumber(max)}`,
      point.ratios.filter(({ of, to, values }) =>
        of.side === one.side && of.name === one.name && to !== undefined &&
        values.length > 0
      ).map(formatRatio).join(", "),
    ];
  });
}

function images(pictures: ReadonlyMap<string, string>): string[] {
  return pictures.entries().map(([file, svg]) => {
    const description = /<title>(.*)<\/title>/.exec(svg)?.[1] ?? "";
    return `![${description}](tests/bench/results/${file})`;
  }).toArray();
}

/** As `deno fmt` wants it. */
async function formatMarkdown(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("deno fmt does not take the README's part");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const path = join(PROJECT, "README.md");
  const { readme, pictures } = await make(
    await keptResults(),
    await Deno.readTextFile(path),
  );
  await Deno.writeTextFile(path, readme);
  for (const [file, svg] of pictures) {
    await Deno.writeTextFile(join(RESULTS_FOLDER, file), svg);
  }
}
