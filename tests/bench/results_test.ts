import assert from "node:assert/strict";
import { join } from "node:path";
import type { Figure, Ratio } from "./point.ts";
import { compare, gather, keepPoint, readResults } from "./results.ts";
import { figure, measuredPoint } from "./given.ts";

const round = (...figures: [string, string, number][]): Figure[] =>
  figures.map(([side, name, value]) => ({ side, name, unit: "", value }));

Deno.test("gather puts the values of all rounds under their names, in the order of their coming", () => {
  const rounds = [
    round(["gateway", "packets/s", 5], ["SQLite", "rows/s", 50]),
    round(["SQLite", "rows/s", 60], ["gateway", "packets/s", 6]),
    round(["gateway", "packets/s", 7]),
  ];
  assert.deepEqual(gather(rounds), [
    figure("gateway", "packets/s", [5, 6, 7]),
    figure("SQLite", "rows/s", [50, 60]),
  ]);
});

Deno.test("compare divides within each round, and leaves out what was not measured", () => {
  const packets = { side: "gateway", name: "packets/s" };
  const rows = { side: "SQLite", name: "rows/s" };
  const ratios: Ratio[] = [
    { of: packets, to: rows, atLeast: 0.01 },
    { of: packets },
    { of: packets, to: { side: "nobody", name: "rows/s" } },
  ];
  const rounds = [
    round(["gateway", "packets/s", 5], ["SQLite", "rows/s", 50]),
    round(["gateway", "packets/s", 6], ["SQLite", "rows/s", 0]),
    round(["gateway", "packets/s", 8], ["SQLite", "rows/s", 40]),
  ];
  assert.deepEqual(compare(rounds, ratios).map(({ values }) => values), [
    [0.1, 0.2],
    [5, 6, 8],
    [],
  ]);
});

Deno.test("compare sets each figure beside the same of the checkout before", () => {
  const rounds = [
    round(
      ["gateway", "packets/s", 6],
      ["gateway, before", "packets/s", 4],
      ["SQLite", "rows/s", 50],
    ),
  ];
  assert.deepEqual(compare(rounds, []), [{
    of: { side: "gateway", name: "packets/s" },
    to: { side: "gateway, before", name: "packets/s" },
    values: [1.5],
  }]);
});

Deno.test("keepPoint puts a point in the place of its last run, and keeps the others", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "results.json");
    const old = measuredPoint("throughput", [
      figure("gateway", "packets/s", [1]),
    ]);
    const other = measuredPoint("latency", [
      figure("10 packets/s", "p99", [2]),
    ]);
    const fresh = measuredPoint("throughput", [
      figure("gateway", "packets/s", [3]),
    ]);
    assert.deepEqual(await readResults(file), { points: [] });
    for (const point of [old, other, fresh]) await keepPoint(file, point);
    assert.deepEqual(await readResults(file), { points: [other, fresh] });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
