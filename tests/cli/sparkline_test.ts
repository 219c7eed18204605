import assert from "node:assert/strict";
import { sparkline, trend } from "../../lib/cli/watch/sparkline.ts";

Deno.test("sparkline shows the last numbers between their smallest and largest", () => {
  assert.equal(sparkline([], 5), "");
  assert.equal(sparkline([1, 2, 3], 0), "");
  assert.equal(sparkline([7, 7], 5), "▅▅");
  assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 20), "▁▂▃▄▅▆▇█");
  assert.equal(sparkline([1000, 0, 7, 3.5], 3), "▁█▅");
  assert.equal(sparkline([-1.7e308, 1.7e308], 2), "▁█");
});

Deno.test("trend tells a rise from noise", () => {
  const cases: [numbers: number[], arrow: string][] = [
    [[], ""],
    [[1], ""],
    [[1, 1], "→"],
    [[1, 2], "↗"],
    [[2, 1], "↘"],
    [[0, 9, 1, 8, 0, 9, 1, 8], "→"],
    [[20, 20.1, 20, 21, 22, 22.2, 22.1], "↗"],
    [[5, 6, 5, 4, 3, 2, 3], "↘"],
  ];
  for (const [numbers, arrow] of cases) {
    assert.equal(trend(numbers), arrow, String(numbers));
  }
});
