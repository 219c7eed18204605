import assert from "node:assert/strict";
import { sayRecorded } from "../../lib/cli/record.ts";
import { RecordingSummary } from "../../lib/source/recording_reader.ts";

/** A summary of a header and what comes behind it. */
function summary(
  ...entries: Parameters<RecordingSummary["add"]>[0][]
): RecordingSummary {
  const summary = new RecordingSummary();
  summary.add({
    kind: "header",
    ms: 0,
    program: "1.0.0",
    board: "",
    time: "2026-11-27T15:00:00.000Z",
    clock: "known",
    running: null,
  });
  for (const entry of entries) summary.add(entry);
  return summary;
}

Deno.test("What was recorded is told in a sentence", () => {
  assert.equal(
    sayRecorded(
      "a.recording",
      summary(
        { kind: "start", ms: 10, pid: 7, command: ["probe-rs"] },
        { kind: "out", ms: 20, bytes: new Uint8Array(1500) },
        { kind: "gap", ms: 25, chunks: 1, bytes: 80 },
        { kind: "end", ms: 30_000, code: 101 },
      ),
    ),
    "a.recording holds 1.5 kB of 30 s, the program was started 1 time, it ended last with exit code 101, 80 bytes are missing.",
  );
});

Deno.test("A recording of a program that printed nothing says so", () => {
  assert.equal(
    sayRecorded("a.recording", summary()),
    "a.recording holds nothing that the board's program printed.",
  );
  assert.equal(
    sayRecorded("a.recording", new RecordingSummary()),
    "Nothing was recorded.",
  );
});
