import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { parseLine } from "../../lib/source/telemetry.ts";
import { sinceStampMs, STAMP_TOPIC, stampedLine, stampNow } from "./stamp.ts";

Deno.test("A stamped line is a packet of nine readings, and the last one the moment", () => {
  const before = stampNow();
  const catalogue = createCatalogue();
  const parsed = parseLine(
    { text: stampedLine(7).trimEnd(), truncated: false },
    { marker: "JSON sent via VCP: ", catalogue },
  );
  assert.ok(parsed.kind === "packet");
  const { readings, dropped } = parsed.packet;
  assert.deepEqual(dropped, []);
  assert.equal(readings.length, 9);
  const { path, value } = readings.at(-1)!;
  const { node, name } = catalogue.get(path)!;
  assert.equal(`${node}/${name}`, STAMP_TOPIC);
  assert.ok(sinceStampMs(Number(value)) <= sinceStampMs(before));
});

Deno.test("A stamp before the counter begins anew is as old as it is", () => {
  const ms = sinceStampMs((stampNow() + 2 ** 32 - 5_000_000) % 2 ** 32);
  assert.ok(ms >= 5000 && ms < 15_000, String(ms));
});
