import assert from "node:assert/strict";
import { Link } from "../../lib/forwarder/link.ts";

const BLOCKED = { kind: "blocked", message: "401", hint: "Set it" } as const;

Deno.test("Link says since when it stands, since when not and why", () => {
  let now = 0;
  const link = new Link(() => now);
  const kindAt = (ms: number) => {
    now = ms;
    const { kind, for_s } = link.state;
    return [kind, for_s];
  };
  assert.deepEqual(kindAt(1000), ["starting", 1]);
  link.failed({ kind: "retry", message: "refused" });
  assert.deepEqual(kindAt(4000), ["failing", 3]);
  link.failed(BLOCKED);
  assert.deepEqual(kindAt(6000), ["blocked", 5]);
  assert.deepEqual(link.state.last_error, { message: "401", age_s: 2 });
  assert.equal(link.state.hint, "Set it");
  link.opened("InfluxDB");
  // It lets in and takes nothing: not yet.
  assert.deepEqual(kindAt(7000), ["blocked", 6]);
  link.works();
  link.works();
  assert.deepEqual(kindAt(9000), ["connected", 2]);
  assert.deepEqual(link.state, {
    kind: "connected",
    for_s: 2,
    session: "InfluxDB",
    hint: null,
    last_error: { message: "401", age_s: 5 },
  });
});

Deno.test("Link that opens at the first attempt is connected", () => {
  const link = new Link(() => 0);
  link.opened("MQTT");
  assert.equal(link.state.kind, "connected");
  assert.equal(link.state.last_error, null);
});
