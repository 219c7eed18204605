import assert from "node:assert/strict";
import { join } from "node:path";
import { findProgram } from "../../lib/source/program.ts";
import { PACES } from "../../lib/source/failure.ts";
import { CommandLauncher } from "../../lib/source/command_launcher.ts";
import { Leftover } from "../../lib/source/leftover.ts";
import {
  Supervisor,
  type SupervisorOptions,
} from "../../lib/source/supervisor.ts";
import { wait } from "../../lib/wait.ts";
import { FakeTime, until } from "./fake_time.ts";
import { captureLog } from "./log_capture.ts";

const PATH = Deno.env.get("PATH") ?? "";
/** A pause that the fake timer skips; all other waiting is real. */
const PAUSE_MS = 7_777_000;

/** A supervisor of a shell script that keeps what is printed, and whose pauses take no time. */
function supervise(script: string, options: Partial<SupervisorOptions> = {}) {
  const printed: string[] = [];
  const pauses: number[] = [];
  const stop = new AbortController();
  const supervisor: Supervisor = new Supervisor({
    launcher: new CommandLauncher(["sh", "-c", script], PATH),
    env: { PATH },
    backoff: () => ({ next: () => PAUSE_MS, reset() {} }),
    stopTimeoutMs: 10_000,
    onStdout: async (stdout) => {
      for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
        printed.push(text);
      }
    },
    wait: (ms, signal) => {
      if (ms !== PAUSE_MS) return wait(ms, signal);
      pauses.push(ms);
      if (pauses.length === 3) stop.abort();
      return Promise.resolve();
    },
    ...options,
  });
  return { supervisor, printed, pauses, stop };
}

/** Reads until `text` was printed, calls `then`, and reads on to the end. */
function whenPrinted(text: string, printed: string[], then: () => void) {
  return async (stdout: ReadableStream<Uint8Array>) => {
    let met = false;
    for await (const chunk of stdout.pipeThrough(new TextDecoderStream())) {
      printed.push(chunk);
      if (met || !printed.join("").includes(text)) continue;
      met = true;
      then();
    }
  };
}

Deno.test("Supervisor starts its child again after each backoff until it is stopped", async () => {
  await using log = await captureLog();
  const { supervisor, printed, pauses, stop } = supervise("echo hello; exit 3");
  assert.deepEqual(supervisor.state, { phase: "stopped", restarts: 0 });
  await supervisor.run(stop.signal);
  assert.deepEqual(printed.join(""), "hello\n".repeat(3));
  assert.equal(pauses.length, 3);
  const { lastExit, failure, ...state } = supervisor.state;
  assert.deepEqual(state, { phase: "stopped", restarts: 2 });
  assert.equal(failure?.kind, "unknown");
  assert.equal(lastExit?.code, 3);
  const told = log.lines.filter((line) => !line.includes(" debug: "));
  assert.match(told[0] ?? "", /^source info: Started "sh" as process \d+$/);
  assert.equal(
    told[1],
    'source warning: "sh" ended with exit code 3 after 0 s; it is started again in 7777 s',
  );
  assert.equal(told.length, 2, "the same failure is said once");
});

for (
  const { restart, code, starts, phase, told } of [
    { restart: "always", code: 0, starts: 3, phase: "stopped" },
    { restart: "on-failure", code: 3, starts: 3, phase: "stopped" },
    {
      restart: "on-failure",
      code: 0,
      starts: 1,
      phase: "ended",
      told:
        'source info: "sh" has ended with exit code 0 after 0 s and is not started again ("restart" is "on-failure"): what it printed goes out all the same',
    },
    {
      restart: "never",
      code: 0,
      starts: 1,
      phase: "ended",
      told:
        'source info: "sh" has ended with exit code 0 after 0 s and is not started again ("restart" is "never"): what it printed goes out all the same',
    },
    {
      restart: "never",
      code: 3,
      starts: 1,
      phase: "ended",
      told:
        'source warning: "sh" ended with exit code 3 after 0 s: no more; it is not started again ("restart" is "never")',
    },
  ] as const
) {
  Deno.test(`Supervisor starts a child with restart = "${restart}" that exits with ${code} ${starts} times`, async () => {
    await using log = await captureLog();
    const script = `echo hello; echo no more >&2; exit ${code}`;
    const { supervisor, printed, stop } = supervise("", {
      launcher: new CommandLauncher(["sh", "-c", script], PATH, { restart }),
    });
    await supervisor.run(stop.signal);
    assert.equal(printed.join(""), "hello\n".repeat(starts));
    const { state } = supervisor;
    assert.equal(state.phase, phase);
    assert.equal(state.failure === undefined, told !== undefined && code === 0);
    if (told !== undefined) assert.equal(log.lines.at(-1), told);
    await assert.rejects(
      supervisor.release(1),
      phase === "ended" ? /it holds nothing/ : /just ending/,
    );
  });
}

Deno.test("Supervisor starts a child anew for silence, unless it is never to be started again", async () => {
  for (const restart of ["on-failure", "never"] as const) {
    await using _log = await captureLog();
    const { supervisor, printed } = supervise("", {
      launcher: new CommandLauncher(
        ["sh", "-c", "echo hello; exec sleep 1000"],
        PATH,
        { restart },
      ),
    });
    const run = supervisor.run();
    await until(() => printed.length === 1);
    assert.equal(supervisor.restart("it is silent"), restart !== "never");
    if (restart !== "never") await until(() => printed.length === 2);
    assert.equal(supervisor.state.phase, "running");
    await supervisor.stop();
    await run;
    assert.equal(supervisor.state.phase, "stopped");
  }
});

Deno.test("Supervisor notes a child that lasts for the next gateway, and none that fails at once", async () => {
  await using _log = await captureLog();
  const noted: number[] = [];
  const leftover = Object.assign(new Leftover(""), {
    end: () => Promise.resolve(),
    note: (pid: number) => Promise.resolve(void noted.push(pid)),
  });
  const time = new FakeTime();
  const at = { leftover, now: time.now, wait: time.wait };
  const failing = supervise("exit 3", at);
  const failed = failing.supervisor.run();
  await until(() => failing.supervisor.state.phase === "waiting");
  await time.pass(2);
  await failing.supervisor.stop();
  await failed;
  assert.deepEqual(noted, []);
  const lasting = supervise("exec sleep 1000", at);
  const run = lasting.supervisor.run();
  await until(() => lasting.supervisor.state.phase === "running");
  const { pid } = lasting.supervisor.state;
  await time.pass(2);
  await lasting.supervisor.stop();
  await run;
  assert.deepEqual(noted, [pid]);
});

Deno.test("Supervisor tells of each change of its state after it", async () => {
  await using _log = await captureLog();
  const phases: string[] = [];
  const { supervisor, stop } = supervise("exit 3", {
    onStateChange: () => {
      const { phase, pid, failure } = supervisor.state;
      const now = `${phase}${pid ? " pid" : ""}${failure ? " failure" : ""}`;
      if (now !== phases.at(-1)) phases.push(now);
    },
  });
  await supervisor.run(stop.signal);
  assert.deepEqual(phases.slice(0, 6), [
    "starting",
    "running pid",
    "waiting",
    "waiting failure",
    "starting failure",
    "running pid failure",
  ]);
  assert.equal(phases.at(-1), "stopped failure");
});

Deno.test("Supervisor tells that a fault of its own has ended it", async () => {
  const told: string[] = [];
  const { supervisor } = supervise("true", {
    startReason() {
      throw new Error("no");
    },
    onStateChange: () => {
      const { phase, failure } = supervisor.state;
      told.push(`${phase} ${failure?.error}`);
    },
  });
  await assert.rejects(supervisor.run(), /^Error: no$/);
  assert.equal(told.at(-1), "stopped no");
});

Deno.test("Supervisor whose launcher fails itself says so, and goes on when that is over", async () => {
  await using log = await captureLog();
  const works = new CommandLauncher(["sh", "-c", "exec sleep 1000"], PATH);
  let isBroken = true;
  const time = new FakeTime();
  const { supervisor } = supervise("", {
    launcher: {
      name: "sh",
      prepare: () =>
        isBroken ? Promise.reject(new Error("no")) : works.prepare(),
    },
    now: time.now,
    wait: time.wait,
  });
  await using _stopped = supervisor;
  supervisor.run();
  await until(() => supervisor.state.nextStartInMs === 60_000);
  await time.pass(90);
  assert.equal(supervisor.state.failure?.error, "no");
  assert.deepEqual(
    log.lines.filter((line) => line.startsWith("source error")),
    [
      "source error: no. To do: restart the gateway, and report this fault; it is looked for again every minute",
    ],
  );
  isBroken = false;
  await time.pass(30);
  await until(() => supervisor.state.phase === "running");
});

Deno.test("Supervisor has a failure over when its child lasts a minute, though it prints nothing", async () => {
  await using log = await captureLog();
  const folder = await Deno.makeTempDir();
  const time = new FakeTime();
  const { supervisor } = supervise(
    `test -e "${folder}/1" && exec sleep 1000; touch "${folder}/1"; exit 1`,
    {
      now: time.now,
      wait: time.wait,
      backoff: () => ({ next: () => 1000, reset() {} }),
    },
  );
  try {
    supervisor.run();
    await until(() => supervisor.state.nextStartInMs === 1000);
    await time.pass(1);
    await until(() => supervisor.state.phase === "running");
    await time.pass(59);
    assert.equal(supervisor.state.failure?.kind, "unknown");
    await time.pass(1);
    assert.equal(supervisor.state.failure, undefined);
    assert.ok(
      log.lines.includes('source info: "sh" runs again (restarts: 1)'),
      `${log.lines}`,
    );
  } finally {
    await supervisor.stop();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Supervisor tells while its board is being programmed, and when that is over", async () => {
  await using log = await captureLog();
  const told: string[] = [];
  let isProgramming = false;
  const { supervisor, stop } = supervise("", {
    launcher: {
      name: "sh",
      get isProgramming() {
        return isProgramming;
      },
      prepare: () =>
        Promise.resolve({
          command: ["/bin/sh", "-c", "echo on; echo done; exec sleep 1000"],
          onStarted: () => isProgramming = true,
          onStdoutChunk: () => isProgramming = false,
        }),
    },
    onStateChange: () => {
      const { phase, isProgramming = false } = supervisor.state;
      const now = `${phase} ${isProgramming}`;
      if (now !== told.at(-1)) told.push(now);
    },
  });
  const running = supervisor.run(stop.signal);
  await until(() => told.includes("running false"));
  await supervisor.stop();
  await running;
  assert.deepEqual(told.slice(0, 3), [
    "starting false",
    "running true",
    "running false",
  ]);
  assert.match(
    log.lines[0] ?? "",
    /^source info: Started "sh" as process \d+, to program the board$/,
  );
});

Deno.test("Supervisor does not hurry with a flash that cannot be programmed, though each try takes minutes", async () => {
  await using _log = await captureLog();
  let now = 0;
  let resets = 0;
  const { supervisor, stop } = supervise(
    "echo 'Error: The flashing procedure failed' >&2; exit 1",
    {
      now: () => now += 60_000,
      backoff: () => ({ next: () => PAUSE_MS, reset: () => resets++ }),
    },
  );
  await supervisor.run(stop.signal);
  assert.equal(supervisor.state.failure?.kind, "flashing failed");
  assert.equal(resets, 0);
});

Deno.test("Supervisor that shall restart ends its child in order and starts the next without a pause", async () => {
  await using log = await captureLog();
  let starts = 0;
  const { supervisor, printed, pauses, stop } = supervise(
    'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done',
    {
      onStdout: (stdout) => {
        const again = starts++ === 0;
        return whenPrinted(
          again ? "up" : "up\nbye\nup",
          printed,
          () =>
            again ? supervisor.restart("the file was replaced") : stop.abort(),
        )(stdout);
      },
    },
  );
  await supervisor.run(stop.signal);
  assert.equal(printed.join(""), "up\nbye\n".repeat(2));
  assert.deepEqual(pauses, []);
  assert.equal(supervisor.state.restarts, 1);
  assert.equal(supervisor.state.failure, undefined);
  assert.ok(
    log.lines.includes(
      'source info: Starting "sh" anew: the file was replaced',
    ),
    log.lines.join("\n"),
  );
});

Deno.test("Supervisor leaves a child alone that is programming the board, but stops it when it shall end", async () => {
  await using log = await captureLog();
  let isProgramming = true;
  let started = 0;
  const stop = new AbortController();
  const printed: string[] = [];
  const shell = new CommandLauncher(
    ["sh", "-c", "echo up; exec sleep 1000"],
    PATH,
  );
  const { supervisor } = supervise("", {
    launcher: {
      name: "sh",
      prepare: () => shell.prepare(),
      get isProgramming() {
        return isProgramming;
      },
    },
    onStdout: (stdout) =>
      whenPrinted("up", printed, () => {
        supervisor.restart("too soon");
        if (++started === 2) stop.abort();
        else {
          isProgramming = false;
          supervisor.restart("now");
          isProgramming = true;
        }
      })(stdout),
  });
  await supervisor.run(stop.signal);
  assert.equal(started, 2);
  assert.deepEqual(log.lines.filter((line) => line.includes("anew")), [
    'source info: Starting "sh" anew: now',
  ]);
});

Deno.test("Supervisor says the child's error and what caused it with its exit", async () => {
  await using log = await captureLog();
  const script = `cat >&2 <<'END'
 WARN probe_rs: a {warning}
\x1b[31mError\x1b[0m: Failed to open probe

Caused by:
    0: The USB device
    1: Access denied

Stack backtrace:
   0: <unknown>
             at ./nptl/pthread_create.c:442:8
   1: Error: main
END
exit 1`;
  const { supervisor, stop } = supervise(script);
  await supervisor.run(stop.signal);
  assert.equal(
    supervisor.state.lastExit?.error,
    "Error: Failed to open probe (caused by: The USB device; Access denied)",
  );
  assert.deepEqual(
    log.lines.filter((line) =>
      line.startsWith("program ") && !line.startsWith("program debug")
    ),
    Array(3).fill("program warning:  WARN probe_rs: a {warning}"),
  );
  assert.ok(
    log.lines.some((line) =>
      line.startsWith(
        'source warning: No permission: "sh" ended with exit code 1 after 0 s: Error: Failed to open',
      )
    ),
  );
});

Deno.test("Supervisor takes the pauses of a failure's own pace", async () => {
  await using log = await captureLog();
  const folder = await Deno.makeTempDir();
  try {
    const stop = new AbortController();
    const firsts: number[] = [];
    const supervisor = new Supervisor({
      // A probe that is missing, then a chip that is wrong, then what nobody knows.
      launcher: new CommandLauncher([
        "sh",
        "-c",
        `cd "${folder}"
         if test -e 2; then exit 1
         elif test -e 1; then touch 2; echo "Error: The chip 'x' was not found in the database." >&2
         else touch 1; echo "Error: No connected probes were found." >&2; fi
         exit 1`,
      ], PATH),
      env: { PATH },
      backoff: ({ firstMs, longestMs }) => ({
        next: () => {
          firsts.push(firstMs, longestMs);
          if (firsts.length === 6) stop.abort();
          return 1;
        },
        reset() {},
      }),
      stopTimeoutMs: 1000,
      onStdout: (stdout) => stdout.pipeTo(new WritableStream()),
    });
    await supervisor.run(stop.signal);
    const { fast, slow, usual } = PACES;
    assert.deepEqual(
      firsts,
      [fast, slow, usual].flatMap((one) => [one.firstMs, one.longestMs]),
    );
    assert.match(
      log.lines.find((line) => line.includes("Probe missing: ")) ?? "",
      /No connected probes were found\. To do: plug the probe in, .*; it is started again in 0 s$/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Supervisor says what its launcher has against a start, and looks again every minute", async () => {
  await using log = await captureLog();
  const stop = new AbortController();
  const pauses: number[] = [];
  const supervisor: Supervisor = new Supervisor({
    launcher: {
      name: "probe-rs",
      prepare: () =>
        Promise.resolve({
          kind: "version too old",
          error: "It is 0.23.0",
          todo: "renew it",
          pace: "slow",
        }),
    },
    env: {},
    backoff: () => ({ next: () => PAUSE_MS, reset() {} }),
    stopTimeoutMs: 1000,
    onStdout: () => Promise.resolve(),
    wait: (ms) => {
      pauses.push(ms);
      assert.equal(supervisor.state.failure?.kind, "version too old");
      if (pauses.length === 2) stop.abort();
      return Promise.resolve();
    },
  });
  await supervisor.run(stop.signal);
  assert.deepEqual(pauses, [60_000, 60_000]);
  assert.deepEqual(
    log.lines.filter((line) => line.includes("source error")),
    [
      "source error: It is 0.23.0. To do: renew it; it is looked for again every minute",
    ],
  );
});

Deno.test("Supervisor forgets the failures before a child that ran for a minute", async () => {
  let now = 0;
  let resets = 0;
  const { supervisor, stop } = supervise("exit 0", {
    now: () => now += 59_999 + supervisor.state.restarts,
    backoff: () => ({ next: () => PAUSE_MS, reset: () => resets++ }),
  });
  await supervisor.run(stop.signal);
  assert.equal(resets, 2 * 3, "that of every pace");
});

Deno.test("Supervisor says when a child runs again that could not", async () => {
  await using log = await captureLog();
  const folder = await Deno.makeTempDir();
  try {
    let now = 0;
    const failures: (string | undefined)[] = [];
    const { supervisor, stop } = supervise(
      `cd "${folder}"; test -e 2 && { echo well; exit 0; }; test -e 1 && touch 2; touch 1; exit 1`,
      {
        now: () => now += 3000,
        onStdout: async (stdout) => {
          for await (const _ of stdout) {
            failures.push(supervisor.state.failure?.kind);
          }
        },
        backoff: () => ({
          next: () => {
            if (failures.length === 0) {
              failures.push(supervisor.state.failure?.kind);
            }
            return PAUSE_MS;
          },
          reset() {},
        }),
      },
    );
    await supervisor.run(stop.signal);
    assert.ok(
      log.lines.includes('source info: "sh" runs again (restarts: 2)'),
      `${log.lines}`,
    );
    assert.deepEqual(failures, ["unknown", undefined]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Supervisor stops with SIGTERM and reads what the child still prints", async () => {
  const { printed, stop, supervisor } = supervise(
    "trap 'yes bye | head -c 1000000; echo end; exit 0' TERM; echo ready; while :; do sleep 0.01; done",
    {
      onStdout: (stdout) =>
        whenPrinted("ready", printed, () => stop.abort())(stdout),
    },
  );
  await supervisor.run(stop.signal);
  assert.equal(
    printed.join("").length,
    "ready\n".length + 1_000_000 + "end\n".length,
  );
  assert.equal(supervisor.state.lastExit?.code, 0);
});

Deno.test("Supervisor kills a child that ignores SIGTERM, and says what that may mean", async () => {
  await using log = await captureLog();
  const { printed, stop, supervisor } = supervise(
    "trap '' TERM; echo ready; while :; do sleep 0.01; done",
    {
      stopTimeoutMs: 50,
      onStdout: (stdout) =>
        whenPrinted("ready", printed, () => stop.abort())(stdout),
    },
  );
  await supervisor.run(stop.signal);
  assert.equal(supervisor.state.lastExit?.code, 137);
  assert.ok(
    log.lines.some((line) =>
      line.includes("the firmware may be frozen until reset")
    ),
  );
});

Deno.test("Supervisor reads a child's stdout to its end when nobody wants it any more", async () => {
  await using log = await captureLog();
  const folder = await Deno.makeTempDir();
  try {
    const { supervisor, stop } = supervise(
      `trap 'yes | head -c 1000000; echo whole > "${folder}/end"; exit 0' TERM
       echo ready; while :; do sleep 0.01; done`,
      {
        onStdout: async (stdout) => {
          for await (const _ of stdout) {
            stop.abort();
            throw new Error("journal is gone");
          }
        },
      },
    );
    await supervisor.run(stop.signal);
    assert.equal(await Deno.readTextFile(join(folder, "end")), "whole\n");
    assert.ok(log.lines.some((line) => line.includes("journal is gone")));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Supervisor stops and restarts a child whose output cannot be taken", async () => {
  const { supervisor, stop } = supervise("exec yes", {
    onStdout: async (stdout) => {
      const reader = stdout.getReader();
      await reader.read();
      throw new Error("journal is gone");
    },
  });
  await supervisor.run(stop.signal);
  assert.equal(supervisor.state.restarts, 2);
  assert.equal(supervisor.state.lastExit?.code, 143);
});

Deno.test("Supervisor does not wait for what a child left behind", async () => {
  const { supervisor, printed, stop } = supervise(
    "(trap '' TERM; exec sleep 1000) & echo $!; exit 0",
    { backoff: () => ({ next: () => (stop.abort(), PAUSE_MS), reset() {} }) },
  );
  await supervisor.run(stop.signal);
  assert.equal(supervisor.state.lastExit?.code, 0);
  const stat = await Deno.readTextFile(`/proc/${Number(printed.join(""))}/stat`)
    .catch(() => ") Z");
  assert.match(
    stat,
    /\) Z/,
    "the process is gone, or dead and not yet collected",
  );
});

Deno.test("Supervisor names a missing program and the PATH once, and takes it when it comes", async () => {
  await using log = await captureLog();
  const folder = await Deno.makeTempDir();
  try {
    const tries: number[] = [];
    const stop = new AbortController();
    const printed: string[] = [];
    const supervisor: Supervisor = new Supervisor({
      launcher: new CommandLauncher(["probe-rs", "run"], folder),
      env: { PATH: folder },
      backoff: () => ({ next: () => PAUSE_MS, reset() {} }),
      stopTimeoutMs: 1000,
      onStdout: (stdout) =>
        whenPrinted("run", printed, () => stop.abort())(stdout),
      wait: async (ms, signal) => {
        const isPause = supervisor.state.phase === "waiting";
        if (ms !== 60_000 || !isPause) return await wait(ms, signal);
        tries.push(ms);
        if (tries.length < 3) return;
        await Deno.writeTextFile(
          join(folder, "probe-rs"),
          "#!/bin/sh\necho $1\n",
          { mode: 0o755 },
        );
      },
    });
    await supervisor.run(stop.signal);
    assert.deepEqual(tries, [60_000, 60_000, 60_000]);
    const errors = log.lines.filter((line) => line.includes(" error: "));
    assert.equal(errors.length, 1);
    assert.ok(errors[0]?.includes(`in no folder of PATH, "${folder}"`));
    assert.ok(errors[0]?.includes("cargo install probe-rs-tools --locked"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Supervisor gives its child the environment it was told, a session of its own, no stdin", async () => {
  const { supervisor, printed, stop } = supervise(
    'env; cat; read -r stat < /proc/$$/stat; echo "$$ $stat"',
    {
      env: { PATH, ONLY: "this" },
      backoff: () => ({ next: () => (stop.abort(), 0), reset() {} }),
    },
  );
  await supervisor.run(stop.signal);
  const lines = printed.join("").trim().split("\n");
  const stat = lines.pop()?.split(" ") ?? [];
  const names = lines.map((line) => line.split("=")[0]);
  // The shell adds some of its own.
  assert.deepEqual(
    names.filter((name) => !/^(PWD|SHLVL|_|OLDPWD)$/.test(name ?? "")).sort(),
    [
      "ONLY",
      "PATH",
    ],
  );
  const [own, , , , parent, group, session] = stat;
  assert.deepEqual([parent, group, session], [`${Deno.pid}`, own, own]);
});

Deno.test("Supervisor that is disposed has stopped its child", async () => {
  const ready = Promise.withResolvers<void>();
  const printed: string[] = [];
  let pid = 0;
  {
    await using supervisor = supervise("echo ready; exec sleep 1000", {
      onStdout: (stdout) =>
        whenPrinted("ready", printed, ready.resolve)(stdout),
    }).supervisor;
    supervisor.run();
    await ready.promise;
    assert.equal(supervisor.state.phase, "running");
    pid = supervisor.state.pid ?? 0;
  }
  assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
});

Deno.test({
  name: "Supervisor's child ends when the gateway is killed",
  ignore: Deno.build.os !== "linux" || !await findProgram("setpriv", PATH),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      // As long as the child lives it holds this open.
      const fifo = join(folder, "alive");
      assert.ok(
        (await new Deno.Command("mkfifo", { args: [fifo] }).output()).success,
      );
      await using gateway = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "-q",
          new URL("supervised.ts", import.meta.url).pathname,
          fifo,
        ],
        stdin: "null",
        stdout: "piped",
      }).spawn();
      using alive = await Deno.open(fifo);
      const reader = gateway.stdout.getReader();
      const pid = Number(new TextDecoder().decode((await reader.read()).value));
      let survived = false;
      const deadline = setTimeout(() => {
        survived = true;
        Deno.kill(pid, "SIGKILL");
      }, 10_000);
      gateway.kill("SIGKILL");
      assert.equal(await alive.read(new Uint8Array(1)), null);
      clearTimeout(deadline);
      assert.equal(survived, false);
      await reader.cancel();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
