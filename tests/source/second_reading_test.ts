import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { dropReason, readAgain } from "../../lib/source/second_reading.ts";
import { CUT, parseLine } from "../../lib/source/telemetry.ts";

const marker = "JSON sent via VCP: ";
const present = { marker, catalogue: createCatalogue() };
const LINE = `${marker}{"ts":7,"n1":{"t":2795,"h":54.1,"g":null}}`;

function withRange(range: [number, number]) {
  const metric = present.catalogue.get("n1.t");
  assert.ok(metric);
  return { marker, catalogue: createCatalogue([{ ...metric, range }]) };
}

/** The reasons with which the line stands among the rejects. */
function reasons(line: string): string[] {
  const parsed = parseLine({ text: line, truncated: false }, present);
  assert.ok(parsed.kind === "packet");
  return parsed.packet.dropped.map(dropReason);
}

Deno.test("readAgain gives of a line whose other readings went on only the one that was dropped", () => {
  const [implausible, missing] = reasons(LINE);
  assert.equal(implausible, "implausible: n1.t = 2795");
  assert.equal(missing, "not_a_number: n1.g = null");
  assert.deepEqual(readAgain(LINE, implausible, withRange([0, 5000])), {
    packet: {
      boardTs: 7,
      readings: [{ path: "n1.t", value: 2795 }],
      dropped: [],
    },
    counted: true,
    reasons: [],
  });
  assert.equal(readAgain(LINE, String(missing), withRange([0, 5000])), null);
  assert.equal(readAgain(LINE, implausible, present), null);
});

Deno.test("readAgain gives all of a line of which nothing was used, and what is dropped of it with its reason", () => {
  assert.deepEqual(
    readAgain(LINE, "No metric of the catalogue is in the packet", present),
    {
      packet: {
        boardTs: 7,
        readings: [{ path: "n1.h", value: 54.1 }],
        dropped: [
          { path: "n1.t", value: "2795", reason: "implausible" },
          { path: "n1.g", value: "null", reason: "not_a_number" },
        ],
      },
      counted: false,
      reasons: ["implausible: n1.t = 2795", "not_a_number: n1.g = null"],
    },
  );
});

Deno.test("readAgain takes nothing from a line that is broken, or was cut", () => {
  assert.equal(readAgain(`${marker}{"n1":`, "The line ends", present), null);
  assert.equal(readAgain("no marker here", "whatever", present), null);
  assert.equal(readAgain(LINE, CUT, present), null);
});

Deno.test("readAgain does not take one path for another that begins like it", () => {
  const metric = present.catalogue.get("n1.t");
  assert.ok(metric);
  const catalogue = createCatalogue([{ ...metric, path: "n1.tt" }]);
  const line = `${marker}{"n1":{"t":2795,"tt":20}}`;
  const options = { marker, catalogue };
  assert.equal(readAgain(line, "implausible: n1.t = 2795", options), null);
  assert.equal(
    readAgain(line, "implausible: n1.tt = 2795", options)?.packet.readings[0]
      ?.path,
    "n1.tt",
  );
});
