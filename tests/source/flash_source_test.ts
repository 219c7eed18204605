/**
 * Supervisor, launcher and a child together: what is programmed when.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { FirmwareFile } from "../../lib/source/firmware_file.ts";
import { FlashMemory } from "../../lib/source/flash_memory.ts";
import {
  ProbeRsLauncher,
  type ProbeRsLauncherOptions,
} from "../../lib/source/probe_rs_launcher.ts";
import { Supervisor } from "../../lib/source/supervisor.ts";
import { wait } from "../../lib/wait.ts";
import { withProbeRs } from "./fake_probe_rs.ts";
import { TARGET } from "./flash_world.ts";
import { captureLog } from "./log_capture.ts";

/** Notes how it was started, says that it is done, prints, and ends or waits to be ended. */
function board(then: string): string {
  return `PATH=/usr/bin:/bin
folder=$(dirname "$0")
[ "$*" = "mi meta" ] && echo '{"version":"0.32.0"}' && exit
echo "$1" >> "$folder/started"
[ "$1" = run ] && echo '     Finished in 1.23s' >&2
echo ready
${then}`;
}

const WAITS = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

async function started(folder: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(folder, "started"));
  return text.trim().split("\n");
}

/** A supervisor of the probe-rs in `folder`; `onReady` is called with each child that printed. */
async function supervise(
  folder: string,
  onReady: (children: number, supervisor: Supervisor) => void,
  options: Partial<ProbeRsLauncherOptions> = {},
): Promise<void> {
  const firmware_path = join(folder, "fw.elf");
  const env = { PATH: folder };
  await using memory = await FlashMemory.open(folder);
  let children = 0;
  const supervisor: Supervisor = new Supervisor({
    launcher: new ProbeRsLauncher({
      target: { ...TARGET, firmware_path },
      env,
      mode: "when-changed",
      reflashOnChange: false,
      flash: memory.board(""),
      // By this clock the file is old, and each look comes soon.
      file: new FirmwareFile(firmware_path, {
        now: () => Date.now() + 3_600_000,
      }),
      wait: (_ms, signal) => wait(20, signal),
      ...options,
    }),
    env,
    backoff: () => ({ next: () => 1, reset() {} }),
    stopTimeoutMs: 10_000,
    onStdout: async (stdout) => {
      for await (const _ of stdout) onReady(++children, supervisor);
    },
  });
  await supervisor.run();
}

Deno.test("A board that is started five times by two gateways is programmed once", async () => {
  await using _log = await captureLog();
  await withProbeRs(board("exit 0"), async (folder) => {
    await Deno.writeTextFile(join(folder, "fw.elf"), "one");
    for (const last of [3, 2]) {
      await supervise(
        folder,
        (children, supervisor) => {
          if (children === last) void supervisor.stop();
        },
      );
    }
    assert.deepEqual(await started(folder), [
      "run",
      ...["attach", "attach", "attach", "attach"],
    ]);
  });
});

Deno.test("A file that is replaced is programmed while the board runs, with reflash_on_change", async () => {
  await using log = await captureLog();
  await withProbeRs(board(WAITS), async (folder) => {
    const file = join(folder, "fw.elf");
    await Deno.writeTextFile(file, "one");
    await supervise(
      folder,
      (children, supervisor) => {
        if (children === 2) void supervisor.stop();
        else {
          Deno.writeTextFileSync(`${file}.new`, "two");
          Deno.renameSync(`${file}.new`, file);
        }
      },
      { reflashOnChange: true },
    );
    assert.deepEqual(await started(folder), ["run", "run"]);
    assert.ok(
      log.lines.some((line) =>
        /^source info: Starting "probe-rs" anew: The firmware ".*fw\.elf" was replaced/
          .test(line)
      ),
      log.lines.join("\n"),
    );
  });
});

Deno.test("A file that is replaced while the board runs is programmed at the next start, without", async () => {
  await using log = await captureLog();
  await withProbeRs(board(WAITS), async (folder) => {
    const file = join(folder, "fw.elf");
    await Deno.writeTextFile(file, "one");
    const heard = new AbortController();
    await supervise(
      folder,
      (children, supervisor) => {
        if (children === 2) return void supervisor.stop();
        Deno.writeTextFileSync(file, "another");
        // The child is left alone until the log has said it; then its probe is pulled, as it were.
        const looking = setInterval(() => {
          if (!log.lines.some((line) => line.includes("was replaced"))) return;
          clearInterval(looking);
          heard.abort();
          supervisor.restart("a test");
        }, 10);
      },
    );
    assert.ok(heard.signal.aborted);
    assert.deepEqual(await started(folder), ["run", "run"]);
    assert.equal(
      log.lines.filter((line) => line.includes("was replaced")).length,
      1,
    );
  });
});

Deno.test("A firmware that is missing is said in the words for it, and nothing is started", async () => {
  await using log = await captureLog();
  await withProbeRs(board("exit 0"), async (folder) => {
    const memory = await FlashMemory.open(folder);
    const env = { PATH: folder };
    const supervisor: Supervisor = new Supervisor({
      launcher: new ProbeRsLauncher({
        target: { ...TARGET, firmware_path: join(folder, "no.elf") },
        env,
        mode: "when-changed",
        reflashOnChange: false,
        flash: memory.board(""),
      }),
      env,
      backoff: () => ({ next: () => 1, reset() {} }),
      stopTimeoutMs: 1000,
      onStdout: (stdout) => stdout.pipeTo(new WritableStream()),
      wait: () => {
        assert.equal(supervisor.state.failure?.kind, "firmware missing");
        void supervisor.stop();
        return Promise.resolve();
      },
    });
    await supervisor.run();
    assert.ok(
      log.lines.some((line) =>
        /^source error: Failed to read firmware from ".*no\.elf": No such file .* To do: build the firmware/
          .test(line)
      ),
      log.lines.join("\n"),
    );
  });
});
