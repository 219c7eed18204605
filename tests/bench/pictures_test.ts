import assert from "node:assert/strict";
import { figure, measuredPoint } from "./given.ts";
import { drawPictures } from "./pictures.ts";

const GROWTH = measuredPoint("growth", [
  figure("1 million", "packets/s", [8000, 7900, 8100]),
  figure("10,000 rows", "packets/s", [8400]),
  figure("20 boards", "packets/s", [1]),
  figure("1,000,000 rows", "CPU per packet", [0.12]),
  figure("10 thousand rows", "CPU per packet", [0.11]),
]);
const LATENCY = measuredPoint("latency", [
  figure("gateway, 10 packets/s", "median", [1.4]),
  figure("bare, 10 packets/s", "median", [0.1]),
  figure("10 packets/s", "p99", [3.1]),
  figure("500 packets/s", "median", [1.7]),
  figure("500 packets/s", "p99", [6.2]),
]);

/** The texts of a picture, in order. */
const textsOf = (svg: string | undefined) =>
  [...(svg ?? "").matchAll(/<text [^>]*>([^<]*)</g)].map(([, text]) => text);
const attributes = (svg: string, element: string, name: string) =>
  [...svg.matchAll(RegExp(`<${element} [^>]*\\b${name}="([^"]*)"`, "g"))]
    .map(([, value]) => Number(value));

Deno.test("drawPictures shows throughput and CPU from the smallest journal to the largest", () => {
  const svg = drawPictures({ points: [GROWTH] }).get("growth.svg")!;
  const texts = textsOf(svg);
  assert.deepEqual(
    texts.filter((text) =>
      /^(10,000|1 million|8,400|8,000|0.110|0.120)$/.test(text!)
    ),
    [
      "10,000",
      "10,000",
      "1 million",
      "8,400",
      "8,000",
      "10,000",
      "1 million",
      "0.110",
      "0.120",
    ],
  );
  assert.ok(!texts.includes("20"));
  // Each dot lies further right than the one before, and the larger value higher.
  const [x, y] = [
    attributes(svg, "circle", "cx"),
    attributes(svg, "circle", "cy"),
  ];
  assert.equal(x.length, 4);
  assert.ok(x[0]! < x[1]! && y[0]! < y[1]! && y[2]! > y[3]!);
});

Deno.test("drawPictures shows latencies as columns whose heights are their values", () => {
  const svg = drawPictures({ points: [LATENCY] }).get("latency.svg")!;
  const heights = attributes(svg, `rect class="column"`, "height");
  const scale = heights[0]! / 1.4;
  [1.4, 1.7, 3.1, 6.2].forEach((value, i) =>
    assert.ok(Math.abs(heights[i]! / scale - value) < 0.05, `${heights}`)
  );
  for (
    const text of ["median", "99th percentile", "1.40", "6.20", "10", "500"]
  ) {
    assert.ok(textsOf(svg).includes(text), text);
  }
});

Deno.test("drawPictures draws within the picture, for a light page and a dark one", () => {
  for (const svg of drawPictures({ points: [GROWTH, LATENCY] }).values()) {
    assert.match(svg, /prefers-color-scheme: dark/);
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    const [, height] = /viewBox="0 0 \d+ (\d+)"/.exec(svg)!;
    for (
      const y of [
        ...attributes(svg, "circle", "cy"),
        ...attributes(svg, "text", "y"),
      ]
    ) {
      assert.ok(y > 0 && y < Number(height), `${y}`);
    }
  }
});

Deno.test("drawPictures draws what was measured, and refuses a point that lacks its figures", () => {
  assert.deepEqual([...drawPictures({ points: [] }).keys()], []);
  assert.deepEqual([...drawPictures({ points: [GROWTH] }).keys()], [
    "growth.svg",
  ]);
  const half = measuredPoint(
    "latency",
    LATENCY.figures.filter(({ name }) => name === "p99"),
  );
  assert.throws(
    () => drawPictures({ points: [half, GROWTH] }),
    /The results of "latency" lack "median" of a side such as/,
  );
});
