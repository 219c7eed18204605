import assert from "node:assert/strict";
import { play } from "../../lib/source/player.ts";
import {
  formatEntry,
  type RecordingEntry,
} from "../../lib/source/recording.ts";
import { readRecording } from "../../lib/source/recording_reader.ts";
import { HEADER } from "./recording_header.ts";

const text = (kind: "out" | "err", ms: number, text: string) => ({
  kind,
  ms,
  bytes: new TextEncoder().encode(text),
});

const RECORDING: readonly RecordingEntry[] = [
  HEADER,
  { kind: "start", ms: 100, pid: 1, command: ["cat"] },
  text("out", 1100, "a"),
  text("err", 1200, "b"),
  { kind: "gap", ms: 1250, chunks: 1, bytes: 1 },
  text("out", 1300, "c"),
  { kind: "end", ms: 2000, code: 101 },
  { kind: "start", ms: 5000, pid: 2, command: ["cat"] },
  text("out", 6000, "d"),
];

/** Plays a run against a clock that moves only when it is waited for; gives what came, when, and the code. */
async function played(
  run: number,
  speed: number,
  { writeMs = 0, stopMs = Infinity } = {},
): Promise<string> {
  const lines = RECORDING.map((entry) => `${formatEntry(entry)}\n`);
  const stop = new AbortController();
  let ms = 0;
  const pass = (by: number) => {
    ms = Math.min(ms + by, stopMs);
    if (ms === stopMs) stop.abort();
    return Promise.resolve();
  };
  let heard = "";
  const code = await play({
    entries: readRecording(new Blob(lines).stream()),
    run,
    speed,
    write: (pipe, bytes) => {
      heard += `${pipe} ${new TextDecoder().decode(bytes)} ${ms}, `;
      return pass(writeMs);
    },
    signal: stop.signal,
    now: () => ms,
    wait: pass,
  });
  return `${heard}${code} ${ms}`;
}

Deno.test("A run is played as it was: both pipes, the times, the exit code", async () => {
  assert.equal(
    await played(0, 1),
    "out a 1100, err b 1200, out c 1300, 101 2000",
  );
});

Deno.test("A run is played with the pause before it, and ends with 0 where no end was recorded", async () => {
  assert.equal(await played(1, 1), "out d 4000, 0 4000");
});

Deno.test("A run is played faster, and as fast as it is read", async () => {
  assert.equal(await played(0, 10), "out a 110, err b 120, out c 130, 101 200");
  assert.equal(await played(0, Infinity), "out a 0, err b 0, out c 0, 101 0");
});

Deno.test("A player that was held up goes on where it has to be by now", async () => {
  assert.equal(
    await played(0, 1, { writeMs: 150 }),
    "out a 1100, err b 1250, out c 1400, 101 2000",
  );
});

Deno.test("A player that is told to stop ends with 0", async () => {
  assert.equal(await played(0, 1, { stopMs: 1150 }), "out a 1100, 0 1150");
});
