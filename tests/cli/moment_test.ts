import assert from "node:assert/strict";
import { formatMoment, parseMoment } from "../../lib/cli/moment.ts";
import { formatProgress } from "../../lib/cli/terminal/progress.ts";

Deno.test("parseMoment takes RFC 3339 times to the microsecond, and formatMoment gives them back", () => {
  const cases: [text: string, us: number, back: string][] = [
    ["1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000Z"],
    [
      "2023-11-14T23:13:20.123456789+01:00",
      1_700_000_000_123_456,
      "2023-11-14T22:13:20.123456Z",
    ],
    [
      "2023-11-14T22:13:20.5Z",
      1_700_000_000_500_000,
      "2023-11-14T22:13:20.500000Z",
    ],
    ["1969-12-31T23:59:59.999999Z", -1, "1969-12-31T23:59:59.999999Z"],
  ];
  for (const [text, us, back] of cases) {
    assert.equal(parseMoment(text), us, text);
    assert.equal(formatMoment(us), back);
  }
});

Deno.test("parseMoment takes durations before now, and oldest", () => {
  const wanted = (Date.now() - 7_200_000) * 1000;
  const got = parseMoment("2h");
  assert.ok(Math.abs(got - wanted) < 10e6);
  assert.equal(parseMoment("oldest"), -Infinity);
});

Deno.test("parseMoment refuses what is ambiguous or nothing at all", () => {
  for (
    const text of [
      "",
      "now",
      "2023-11-14",
      "2023-11-14T22:13:20",
      "2023-13-14T22:13:20Z",
      "14.11.2023",
      "2 h",
      "-2h",
      "1700000000",
    ]
  ) assert.throws(() => parseMoment(text), /with its zone/, text);
});

Deno.test("Progress shows a bar, and no more than all", () => {
  assert.equal(
    formatProgress(0.5, "7 packets"),
    `[${"#".repeat(15)}${".".repeat(15)}]  50 % 7 packets`,
  );
  assert.equal(formatProgress(1.5, ""), `[${"#".repeat(30)}] 100 %`);
});
