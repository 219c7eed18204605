import assert from "node:assert/strict";
import { PROGRAMS } from "../cli/program.ts";
import { requires } from "../servers.ts";
import { flood } from "./flood.ts";

Deno.test({
  name:
    "A flood while both servers are down and the disk is slow costs what memory does not hold, counted, and nothing else",
  ...requires("gcc", "mosquitto", "victoria-metrics"),
  fn: async () => {
    const [program] = PROGRAMS;
    assert.ok(program);
    const report = await flood({ program, packets: 100_000, fsyncMs: 1000 });
    for (const sink of report.sinks) {
      assert.equal(sink.received, report.packets);
      const { overrun = 0, ...others } = sink.dropped;
      assert.deepEqual(others, {});
      assert.equal(sink.delivered + overrun, sink.received);
      // Whether memory was too small depends on how fast the child could print.
      assert.equal(overrun > 0, /does not keep up/.test(report.log));
      assert.equal(sink.balanced, true);
    }
    // flood_bench.ts tells the figures of a machine that has nothing else to do; probe-rs throws
    // data away after a second.
    assert.ok(report.child.longestMs < 500, `${report.child.longestMs} ms`);
    assert.ok(report.residentMb < 800, `${report.residentMb} MB`);
  },
});
