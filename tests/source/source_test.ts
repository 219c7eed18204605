import assert from "node:assert/strict";
import { createCatalogue } from "../../lib/catalogue.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import { Source, type SourceOptions } from "../../lib/source/source.ts";
import { CommandLauncher } from "../../lib/source/command_launcher.ts";
import type { SourcedPacket } from "../../lib/source/telemetry_stream.ts";
import { wait } from "../../lib/wait.ts";
import { keptBytes } from "../heap.ts";
import { captureLog } from "./log_capture.ts";

/** A source of a shell script that is run `runs` times without pause. */
function sourceOf(
  script: string,
  runs: number,
  options: Partial<SourceOptions> = {},
) {
  const packets: SourcedPacket[] = [];
  const rejects: string[] = [];
  const stop = new AbortController();
  const PATH = Deno.env.get("PATH") ?? "";
  const source = new Source({
    launcher: new CommandLauncher(["sh", "-c", script], PATH),
    env: { PATH },
    marker: "JSON sent via VCP: ",
    maxLineBytes: 200,
    catalogue: createCatalogue(),
    clock: new EventClock({
      now: () => ({ epoch: 1, monoUs: performance.now() * 1000 }),
    }),
    backoff: () => ({
      next: () => {
        if (--runs === 0) stop.abort();
        return 0;
      },
      reset() {},
    }),
    stopTimeoutMs: 1000,
    wait,
    write: (some) => void packets.push(...some),
    onReject: (line, reason) => void rejects.push(`${line} | ${reason}`),
    ...options,
  });
  return { source, packets, rejects, stop };
}

const SCRIPT = String.raw`cat <<'END'
[INFO] JSON sent via VCP: {"ts":1,"n1":{"t":27.6}}\n (app src/main.rs:573)
[WARN ] low {battery}
JSON sent via VCP: {"n1":
END
printf 'JSON sent via VCP: {"n1":{"t":1}}'`;

Deno.test("Source writes the packets of every child and counts all their lines", async () => {
  await using log = await captureLog();
  const { source, packets, rejects, stop } = sourceOf(SCRIPT, 3);
  await source.run(stop.signal);
  assert.deepEqual(packets.map(({ packet }) => packet.readings[0]?.value), [
    27.6,
    1,
    27.6,
    1,
    27.6,
    1,
  ]);
  assert.deepEqual(source.counters, {
    lines: 12,
    packets: 6,
    rejects: 3,
    other: 3,
    truncated: 0,
  });
  assert.equal(rejects.length, 3);
  assert.equal(source.state.restarts, 2);
  assert.equal(
    log.lines.filter((line) => line === "firmware warning: low {battery}")
      .length,
    3,
  );
  const stamps = packets.map(({ at }) => at.monoUs);
  assert.deepEqual(stamps, [...new Set(stamps)].sort((a, b) => a - b));
});

Deno.test("Source goes on with a new child when packets could not be written", async () => {
  await using _log = await captureLog();
  let calls = 0;
  const { source, stop } = sourceOf(SCRIPT, 2, {
    write() {
      if (calls++ === 0) throw new Error("no journal");
    },
  });
  await source.run(stop.signal);
  assert.equal(source.state.restarts, 1);
  assert.ok(calls > 1);
});

Deno.test("Source takes a firmware that crashed for a failure, although its child exits with 0", async () => {
  await using _log = await captureLog();
  // As probe-rs 0.28.0 to 0.29.1 do.
  const { source, stop } = sourceOf(
    String.raw`cat <<'END'
Firmware exited unexpectedly: Exception
Frame 0: HardFault_ @ 0x8000100
       /home/a/.cargo/git/checkouts/cortex-m-0a1b/cortex-m-rt/src/lib.rs:9:1
Frame 1: main @ 0x8000200
       /srv/app/src/main.rs:7:5
END`,
    1,
  );
  await source.run(stop.signal);
  const { failure, lastExit } = source.state;
  assert.equal(lastExit?.code, 0);
  assert.equal(failure?.kind, "firmware crashed");
  assert.equal(
    failure?.error,
    "Firmware exited unexpectedly: Exception at /srv/app/src/main.rs:7:5",
  );
  const { at: _when, ...crash } = source.lastPanic!;
  assert.deepEqual(crash, {
    message: "Firmware exited unexpectedly: Exception",
    location: "/srv/app/src/main.rs:7:5",
  });
});

Deno.test("Source has written all that its child printed when stop comes back", async () => {
  const ready = Promise.withResolvers<void>();
  const script = `line='JSON sent via VCP: {"n1":{"t":1}}'
    trap 'yes "$line" | head -n 20000; exit 0' TERM
    echo "$line"; while :; do sleep 0.01; done`;
  let written = 0;
  await using source = sourceOf(script, 1, {
    async write(packets) {
      ready.resolve();
      await Promise.resolve();
      written += packets.length;
    },
  }).source;
  source.run();
  await ready.promise;
  await source.stop();
  assert.equal(written, 20_001);
  assert.equal(source.state.phase, "stopped");
});

Deno.test("Source hides secrets in a panic and in what told of the child's end", async () => {
  await using _log = await captureLog();
  const script = String.raw`cat <<'END'
panicked at src/main.rs:9:5: login with geheim
END`;
  const hide = (text: string) => text.replaceAll("geheim", "[hidden]");
  const { source, stop } = sourceOf(script, 1, { hide });
  await source.run(stop.signal);
  assert.equal(source.lastPanic?.message, "login with [hidden]");
  assert.equal(source.state.lastPanic?.message, "login with [hidden]");
  const crashed = sourceOf("echo Firmware exited with: geheim", 1, { hide });
  await crashed.source.run(crashed.stop.signal);
  assert.match(crashed.source.state.failure?.error ?? "", /\[hidden\]/);
  assert.doesNotMatch(JSON.stringify(crashed.source.state), /geheim/);
});

Deno.test("Source logs a panic once, keeps it, and logs the rest of it for debugging", async () => {
  await using log = await captureLog();
  const script = String.raw`cat <<'END'
[ERROR] panicked at src/main.rs:138:50:
called Result::unwrap() on {Busy} (panic_probe panic-probe-1.0.0/src/lib.rs:104)
Firmware exited unexpectedly: Exception
Core 0
    Frame 0: HardFault_ @ 0x1007fd64
END`;
  const { source, stop } = sourceOf(script, 1);
  assert.equal(source.lastPanic, undefined);
  await source.run(stop.signal);
  const { at, ...panic } = source.lastPanic!;
  assert.deepEqual(panic, {
    message: "called Result::unwrap() on {Busy}",
    location: "src/main.rs:138:50",
  });
  assert.equal(at.epoch, 1);
  const said = log.lines.filter((line) => line.startsWith("firmware "));
  assert.deepEqual(said.filter((line) => !line.includes("debug: ")), [
    "firmware error: The firmware panicked at src/main.rs:138:50: called Result::unwrap() on {Busy}",
  ]);
  assert.equal(said.length, 5);
});

Deno.test("Source tells of broken lines in the log, all children's together", async () => {
  await using log = await captureLog();
  const { source, rejects, stop } = sourceOf(SCRIPT, 12);
  await source.run(stop.signal);
  assert.equal(rejects.length, 12);
  assert.deepEqual(
    log.lines.map((line) =>
      /^source (\w+: Telemetry is broken in \d+)/.exec(line)
    )
      .flatMap((found) => found === null ? [] : [found[1]]),
    ["info: Telemetry is broken in 1", "warning: Telemetry is broken in 9"],
  );
});

Deno.test("Source: of a firmware's line that waits in the log nothing else is kept", async () => {
  await using log = await captureLog();
  const warnings = 60;
  // Each stands in a chunk of its own, among packets.
  const { source, stop } = sourceOf(
    `packets=$(yes 'JSON sent via VCP: {"n1":{"t":27.6}}' | head -n 2000)
     for i in $(seq ${warnings}); do echo "[WARN ] low battery $i"; echo "$packets"; done`,
    1,
    { write() {} },
  );
  const before = keptBytes();
  await source.run(stop.signal);
  const kept = keptBytes() - before;
  const logged = log.lines.filter((line) => line.includes("low battery"));
  assert.equal(logged.length, warnings);
  assert.equal(source.counters.packets, warnings * 2000);
  assert.ok(kept < warnings * 65536 / 4, `${kept} bytes are kept`);
});
