import assert from "node:assert/strict";
import { RejectLog } from "../../lib/source/reject_log.ts";
import { captureLog } from "./log_capture.ts";

const HOUR_MS = 3_600_000;

Deno.test("RejectLog tells of the first broken line, warns of the tenth, and then once an hour with how many", async () => {
  await using log = await captureLog();
  let nowMs = 0;
  const rejects = new RejectLog(() => nowMs);
  const tear = (count: number) => {
    const before = log.lines.length;
    for (let i = 0; i < count; i++) {
      rejects.note(
        `[INFO] JSON sent: {"n1":{"t":2\u001b[2J (app src/main.rs:4)`,
        "The text ends within an object",
      );
    }
    return log.lines.slice(before).map((line) => line.slice(0, 50));
  };
  assert.deepEqual(tear(1), [
    "source info: Telemetry is broken in 1 line, such a",
  ]);
  assert.match(
    log.lines[0]!,
    /"JSON sent: \{"n1":\{"t":2.*": The text ends within an object\. "iiot-gateway rejects list"/,
  );
  assert.ok(!log.lines[0]!.includes("\u001b"));
  assert.deepEqual(tear(8), []);
  const warned = tear(5);
  assert.equal(warned.length, 1);
  assert.match(warned[0]!, /^source warning: Telemetry is broken in 9 lines/);
  nowMs = HOUR_MS - 1;
  assert.deepEqual(tear(20), []);
  nowMs = HOUR_MS;
  const hourly = tear(3);
  assert.equal(hourly.length, 1);
  assert.match(hourly[0]!, /^source warning: Telemetry is broken in 25 lines/);
});
