import assert from "node:assert/strict";
import { join } from "node:path";
import { runChild } from "../../lib/source/child.ts";
import {
  CommandLauncher,
  type CommandOptions,
} from "../../lib/source/command_launcher.ts";
import { recognizeFailure } from "../../lib/source/failure.ts";
import type { Launch } from "../../lib/source/launcher.ts";
import { wait } from "../../lib/wait.ts";
import { captureLog } from "./log_capture.ts";

const PATH = Deno.env.get("PATH") ?? "";

/** A folder of its own with an executable script `read-board`. */
async function withScript(
  script: string,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.writeTextFile(
      join(folder, "read-board"),
      `#!/bin/sh\n${script}\n`,
      { mode: 0o755 },
    );
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a command once, as the supervisor does; gives what it printed and its failure. */
async function runOnce(
  command: readonly string[],
  options: CommandOptions = {},
  env: Readonly<Record<string, string>> = { PATH, OWN: "gateway's" },
) {
  await using _log = await captureLog();
  const launcher = new CommandLauncher(command, PATH, options);
  const launch = await launcher.prepare();
  if (!("command" in launch)) return { printed: "", failure: launch };
  let printed = "";
  const exit = await runChild({
    ...launch,
    env,
    signal: new AbortController().signal,
    stopTimeoutMs: 10_000,
    onStdout: async (stdout) => {
      for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
        printed += text;
      }
    },
    onStart() {},
    onChunk() {},
    now: () => performance.now(),
    wait,
  });
  const failure = await launcher.ended(recognizeFailure(exit));
  return { printed, failure };
}

Deno.test("CommandLauncher runs a program in its folder, from where its relative path begins", async () => {
  await withScript("pwd", async (folder) => {
    const { printed } = await runOnce(["./read-board"], { cwd: folder });
    assert.equal(printed, `${folder}\n`);
    const { failure } = await runOnce(["./read-board"]);
    assert.equal(failure.kind, "not installed");
  });
});

Deno.test("CommandLauncher adds the variables of a command to those of every child, before them", async () => {
  const script = ["sh", "-c", 'echo "$OWN $MORE"'];
  assert.equal((await runOnce(script)).printed, "gateway's \n");
  const { printed } = await runOnce(script, {
    env: { OWN: "mine", MORE: "a b" },
  });
  assert.equal(printed, "mine a b\n");
});

Deno.test("CommandLauncher looks for the program in the command's own PATH", async () => {
  await withScript("echo found", async (folder) => {
    const { printed } = await runOnce(["read-board"], {
      env: { PATH: folder },
    });
    assert.equal(printed, "found\n");
    const { failure } = await runOnce(["read-board"], {
      env: { PATH: "/nowhere" },
    });
    assert.match(failure.error ?? "", /in no folder of PATH, "\/nowhere"$/);
  });
});

Deno.test("CommandLauncher says that the folder is missing, and looks for it again", async () => {
  await withScript("echo found", async (folder) => {
    const cwd = join(folder, "later");
    const launcher = new CommandLauncher(["../read-board"], PATH, { cwd });
    assert.deepEqual(await launcher.prepare(), {
      kind: "not installed",
      error: `Cannot run "../read-board" in "${cwd}": there is no such folder`,
      todo: 'make that folder, or correct "cwd" in config.toml',
      pace: "slow",
    });
    await Deno.mkdir(cwd);
    const launch = await launcher.prepare() as Launch;
    assert.deepEqual(launch.command, [join(folder, "read-board")]);
    assert.equal(launch.cwd, cwd);
  });
});

for (
  const [said, kind, error, todo] of [
    [
      "sh: 1: cannot open /dev/ttyACM7: No such file",
      "device missing",
      "sh: 1: cannot open /dev/ttyACM7: No such file",
      /^plug \/dev\/ttyACM7 in, or correct its name in "command"/,
    ],
    [
      "cat: /dev/ttyUSB0: Input/output error",
      "device missing",
      "cat: /dev/ttyUSB0: Input/output error",
      /^plug \/dev\/ttyUSB0 in/,
    ],
    [
      "stty: /dev/serial/by-id/usb-STM_1-if02: Permission denied",
      "no permission",
      "stty: /dev/serial/by-id/usb-STM_1-if02: Permission denied",
      /^let the user of the gateway open \/dev\/serial\/by-id\/usb-STM_1-if02: /,
    ],
    [
      "2026/12/01 10:00:00 socat[4711] E connect(5, AF=2 127.0.0.1:9, 16): Connection refused",
      "unknown",
      "socat E connect(5, AF=2 127.0.0.1:9, 16): Connection refused",
      /iiot-gateway check/,
    ],
    ["cat: board.log: Permission denied", "unknown", undefined, /check/],
  ] as const
) {
  Deno.test(`CommandLauncher takes "${said}" for ${kind}`, async () => {
    const { failure } = await runOnce([
      ...["sh", "-c", 'echo "first line" >&2; echo "$0" >&2; exit 1', said],
    ]);
    assert.equal(failure.kind, kind);
    assert.equal(failure.error, error ?? said);
    assert.match(failure.todo, todo);
  });
}

Deno.test("CommandLauncher gives a failure the words of this run, and of none before", async () => {
  await using _log = await captureLog();
  const launcher = new CommandLauncher(["true"], PATH);
  const first = await launcher.prepare() as Launch;
  first.onStderrLine?.("it was the cable");
  const unknown = recognizeFailure({ code: 1 });
  assert.equal((await launcher.ended(unknown)).error, "it was the cable");
  await launcher.prepare();
  assert.equal((await launcher.ended(unknown)).error, undefined);
});
