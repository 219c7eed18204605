import assert from "node:assert/strict";
import { join } from "node:path";
import { Leftover } from "../../lib/source/leftover.ts";
import { wait } from "../../lib/wait.ts";
import { captureLog } from "./log_capture.ts";

const ignore = Deno.build.os === "windows";
const OPTIONS = {
  signal: new AbortController().signal,
  stopTimeoutMs: 10_000,
  wait,
};

/** A folder for the note, and a process as a gateway that was killed leaves it. */
async function abandon(script: string) {
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command("sh", {
    args: ["-c", script],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    detached: true,
  }).spawn();
  const reader = child.stdout.getReader();
  // What it traps is trapped by then.
  await reader.read();
  return {
    child,
    note: join(folder, "child.json"),
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
      await reader.cancel();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test({
  name: "Leftover that is noted is ended in order by the next gateway",
  ignore,
  async fn() {
    await using log = await captureLog();
    await using left = await abandon(
      "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done",
    );
    const { pid } = left.child;
    await new Leftover(left.note).note(pid);
    // Whoever killed the gateway collects its children.
    const ended = left.child.status;
    await new Leftover(left.note).end(OPTIONS);
    assert.equal((await ended).code, 7);
    assert.deepEqual(log.lines, [
      `source warning: A gateway that was killed has left its program behind: process ${pid} is ended, because it holds the probe`,
    ]);
    await new Leftover(left.note).end(OPTIONS);
    assert.equal(log.lines.length, 1, "it is gone");
  },
});

Deno.test({
  name:
    "Leftover that ignores SIGTERM is killed, and what that may mean is said",
  ignore,
  async fn() {
    await using log = await captureLog();
    await using left = await abandon(
      "trap '' TERM; echo up; while :; do sleep 0.01; done",
    );
    await new Leftover(left.note).note(left.child.pid);
    const ended = left.child.status;
    await new Leftover(left.note).end({ ...OPTIONS, stopTimeoutMs: 200 });
    assert.equal((await ended).signal, "SIGKILL");
    assert.match(log.lines[1] ?? "", /was killed: the firmware may be frozen/);
  },
});

Deno.test({
  name:
    "Leftover ends no process that only has the number of one that was noted",
  ignore,
  async fn() {
    await using log = await captureLog();
    await using left = await abandon("echo up; exec sleep 1000");
    const { pid } = left.child;
    const leftover = new Leftover(left.note);
    await leftover.note(pid);
    const note = JSON.parse(await Deno.readTextFile(left.note));
    const notes = [
      JSON.stringify({ ...note, identity: `${note.identity}1` }),
      JSON.stringify({ ...note, pid: Deno.pid }),
      JSON.stringify({ pid }),
      JSON.stringify({ ...note, pid: 1 }),
      JSON.stringify({ ...note, pid: -1 }),
      '{"pid":',
      "null",
      "",
    ];
    for (const text of notes) {
      await Deno.writeTextFile(left.note, text);
      await leftover.end(OPTIONS);
    }
    await Deno.remove(left.note);
    await leftover.end(OPTIONS);
    Deno.kill(pid, "SIGCONT");
    assert.deepEqual(log.lines, []);
  },
});

Deno.test({
  name: "Leftover that cannot be noted stops nobody",
  async fn() {
    await using _log = await captureLog();
    const leftover = new Leftover(join("/nowhere", "at all", "child.json"));
    await leftover.note(Deno.pid);
    await leftover.settled(wait);
    await leftover.end(OPTIONS);
  },
});

Deno.test({
  name: "Leftover is left as it is by a gateway that is told to stop",
  ignore,
  async fn() {
    await using _log = await captureLog();
    await using left = await abandon(
      "trap 'echo asked' TERM; echo up; while :; do sleep 0.01; done",
    );
    await new Leftover(left.note).note(left.child.pid);
    const stop = new AbortController();
    let waits = 0;
    await new Leftover(left.note).end({
      ...OPTIONS,
      signal: stop.signal,
      wait: () => {
        waits++;
        stop.abort();
        return Promise.resolve();
      },
    });
    assert.equal(waits, 1);
    // No error: it lives.
    Deno.kill(left.child.pid, "SIGCONT");
  },
});
