import assert from "node:assert/strict";
import { cpuTimes, readUsage, usageBetween } from "./process_usage.ts";

const isLinux = Deno.build.os === "linux";

Deno.test("cpuTimes reads behind a name that holds anything", () => {
  const stat =
    "42 (a ) 1 (b) S 1 2 3 0 -1 4194304 5 6 7 8 11 22 33 44 20 0 1 0 99 0 0";
  assert.deepEqual(cpuTimes(stat), { cpuMs: 330, endedChildrenMs: 770 });
});

Deno.test({
  name: "readUsage counts what a process writes, and names its first thread",
  ignore: !isLinux,
  async fn() {
    const file = await Deno.makeTempFile();
    try {
      const before = await readUsage(Deno.pid);
      await Deno.writeFile(file, new Uint8Array(300_000));
      const after = await readUsage(Deno.pid);
      const { writtenBytes, cpuMs, mainMs } = usageBetween(before, after);
      assert.ok(writtenBytes >= 300_000, `${writtenBytes}`);
      assert.ok(cpuMs >= 0 && mainMs >= 0);
      assert.equal(after.threads[0]?.threadId, Deno.pid);
      assert.ok(
        after.mostResidentMb >= after.residentMb && after.residentMb > 10,
      );
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test({
  name: "readUsage of a process that has ended is an error",
  ignore: !isLinux,
  async fn() {
    const child = new Deno.Command("true").spawn();
    await child.status;
    await assert.rejects(readUsage(child.pid));
  },
});
