import assert from "node:assert/strict";
import { PROGRAMS, PROJECT, runToEnd } from "../cli/program.ts";
import { requires } from "../servers.ts";
import { RUN } from "./given.ts";
import { POINTS } from "./points/index.ts";
import { THROUGHPUT } from "./points/throughput.ts";
import { measure } from "./runner.ts";

const bench = (...args: string[]) =>
  runToEnd([
    ...[Deno.execPath(), "run", "-A", `${PROJECT}tests/bench/bench.ts`],
    ...args,
  ]);

Deno.test("bench --help names every point", async () => {
  const { code, stdout } = await bench("--help");
  assert.equal(code, 0);
  for (const { name, title } of POINTS) {
    assert.match(stdout, RegExp(`^  ${name} +${title.slice(0, 20)}`, "m"));
  }
});

Deno.test("bench says what is wrong with its arguments", async () => {
  const wrong: [string[], RegExp][] = [
    [
      ["--points", "throughputs"],
      /There is no point "throughputs", only "throughput"/,
    ],
    [["--rounds", "0"], /"--rounds" must be a number from 1 on: it is "0"/],
    [["--packets", "many"], /"--packets" must be a number from 1 on/],
  ];
  for (const [args, text] of wrong) {
    const { code, stdout, stderr } = await bench(...args);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, text);
  }
});

Deno.test("Every point has a name of its own", () => {
  const names = POINTS.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});

Deno.test({
  name:
    "The flood goes the whole way, and each of its comparisons has both sides",
  ...requires(...THROUGHPUT.needs),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const { figures, ratios } = await measure(THROUGHPUT, {
        run: { ...RUN, size: "quick", rounds: 1 },
        program: PROGRAMS[0]!,
        packets: 200,
        folder,
        signal: new AbortController().signal,
        say() {},
      });
      for (const { side, name, values } of figures) {
        assert.equal(values.length, 1, `${side}: ${name}`);
      }
      for (const { of, to, values } of ratios) {
        // The kernel counts in steps of 10 ms: so few messages may cost none.
        if (of.name.startsWith("CPU")) continue;
        assert.equal(values.length, 1, `${of.name} to ${to?.name}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
