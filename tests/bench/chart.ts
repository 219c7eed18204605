/**
 * Pictures of what was measured, as SVG: one file that is readable on a light and on a dark page.
 *
 * Drawn here and not by a library: those that need no browser write their colours into every element,
 * so that a picture fits one of the two pages only, and weigh some 50 MB for a dozen points.
 *
 * @module
 */

/** What a picture shows: panels side by side. */
export interface Chart {
  /** Read out instead of the picture. */
  readonly description: string;
  readonly panels: readonly Panel[];
}

/** One diagram: what `y` is, from zero up, at each of some places from left to right. */
export interface Panel {
  readonly title: string;
  /** What the places are: `rows in the journal`. */
  readonly places: string;
  readonly series: readonly Series[];
}

/** Values of one kind, each at a place; the places of all series of a panel stand in one row. */
export interface Series {
  /** Told over the panel where it has several. */
  readonly name: string;
  /** Joined by a line, or each a column of its own. */
  readonly kind: "line" | "columns";
  readonly values: readonly Value[];
}

/** A value, and between what it lay. */
export interface Value {
  /** `10 k` */
  readonly place: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** `8,431`, written beside it. */
  readonly text: string;
}

const WIDTH = 400;
const HEIGHT = 260;
/** Around the diagram of a panel: title above, places below, numbers to the left. */
const EDGE = { top: 56, right: 24, bottom: 48, left: 60 };
const INNER = {
  width: WIDTH - EDGE.left - EDGE.right,
  height: HEIGHT - EDGE.top - EDGE.bottom,
};
const COLUMN = 34;

const STYLE = `
  svg { --page: #fff; --text: #1f2328; --faint: #59636e; --grid: #d1d9e0; --a: #0969da; --b: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --text: #f0f6fc; --faint: #9198a1; --grid: #3d444d; --a: #4493f8; --b: #db6d28 }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--faint) }
  .title { font-size: 14px; font-weight: 600 }
  .title, .value { fill: var(--text) }
  .middle { text-anchor: middle } .end { text-anchor: end }
  .grid { stroke: var(--grid) } .page { fill: var(--page) }
  .s0 { --own: var(--a) } .s1 { --own: var(--b) }
  .line { fill: none; stroke: var(--own); stroke-width: 2 }
  .range { stroke: var(--text); stroke-width: 1.5 }
  .dot, .column { fill: var(--own) } .column { opacity: 0.85 } .name { fill: var(--own) }
`;

/** The picture as the text of an SVG file. */
export function drawChart({ description, panels }: Chart): string {
  const width = WIDTH * panels.length;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" role="img">`,
    `<title>${escape(description)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${width}" height="${HEIGHT}" rx="6"/>`,
    ...panels.map((panel, index) =>
      `<g transform="translate(${WIDTH * index} 0)">\n${
        [...drawPanel(panel)].join("\n")
      }\n</g>`
    ),
    "</svg>",
    "",
  ].join("\n");
}

function* drawPanel({ title, places, series }: Panel): Iterable<string> {
  const values = series.flatMap(({ values }) => values);
  const names = [...new Set(values.map(({ place }) => place))];
  const ticks = ticksUpTo(Math.max(...values.map(({ max }) => max)));
  const top = ticks.at(-1)!;
  const x = (place: string) =>
    EDGE.left + INNER.width * (names.indexOf(place) + 0.5) / names.length;
  const y = (value: number) => EDGE.top + INNER.height * (1 - value / top);
  yield text("title", EDGE.left, 24, title);
  for (const tick of ticks) {
    yield `<path class="grid" d="M${EDGE.left} ${
      round(y(tick))
    }h${INNER.width}"/>`;
    yield text("end", EDGE.left - 8, y(tick) + 4, tick.toLocaleString("en-US"));
  }
  for (const name of names) {
    yield text("middle", x(name), HEIGHT - EDGE.bottom + 18, name);
  }
  const middle = EDGE.left + INNER.width / 2;
  yield text("middle", middle, HEIGHT - 10, places);
  const columns = series.filter(({ kind }) => kind === "columns");
  for (const [index, one] of series.entries()) {
    yield `<g class="s${index % 2}">`;
    if (series.length > 1) {
      yield text("name", EDGE.left + 90 * index, 42, one.name);
    }
    const shift = one.kind === "line"
      ? 0
      : (columns.indexOf(one) - (columns.length - 1) / 2) * (COLUMN + 10);
    yield* drawSeries(one, (place) => x(place) + shift, y);
    yield "</g>";
  }
}

function* drawSeries(
  { kind, values }: Series,
  x: (place: string) => number,
  y: (value: number) => number,
): Iterable<string> {
  if (kind === "line") {
    const points = values.map(({ place, median }) =>
      `${round(x(place))} ${round(y(median))}`
    );
    yield `<path class="line" d="M${points.join("L")}"/>`;
  }
  for (const { place, median, min, max, text: label } of values) {
    const at = round(x(place));
    yield kind === "line"
      ? `<circle class="dot" cx="${at}" cy="${round(y(median))}" r="4"/>`
      : `<rect class="column" x="${round(at - COLUMN / 2)}" y="${
        round(y(median))
      }" width="${COLUMN}" height="${round(y(0) - y(median))}"/>`;
    yield `<path class="range" d="M${at} ${round(y(min))}V${round(y(max))}"/>`;
    yield text("value middle", at, y(max) - 10, label);
  }
}

function text(
  kind: string,
  x: number,
  y: number,
  content: string,
): string {
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}">${
    escape(content)
  }</text>`;
}

/** Round numbers from 0 to one that leaves room above `most`, four to seven of them. */
function ticksUpTo(most: number): number[] {
  const wanted = most * 1.1 / 4;
  const unit = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * unit)
    .find((one) => one >= wanted) ?? wanted;
  const count = Math.ceil(most * 1.1 / step);
  return Array.from({ length: count + 1 }, (_, i) =>
    // Without the noise of 3 · 0.1.
    Number((i * step).toPrecision(6)));
}

/** A tenth of a pixel is enough, and the same on every machine. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
