import assert from "node:assert/strict";
import { CommandLauncher } from "../../lib/source/command_launcher.ts";
import type { Launcher } from "../../lib/source/launcher.ts";
import {
  Supervisor,
  type SupervisorOptions,
} from "../../lib/source/supervisor.ts";
import { FakeTime, until } from "./fake_time.ts";
import { captureLog } from "./log_capture.ts";

const PATH = Deno.env.get("PATH") ?? "";
const MINUTE_MS = 60_000;

/** A supervisor of a child that lives until it is stopped, in a time of its own. */
function supervise(options: Partial<SupervisorOptions> = {}) {
  const time = new FakeTime();
  const supervisor = new Supervisor({
    launcher: new CommandLauncher(["sh", "-c", "exec sleep 1000"], PATH),
    env: { PATH },
    backoff: () => ({ next: () => 10_000, reset() {} }),
    stopTimeoutMs: 1000,
    onStdout: (stdout) => stdout.pipeTo(new WritableStream()),
    now: time.now,
    wait: time.wait,
    ...options,
  });
  return { time, supervisor };
}

function isRunning({ state }: Supervisor): boolean {
  return state.phase === "running";
}

function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

Deno.test("Supervisor that is released has ended its child, and starts it again when the time is over", async () => {
  await using log = await captureLog();
  const { supervisor, time } = supervise();
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => isRunning(supervisor));
  const pid = supervisor.state.pid ?? 0;
  assert.ok(isAlive(pid));

  await supervisor.release(15 * MINUTE_MS);
  assert.equal(isAlive(pid), false);
  const { lastExit, ...state } = supervisor.state;
  assert.equal(lastExit?.code, 143, "it was asked to end");
  assert.deepEqual(state, {
    phase: "released",
    restarts: 0,
    nextStartInMs: 15 * MINUTE_MS,
  });
  await time.pass(14 * 60);
  assert.equal(supervisor.state.phase, "released");
  assert.equal(supervisor.state.nextStartInMs, MINUTE_MS);
  await time.pass(60);
  await until(() => isRunning(supervisor));
  assert.equal(supervisor.state.nextStartInMs, undefined);
  assert.equal(supervisor.state.failure, undefined);
  assert.equal(supervisor.state.restarts, 1);
  assert.deepEqual(
    log.lines.filter((line) => !line.includes(" Started ")),
    [
      'source info: Released for 15 min: "sh" is ended and the probe is free; then it is started again',
      "source info: The release is over: the probe is taken back",
    ],
  );
});

Deno.test("Supervisor that is released again is so for the time from then on, longer or shorter", async () => {
  const { supervisor, time } = supervise();
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => isRunning(supervisor));
  await supervisor.release(15 * MINUTE_MS);
  await time.pass(14 * 60);
  await supervisor.release(30 * MINUTE_MS);
  assert.equal(supervisor.state.nextStartInMs, 30 * MINUTE_MS);
  await time.pass(20 * 60);
  assert.equal(supervisor.state.phase, "released");
  await supervisor.release(MINUTE_MS);
  await time.pass(60);
  await until(() => isRunning(supervisor));
});

Deno.test("Supervisor takes the probe back before its time, once", async () => {
  const { supervisor } = supervise();
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => isRunning(supervisor));
  assert.equal(supervisor.take(), false, "nobody else has it");
  await supervisor.release(15 * MINUTE_MS);
  assert.equal(supervisor.take(), true);
  await until(() => isRunning(supervisor));
  assert.equal(supervisor.take(), false);
});

Deno.test("Supervisor that shall restart while it is released stays so", async () => {
  const { supervisor, time } = supervise();
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => isRunning(supervisor));
  await supervisor.release(15 * MINUTE_MS);
  supervisor.restart("the file was replaced");
  await time.pass(60);
  assert.equal(supervisor.state.phase, "released");
  assert.equal(supervisor.state.nextStartInMs, 14 * MINUTE_MS);
});

Deno.test("Supervisor has nobody watch the file of a board that somebody else has", async () => {
  await using _log = await captureLog();
  const watches: AbortSignal[] = [];
  const launcher: Launcher = {
    name: "sh",
    prepare: () =>
      Promise.resolve({ command: ["/bin/sh", "-c", "exec sleep 1000"] }),
    watch: (_restart, signal) => {
      watches.push(signal);
      return new Promise((resolve) =>
        signal.addEventListener("abort", () => resolve())
      );
    },
  };
  const { supervisor } = supervise({ launcher });
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => isRunning(supervisor));
  const watched = () => watches.map(({ aborted }) => !aborted);
  assert.deepEqual(watched(), [true]);
  await supervisor.release(MINUTE_MS);
  assert.deepEqual(watched(), [false]);
  supervisor.take();
  await until(() => isRunning(supervisor));
  assert.deepEqual(watched(), [false, true]);
});

Deno.test("Supervisor is released also while it waits for a start, and forgets why", async () => {
  const { supervisor, time } = supervise({
    launcher: new CommandLauncher(["sh", "-c", "exit 1"], PATH),
  });
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => supervisor.state.phase === "waiting");
  assert.equal(supervisor.state.nextStartInMs, 10_000);
  await time.pass(4);
  assert.equal(supervisor.state.nextStartInMs, 6000);
  await supervisor.release(MINUTE_MS);
  assert.equal(supervisor.state.phase, "released");
  assert.equal(supervisor.state.failure, undefined);
  await time.pass(59);
  assert.equal(supervisor.state.phase, "released");
});

Deno.test("Supervisor that is released while it finds out what to start starts nothing", async () => {
  const asked = Promise.withResolvers<void>();
  let starts = 0;
  const launcher: Launcher = {
    name: "slow",
    prepare: (signal) => {
      asked.resolve();
      return new Promise((resolve) =>
        signal.addEventListener("abort", () => {
          starts++;
          resolve({ command: ["/bin/sh", "-c", "exec sleep 1000"] });
        })
      );
    },
  };
  const { supervisor } = supervise({ launcher });
  await using _stopped = supervisor;
  supervisor.run();
  await asked.promise;
  await supervisor.release(MINUTE_MS);
  assert.equal(starts, 1);
  assert.equal(supervisor.state.phase, "released");
  assert.equal(supervisor.state.lastExit, undefined);
});

Deno.test("Supervisor says to whoever waits for the probe that it was taken back", async () => {
  const { supervisor } = supervise();
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => isRunning(supervisor));
  const { pid } = supervisor.state;
  const refused = assert.rejects(
    supervisor.release(MINUTE_MS),
    /taken back before it was free/,
  );
  assert.equal(supervisor.take(), true);
  await refused;
  await until(() => isRunning(supervisor));
  assert.notEqual(supervisor.state.pid, pid);
  // Taken back and released in one breath, it is released.
  await supervisor.release(MINUTE_MS);
  supervisor.take();
  await supervisor.release(2 * MINUTE_MS);
  await until(() => supervisor.state.nextStartInMs === 2 * MINUTE_MS);
  assert.equal(supervisor.state.phase, "released");
});

Deno.test("Supervisor releases no board that is being programmed, and starts it not anew", async () => {
  const launcher = {
    name: "sh",
    isProgramming: true,
    prepare: () =>
      Promise.resolve({ command: ["/bin/sh", "-c", "exec sleep 1000"] }),
  };
  const { supervisor } = supervise({ launcher });
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => isRunning(supervisor));
  const { pid } = supervisor.state;
  await assert.rejects(
    supervisor.release(MINUTE_MS),
    /just being programmed: try again/,
  );
  assert.equal(supervisor.restart("it is silent"), false);
  assert.equal(supervisor.state.pid, pid);
  launcher.isProgramming = false;
  await supervisor.release(MINUTE_MS);
  assert.equal(supervisor.state.phase, "released");
});

Deno.test("Supervisor that stops says so to whoever waits for the probe, and ends a release", async () => {
  const { supervisor } = supervise();
  supervisor.run();
  await until(() => isRunning(supervisor));
  const refused = assert.rejects(
    supervisor.release(MINUTE_MS),
    /just ending: the probe is free/,
  );
  await supervisor.stop();
  await refused;
  await assert.rejects(supervisor.release(MINUTE_MS), /just ending/);

  // Also where nobody asked before.
  const never = supervise().supervisor;
  never.run();
  await never.stop();
  await assert.rejects(never.release(MINUTE_MS), /just ending/);

  const other = supervise().supervisor;
  other.run();
  await until(() => isRunning(other));
  await other.release(MINUTE_MS);
  await other.stop();
  assert.deepEqual(other.state.phase, "stopped");
  assert.equal(other.state.nextStartInMs, undefined);
});
