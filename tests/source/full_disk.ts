/**
 * A recording on a small disk that is full for a while, for `recording_file_test.ts`; prints a report as
 * JSON.
 *
 *     full_disk.ts FOLDER
 *
 * @module
 */

import { join } from "node:path";
import { Recorder } from "../../lib/source/recorder.ts";
import { parseEntry } from "../../lib/source/recording.ts";
import { RecordingFile } from "../../lib/source/recording_file.ts";
import { wait } from "../../lib/wait.ts";

/** From one attempt of the recorder to the next. */
const RETRY_MS = 1000;

const [folder = ""] = Deno.args;
const path = join(folder, "board.recording");
const other = join(folder, "others");
const CHUNK = new Uint8Array(1000).fill(65);
const LAST = new TextEncoder().encode("the last");

let failures = 0;
const file = new RecordingFile(path, { maxBytes: 10_000_000 });
const recorder = new Recorder({
  target: {
    name: path,
    async write(entries) {
      await file.write(entries).catch((error) => {
        failures++;
        throw error;
      });
    },
  },
  board: "",
  running: null,
  timeOfDay: () => ({ us: 0, isKnown: true }),
  // It tries again soon, and is given all the time that it wants for the end.
  wait: (ms, signal) => wait(ms === RETRY_MS ? 5 : ms, signal),
});
let printed = 0;
const print = (bytes: Uint8Array) => {
  recorder.printed("out", bytes);
  printed += bytes.length;
};

await Deno.writeFile(other, new Uint8Array(128 * 1024));
// More than there is room for, in many pieces.
while (failures < 3 || printed < 400_000) {
  print(CHUNK);
  await wait(1, new AbortController().signal);
}
await Deno.remove(other);
print(LAST);
await recorder[Symbol.asyncDispose]();
file[Symbol.dispose]();

const report = {
  printed,
  here: 0,
  missing: 0,
  damaged: 0,
  isLastHere: false,
};
for (const line of (await Deno.readTextFile(path)).trimEnd().split("\n")) {
  const entry = parseEntry(line);
  if (entry === null) report.damaged++;
  else if (entry.kind === "gap") report.missing += entry.bytes;
  else if (entry.kind === "out") {
    report.here += entry.bytes.length;
    report.isLastHere = entry.bytes.length === LAST.length;
  }
}
// deno-lint-ignore no-console -- the test reads it
console.log(JSON.stringify(report));
