import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { DroppedValues } from "../../lib/source/dropped_values.ts";
import { captureLog } from "./log_capture.ts";

Deno.test("DroppedValues tells of each path and reason the first, and warns of a table that does not fit", async () => {
  await using log = await captureLog();
  const values = new DroppedValues(createCatalogue());
  values.note([
    { path: "n1.t", value: "true", reason: "wrong_type" },
    { path: "n1.h", value: "180", reason: "implausible" },
  ]);
  values.note([
    { path: "n1.t", value: "false", reason: "wrong_type" },
    { path: "n1.t", value: "null", reason: "not_a_number" },
    { path: "n1.h", value: "\u202e", reason: "implausible" },
  ]);
  assert.deepEqual(
    log.lines.map((line) => line.replace(/\. To do: .*/, "")),
    [
      "source warning: Not sent: n1.t = true, and its [[metric]] is for a number",
      "source info: Not sent: n1.h = 180, which cannot be: possible are 0 to 100",
      "source info: Not sent: n1.t = null, which is no number",
    ],
  );
});

Deno.test("DroppedValues says nothing that a terminal could obey", async () => {
  await using log = await captureLog();
  const values = new DroppedValues(createCatalogue());
  values.note([{
    path: "n1.t",
    value: '"\u202e\u0007"',
    reason: "wrong_type",
  }]);
  assert.match(log.lines.join(), /= "\\u\{202e\}\\u\{7\}", and its/);
});
