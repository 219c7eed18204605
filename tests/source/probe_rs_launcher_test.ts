import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { readErrors } from "../../lib/source/child_errors.ts";
import { type Failure, recognizeFailure } from "../../lib/source/failure.ts";
import type { Launch } from "../../lib/source/launcher.ts";
import {
  ProbeRsLauncher,
  type ProbeRsLauncherOptions,
} from "../../lib/source/probe_rs_launcher.ts";
import { childEnvironment } from "../../lib/source/program.ts";
import { findProgram, requires } from "../servers.ts";
import { installProbeRs, withProbeRs } from "./fake_probe_rs.ts";
import {
  FINISHED,
  FlashWorld,
  forgetful,
  NamedFirmware,
  never,
  TARGET,
} from "./flash_world.ts";
import { captureLog } from "./log_capture.ts";

const WRONG_USAGE = recognizeFailure({ code: 2, error: "error: --bogus" });
const FIRST = { silentRestarts: 0 };
const MISSING = recognizeFailure({
  code: 1,
  error: "Error: No connected probes were found.",
});

function launcherIn(
  folder: string,
  options: Partial<ProbeRsLauncherOptions> = {},
) {
  return new ProbeRsLauncher({
    target: TARGET,
    env: { PATH: folder },
    mode: "when-changed",
    reflashOnChange: false,
    flash: forgetful(),
    file: new NamedFirmware(),
    ...options,
  });
}

function meta(version: string): string {
  return `echo asked >> "$(dirname "$0")/asked"
[ "$*" = "mi meta" ] && echo '{"version":"${version}","commit":"x","arch":"x86_64","os":"linux"}'`;
}

/** How often the version was asked for. */
async function asked(folder: string): Promise<number> {
  const lines = await Deno.readTextFile(join(folder, "asked")).catch(() => "");
  return lines.split("\n").length - 1;
}

function launched(result: Launch | Failure): Launch {
  assert.ok("command" in result, JSON.stringify(result));
  return result;
}

function refused(result: Launch | Failure): Failure {
  assert.ok("kind" in result, JSON.stringify(result));
  return result;
}

Deno.test("ProbeRsLauncher asks for the version once and starts with its flags, from a neutral folder", async () => {
  // The shell's dirname is looked up on the PATH.
  await withProbeRs(`PATH=/usr/bin:/bin\n${meta("0.30.0")}`, async (folder) => {
    const launcher = launcherIn(folder);
    const { command, cwd } = launched(await launcher.prepare(never, FIRST));
    assert.deepEqual(command.slice(0, 2), [join(folder, "probe-rs"), "run"]);
    assert.ok(command.includes("--no-timestamps"));
    assert.equal(cwd, "/");
    await launcher.prepare(never, FIRST);
    const failure = recognizeFailure({ code: 1, error: "Error: x" });
    assert.equal(await launcher.ended(failure, never), failure);
    await launcher.prepare(never, FIRST);
    assert.equal(await asked(folder), 1);
  });
});

Deno.test("ProbeRsLauncher asks again after a wrong usage, and when the file was replaced", async () => {
  const path = "PATH=/usr/bin:/bin\n";
  await withProbeRs(path + meta("0.27.0"), async (folder) => {
    const launcher = launcherIn(folder);
    const has = async (flag: string) =>
      launched(await launcher.prepare(never, FIRST)).command.includes(flag);
    assert.equal(await has("--no-catch-reset"), false);
    await launcher.ended(WRONG_USAGE, never);
    await launcher.prepare(never, FIRST);
    assert.equal(await asked(folder), 2);
    await installProbeRs(folder, `${path}${meta("0.28.1")}\n# newer`);
    assert.equal(await has("--no-catch-reset"), true);
    assert.equal(await asked(folder), 3);
  });
});

Deno.test("ProbeRsLauncher falls back to --version", async () => {
  const script = `[ "$1" = --version ] || exit 2
echo 'probe-rs 0.24.0 (git commit: crates.io)'`;
  await withProbeRs(script, async (folder) => {
    const { command } = launched(
      await launcherIn(folder).prepare(never, FIRST),
    );
    assert.ok(!command.includes("--preverify"));
  });
});

Deno.test("ProbeRsLauncher refuses what is missing, too old, or no probe-rs, and takes it once it is right", async () => {
  await withProbeRs(undefined, async (folder) => {
    const launcher = launcherIn(folder);
    const missing = refused(await launcher.prepare(never, FIRST));
    assert.equal(missing.kind, "not installed");
    assert.match(missing.error ?? "", /in no folder of PATH/);

    await installProbeRs(folder, "echo probe-rs 0.23.0");
    const old = refused(await launcher.prepare(never, FIRST));
    assert.equal(old.kind, "version too old");
    assert.equal(
      old.error,
      `probe-rs must be of version 0.24 or later: "${
        join(folder, "probe-rs")
      }" is 0.23.0`,
    );
    assert.match(old.todo, /cargo install probe-rs-tools/);

    await installProbeRs(folder, "echo something 1.2.3");
    const other = refused(await launcher.prepare(never, FIRST));
    assert.equal(other.kind, "unknown");
    assert.match(other.error ?? "", /does not tell its version: something 1/);

    await installProbeRs(folder, "echo probe-rs 0.32.0");
    launched(await launcher.prepare(never, FIRST));
  });
});

Deno.test("ProbeRsLauncher says once that a version is newer than what it knows", async () => {
  await using log = await captureLog();
  await withProbeRs("echo probe-rs 0.33.0", async (folder) => {
    const launcher = launcherIn(folder);
    const { command } = launched(await launcher.prepare(never, FIRST));
    assert.ok(command.includes("--no-timestamps"));
    await launcher.ended(WRONG_USAGE, never);
    await launcher.prepare(never, FIRST);
    assert.deepEqual(log.lines, [
      "source warning: probe-rs 0.33.0 is newer than 0.32, the newest that is known: it is called with the flags of that one",
    ]);
  });
});

const VERSION = `PATH=/usr/bin:/bin
folder=$(dirname "$0")
case "$*" in
"mi meta") echo '{"version":"0.32.0"}' ;;
list) echo asked >> "$folder/asked"; cat "$folder/list" ;;
esac`;

/** A folder whose probe-rs lists what stands in its file `list`. */
async function withList(
  use: (folder: string, list: (text: string) => Promise<void>) => Promise<void>,
) {
  await withProbeRs(VERSION, async (folder) => {
    const list = (text: string) =>
      Deno.writeTextFile(join(folder, "list"), text);
    await list("No debug probes were found.\n");
    await use(folder, list);
  });
}

const STLINK = "[0]: STLink V2-1 -- 0483:374b:0672 (ST-LINK)\n";

Deno.test("ProbeRsLauncher says which line is right where another probe than the pinned one is connected", async () => {
  await withList(async (folder, list) => {
    const launcher = launcherIn(folder);
    await launcher.prepare(never, FIRST);
    await list(STLINK);
    assert.deepEqual(await launcher.ended(MISSING, never), {
      ...MISSING,
      todo:
        'plug the probe "0483:374b:0671" in, or put the line of the right probe under its board in config.toml: probe_id = "0483:374b:0672" (STLink V2-1)',
    });
  });
});

Deno.test("ProbeRsLauncher names the probes where several are connected and none is pinned", async () => {
  await withList(async (folder, list) => {
    const { probe_id: _, ...target } = TARGET;
    const launcher = launcherIn(folder, { target });
    const { command } = launched(await launcher.prepare(never, FIRST));
    assert.ok(!command.includes("--probe"));
    await list(`${STLINK}[1]: J-Link -- 1366:0101:000123 (J-Link)\n`);
    const ambiguous = recognizeFailure({
      code: 1,
      error: "Error: Failed to parse probe index",
    });
    const { todo } = await launcher.ended(ambiguous, never);
    assert.equal(
      todo,
      'put the line of the right probe under its board in config.toml: probe_id = "0483:374b:0672" (STLink V2-1) or probe_id = "1366:0101:000123" (J-Link)',
    );
  });
});

Deno.test("ProbeRsLauncher offers no board the probe of another one", async () => {
  await withList(async (folder, list) => {
    const otherProbes = ["0483:374b:0672"];
    const launcher = launcherIn(folder, { otherProbes });
    await launcher.prepare(never, FIRST);
    await list(STLINK);
    assert.deepEqual(await launcher.ended(MISSING, never), MISSING);
  });
});

Deno.test("ProbeRsLauncher asks for the probes once a minute while the same failure goes on, and says what is new", async () => {
  await withList(async (folder, list) => {
    let now = 0;
    const launcher = launcherIn(folder, { now: () => now });
    await launcher.prepare(never, FIRST);
    const todo = async (failure: Failure) =>
      (await launcher.ended(failure, never)).todo;
    for (now of [0, 10_000, 59_999]) {
      assert.equal(await todo(MISSING), MISSING.todo);
      await list(STLINK);
    }
    assert.equal(await asked(folder), 1);
    now = 60_000;
    assert.match(await todo(MISSING), /probe_id = "0483:374b:0672"/);
    assert.equal(await asked(folder), 2);
    const busy = recognizeFailure({
      code: 1,
      error: "Error: Failed to open probe",
    });
    assert.equal(await todo(busy), busy.todo);
    assert.equal(await asked(folder), 2, "other failures need no list");
    await todo(MISSING);
    assert.equal(await asked(folder), 3, "after another failure it is new");
  });
});

Deno.test("ProbeRsLauncher keeps its own words where the list does not come", async () => {
  await withProbeRs(
    `[ "$*" = "mi meta" ] && echo '{"version":"0.32.0"}' && exit
[ "$*" = list ] && exec /bin/sleep 1000`,
    async (folder) => {
      const launcher = launcherIn(folder);
      await launcher.prepare(never, FIRST);
      const stopped = AbortSignal.abort();
      assert.deepEqual(await launcher.ended(MISSING, stopped), MISSING);
    },
  );
});

Deno.test("ProbeRsLauncher refuses a USB interface before 0.31, which would end probe-rs", async () => {
  const target = { ...TARGET, probe_id: "0403:6010-1:FT" };
  await withProbeRs("echo probe-rs 0.30.0", async (folder) => {
    const launcher = launcherIn(folder, { target });
    const { kind, error } = refused(await launcher.prepare(never, FIRST));
    assert.equal(kind, "wrong usage");
    assert.match(error ?? "", /takes from 0\.31 on: it is "0403:6010-1:FT"/);
  });
  await withProbeRs("echo probe-rs 0.31.0", async (folder) => {
    const launcher = launcherIn(folder, { target });
    launched(await launcher.prepare(never, FIRST));
  });
});

Deno.test("ProbeRsLauncher programs once, and hears of it from the child", async () => {
  await withProbeRs("echo probe-rs 0.32.0", async (folder) => {
    await using world = await FlashWorld.make();
    const launcher = launcherIn(folder, { flash: world.flash });
    const first = launched(await launcher.prepare(never, FIRST));
    assert.equal(first.command[1], "run");
    assert.equal(launcher.flash.firmware, null);
    first.onStderrLine?.(FINISHED);
    const second = launched(await launcher.prepare(never, FIRST));
    assert.equal(second.command[1], "attach");
    assert.equal(launcher.flash.cyclesAtMost, 1);
    const silent = launched(
      await launcher.prepare(never, { silentRestarts: 2 }),
    );
    assert.equal(silent.command[1], "run");
    silent.onStdoutChunk?.(new TextEncoder().encode("boot\n"));
    launched(await launcher.prepare(never, FIRST));
    assert.equal(launcher.flash.cyclesAtMost, 2);
  });
});

Deno.test("ProbeRsLauncher knows what 0.24 does without --preverify", async () => {
  await withProbeRs("echo probe-rs 0.24.0", async (folder) => {
    const launcher = launcherIn(folder, { mode: "always" });
    const commands: (string | undefined)[] = [];
    for (let start = 0; start < 3; start++) {
      const launch = launched(await launcher.prepare(never, FIRST));
      commands.push(launch.command[1]);
      launch.onStderrLine?.("    Finished in 1.234s");
    }
    assert.deepEqual(commands, ["run", "attach", "attach"]);
  });
});

/** Runs what `launch` says in the child's own environment. */
async function runReal(
  { command: [program = "", ...args], cwd }: Launch,
  env: Record<string, string>,
) {
  const { code, stderr } = await new Deno.Command(program, {
    args,
    env,
    clearEnv: true,
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "null",
  }).output();
  const error = await readErrors(ReadableStream.from([stderr]));
  return { code, error, stderr: new TextDecoder().decode(stderr) };
}

/** The environment that a child gets where everything is set that would change what it prints. */
function realEnvironment(home: string) {
  const ours: Record<string, string> = {
    PATH: dirname(findProgram("probe-rs")),
    HOME: home,
    CLICOLOR_FORCE: "1",
    RUST_BACKTRACE: "1",
  };
  return childEnvironment((name) => ours[name]);
}

for (const command of ["run", "attach"] as const) {
  Deno.test({
    name:
      `The real probe-rs takes the flags of "${command}" and says plainly what is wrong`,
    ...requires("probe-rs"),
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        const firmware = join(folder, "fw.elf");
        // Enough of an ELF file to pass for one.
        await Deno.writeFile(firmware, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46));
        const env = realEnvironment(folder);
        const start = async (target: Partial<typeof TARGET>) => {
          const launcher = launcherIn("", {
            target: { ...TARGET, firmware_path: firmware, ...target },
            env,
            mode: command === "run" ? "always" : "never",
          });
          const end = await runReal(
            launched(await launcher.prepare(never, FIRST)),
            env,
          );
          assert.ok(!end.stderr.includes("\u001b"), "no colours");
          assert.ok(!end.stderr.includes("Stack backtrace"));
          return { ...end, ...recognizeFailure(end) };
        };
        // The vendor of nobody: whatever is plugged in here, it is not this one.
        const absent = await start({ probe_id: "fff1:fff2:0" });
        assert.equal(absent.kind, "probe missing", absent.stderr);
        assert.equal(absent.code, 1);
        const noFile = await start({ firmware_path: join(folder, "no.elf") });
        assert.equal(noFile.kind, "firmware missing", noFile.stderr);
        assert.match(noFile.error ?? "", /\(caused by: No such file/);
        const wrongProbe = await start({ probe_id: "zzz" });
        assert.equal(wrongProbe.kind, "wrong usage", wrongProbe.stderr);
        assert.match(wrongProbe.todo, /"probe_id" in config\.toml/);
        assert.equal(wrongProbe.code, 2);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

Deno.test({
  name:
    "The real probe-rs with a broken file of its own is told from one that is to be installed",
  ...requires("probe-rs"),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(join(folder, ".probe-rs.toml"), "= [");
      const launcher = launcherIn("", { env: realEnvironment(folder) });
      const { kind, todo } = refused(await launcher.prepare(never, FIRST));
      assert.equal(kind, "wrong usage");
      assert.match(todo, /\.probe-rs\.toml in the home folder/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
