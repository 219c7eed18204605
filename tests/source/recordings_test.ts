/**
 * Recordings of `tests/testdata/recordings`, each played as it was printed: a field problem as a test.
 * `iiot-gateway record` made them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { createCatalogue } from "../../lib/catalogue.ts";
import { selfCommand, selfEnvironment } from "../../lib/cli/self.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import type { Failure } from "../../lib/source/failure.ts";
import { readRecordingFile } from "../../lib/source/recording_reader.ts";
import { ReplayLauncher } from "../../lib/source/replay_launcher.ts";
import { Source } from "../../lib/source/source.ts";
import { captureLog } from "./log_capture.ts";

/** What came out of a recording. */
interface Played {
  /** The board's own clock in each packet. */
  readonly ts: (number | null)[];
  readonly rejects: string[];
  readonly failures: string[];
  /** The firmware's own lines, but for what it says of its radio. */
  readonly said: string[];
  readonly counters: Source["counters"];
  readonly lastPanic: string | undefined;
}

async function played(name: string): Promise<Played> {
  await using log = await captureLog();
  const file = fileURLToPath(
    new URL(`../testdata/recordings/${name}.recording`, import.meta.url),
  );
  let runs = 0;
  for await (const { run } of readRecordingFile(file)) runs = run + 1;
  const launcher = new ReplayLauncher(runs, (run) =>
    selfCommand(
      ["simulate", "--recording", file, "--run", `${run}`, "--speed", "max"],
      ["--allow-read"],
    ));
  const failures: string[] = [];
  const ts: (number | null)[] = [];
  const rejects: string[] = [];
  const get = (name: string) => Deno.env.get(name);
  await using source = new Source({
    launcher: Object.assign(launcher, {
      ended: (failure: Failure) => {
        failures.push(`${failure.kind}: ${failure.error}`);
        return Promise.resolve(failure);
      },
    }),
    env: { PATH: get("PATH") ?? "", ...selfEnvironment(get) },
    marker: "JSON sent via VCP: ",
    maxLineBytes: 8192,
    catalogue: createCatalogue(),
    clock: new EventClock({
      now: () => ({ epoch: 1, monoUs: performance.now() * 1000 }),
    }),
    backoff: () => ({ next: () => 0, reset() {} }),
    stopTimeoutMs: 5000,
    write: (some) => void ts.push(...some.map(({ packet }) => packet.boardTs)),
    onReject: (line, reason) => void rejects.push(`${line} | ${reason}`),
  });
  await source.run();
  return {
    ts,
    rejects,
    failures,
    said: log.lines.filter((line) =>
      /^firmware (?!debug|info: Gateway firmware started)/.test(line)
    ),
    counters: source.counters,
    lastPanic: source.lastPanic?.location,
  };
}

Deno.test("Recording: the probe was pulled in the middle of a line, came back, and the firmware crashed", async () => {
  assert.deepEqual(await played("unplugged_and_crashed"), {
    ts: [300, 600, 900, 1200, 200, 400, 600, 200],
    rejects: [
      '[INFO] JSON sent via VCP: {"ts":1,"n1":{"t":27.6 | The line ends where "}" should stand',
    ],
    failures: [
      "target lost: Error: USB error while reading from the target (caused by: No such device (it may have been disconnected))",
      "probe missing: Error: No connected probes were found",
      "firmware crashed: Error: Exception (Firmware exited unexpectedly: Exception)",
      // Here the recording was cut.
      "unknown: undefined",
    ],
    said: [
      // Its é came in two pieces, and a byte that is no UTF-8 behind it.
      "firmware info: café \ufffd",
      "firmware error: The firmware panicked at src/main.rs:138:50: called Result::unwrap() on {Busy}",
    ],
    counters: { lines: 26, packets: 8, rejects: 1, other: 17, truncated: 0 },
    lastPanic: "src/main.rs:138:50",
  });
});

Deno.test("Recording: it begins in the middle of a run, and ends with it", async () => {
  assert.deepEqual(await played("middle_of_a_run"), {
    ts: [2000, 2200, 2400, 2600, 2800, 3000, 3200, 3400],
    rejects: [],
    failures: ["unknown: undefined"],
    said: ["firmware warning: LoRa packet dropped: CRC error (1 so far)"],
    counters: { lines: 17, packets: 8, rejects: 0, other: 9, truncated: 0 },
    lastPanic: undefined,
  });
});
