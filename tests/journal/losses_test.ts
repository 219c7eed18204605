import assert from "node:assert/strict";
import { Losses } from "../../lib/journal/losses.ts";
import { Overruns } from "../../lib/journal/overruns.ts";
import { captureLog } from "../source/log_capture.ts";

const AT = Date.parse("2026-11-23T10:00:00Z") * 1000;
const loss = (first: number, last: number) => ({
  readings: (last - first + 1) * 9,
  first,
  last,
  fromUs: AT + first * 1e6,
  toUs: AT + last * 1e6,
});

Deno.test("Losses are told at once, then in one line a minute with their range, and when they are over", async () => {
  await using log = await captureLog();
  const losses = new Losses();
  losses.add("mqtt", loss(1, 10));
  for (let i = 11; i < 60; i++) losses.add("mqtt", loss(i, i));
  losses.add("influxdb", loss(5, 6));
  losses.minute();
  losses.minute();
  losses.minute();
  losses.add("mqtt", loss(70, 70));
  losses.add("mqtt", loss(71, 71));
  losses.close();
  assert.deepEqual(
    log.lines.map((line) => line.replace(/ that (\w+) has not had/, " $1")),
    [
      "journal error: The journal is full: 90 readings mqtt are given up (packets 1 to 10, of 2026-11-23T10:00:01.000Z to 2026-11-23T10:00:10.000Z)",
      "journal error: The journal is full: 18 readings influxdb are given up (packets 5 to 6, of 2026-11-23T10:00:05.000Z to 2026-11-23T10:00:06.000Z)",
      "journal error: The journal is full: 441 readings mqtt are given up (packets 11 to 59, of 2026-11-23T10:00:11.000Z to 2026-11-23T10:00:59.000Z)",
      "journal warning: The journal has room again: 531 readings in all mqtt were given up",
      "journal warning: The journal has room again: 18 readings in all influxdb were given up",
      "journal error: The journal is full: 9 readings mqtt are given up (packets 70 to 70, of 2026-11-23T10:01:10.000Z to 2026-11-23T10:01:10.000Z)",
      "journal error: The journal is full: 9 readings mqtt are given up (packets 71 to 71, of 2026-11-23T10:01:11.000Z to 2026-11-23T10:01:11.000Z)",
    ],
  );
});

Deno.test("Packets that the disk had no time for are told in the same way", async () => {
  await using log = await captureLog();
  const overruns = new Overruns();
  for (let s = 0; s < 90; s++) overruns.add(AT + s * 1e6);
  overruns.minute();
  overruns.add(AT + 100e6);
  overruns.minute();
  overruns.minute();
  overruns.minute();
  assert.deepEqual(log.lines, [
    "journal error: The disk does not keep up: what waits for it takes all the memory that it may, packets are dropped",
    "journal error: The disk did not keep up: 90 packets of 2026-11-23T10:00:00.000Z to 2026-11-23T10:01:29.000Z are lost, 90 so far",
    "journal error: The disk did not keep up: 1 packets of 2026-11-23T10:01:40.000Z to 2026-11-23T10:01:40.000Z are lost, 91 so far",
    "journal warning: The disk keeps up again: 91 packets were lost",
  ]);
});
