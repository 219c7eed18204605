import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../cli/program.ts";
import { figure, measuredPoint, RUN } from "./given.ts";
import { keptResults, make, RESULTS_FOLDER } from "./readme.ts";

Deno.test("The README's figures and pictures are those of the kept results", async () => {
  const readme = await Deno.readTextFile(join(PROJECT, "README.md"));
  const made = await make(await keptResults(), readme);
  const hint = "Run: deno task figures";
  assert.equal(readme, made.readme, hint);
  const there = (await Array.fromAsync(Deno.readDir(RESULTS_FOLDER)))
    .map(({ name }) => name).filter((name) => name.endsWith(".svg"));
  assert.deepEqual(there.sort(), [...made.pictures.keys()].sort(), hint);
  for (const [file, svg] of made.pictures) {
    assert.equal(
      await Deno.readTextFile(join(RESULTS_FOLDER, file)),
      svg,
      hint,
    );
  }
});

Deno.test("The README says of each point on what it was measured, and begins its rows with its name", async () => {
  const start = ["empty journal", "many rows"].map((side) =>
    figure(side, "first line", [150], "ms")
  );
  const hour = ["resident, most", "growth in an hour"].map((name) =>
    figure("a packet a second", name, [80], "MB")
  );
  const later = { ...RUN, at: "2026-02-03T04:05:06.000Z" };
  const { readme } = await make({
    points: [
      measuredPoint("start", start),
      {
        ...measuredPoint("memory", [
          ...hour,
          figure("waiting", "resident, most", [130], "MB"),
        ]),
        run: { ...RUN, build: { ...RUN.build, commit: "9876543210" } },
      },
      { ...measuredPoint("hour", hour), run: later },
    ],
  }, "<!-- Measured: deno task figures --><!-- /Measured -->");
  const words = readme.replace(/\s+/g, " ");
  assert.match(words, /Measured on: - `start`, `hour`: A CPU.*0123456789/);
  assert.match(words, /rounds - `memory`: A CPU.*9876543210/);
  assert.match(words, /rounds Ratios of two lines can be compared/);
  assert.match(words, /\| `start` \| from exec to .* \| \| the same with 10/);
});

Deno.test("make refuses results that lack what the README shows, and a README without a place", async () => {
  const readme = await Deno.readTextFile(join(PROJECT, "README.md"));
  const lacking = measuredPoint("throughput", [
    figure("gateway", "packets/s", [1]),
  ]);
  await assert.rejects(
    make({ points: [lacking] }, readme),
    /The results of "throughput" lack "messages\/s" of "gateway"/,
  );
  await assert.rejects(
    make({ points: [measuredPoint("unheard of", [])] }, readme),
    /does not say what the README shows of "unheard of"/,
  );
  await assert.rejects(make({ points: [] }, "# A README"), /README.md has no/);
});
