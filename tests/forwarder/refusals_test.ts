import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { Refusals } from "../../lib/forwarder/refusals.ts";
import { row } from "../sink/given.ts";
import { captureLog } from "../source/log_capture.ts";

Deno.test("Refusals names each path at once, and then once an hour with how many there were", async () => {
  await using log = await captureLog();
  let nowMs = 0;
  const refusals = new Refusals({
    log: getLogger(["gateway", "influxdb"]),
    now: () => nowMs,
  });
  const refuse = (path: string, ...values: number[]) =>
    refusals.say(values.map((value) => {
      const one = row(1, { [path]: value });
      return { row: one, reading: one.readings[0]!, reason: "too old" };
    }));
  refuse("n1.t", 1, 2, 3);
  refuse("n1.h", 5);
  for (nowMs = 0; nowMs < 3_600_000; nowMs += 360_000) refuse("n1.t", 7);
  refuse("n1.t", 8);
  assert.deepEqual(log.lines, [
    "influxdb warning: Refused for good: n1.t = 1 and 2 more: too old",
    "influxdb warning: Refused for good: n1.h = 5: too old",
    "influxdb warning: Refused for good: n1.t = 8 and 10 more: too old",
  ]);
});
