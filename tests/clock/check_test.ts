import assert from "node:assert/strict";
import { checkClock } from "../../lib/clock/check.ts";
import type { Finding } from "../../lib/model.ts";

const NOW_MS = Date.UTC(2026, 10, 27);

/** What the check says of a clock. */
function check(
  { knownBy = null, differenceMs, hasPoints = true, now = NOW_MS }: {
    knownBy?: string | null;
    differenceMs?: number;
    hasPoints?: boolean;
    now?: number;
  },
): Promise<Finding[]> {
  return Array.fromAsync(checkClock({ trust: false, hold_s: 300 }, {
    clock: { knownBy, differenceMs },
    ask: () => Promise.resolve(null),
    signal: new AbortController().signal,
    hasPoints,
    now: () => now,
  }));
}

Deno.test("The check says that a clock which shows a time before this program was made is wrong", async () => {
  const findings = await check({ now: 0, knownBy: "systemd-timesyncd" });
  assert.equal(findings.length, 1);
  const [{ level, detail, fix } = {}] = findings;
  assert.equal(level, "failed");
  assert.match(detail ?? "", /wrong: it shows 1970-01-01 00:00 UTC/);
  assert.deepEqual(fix, ["sudo timedatectl set-ntp true", "timedatectl"]);
});

Deno.test("The check warns of a clock that nobody vouches for, with the command and the line that end it", async () => {
  const [finding, ...more] = await check({});
  assert.deepEqual(more, []);
  assert.equal(finding?.level, "warning");
  assert.match(finding.detail, /points wait up to 300 s/);
  assert.deepEqual(finding.fix, [
    "sudo timedatectl set-ntp true",
    "trust = true",
  ]);
  const [without] = await check({ hasPoints: false });
  assert.match(without?.detail ?? "", /messages go without the time/);
  assert.doesNotMatch(without?.detail ?? "", /point/);
});

Deno.test("The check warns of a clock that the database's differs from", async () => {
  const findings = await check({ knownBy: "chrony", differenceMs: 120_000 });
  assert.deepEqual(findings.map(({ level }) => level), ["ok", "warning"]);
  assert.match(findings[1]?.detail ?? "", /InfluxDB differ by 2 min$/);
  assert.equal(findings[1]?.fix?.[0], "date --utc");
});
