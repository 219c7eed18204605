import assert from "node:assert/strict";
import { PROGRAMS, runToEnd } from "./program.ts";

const MARKER = "JSON sent via VCP: ";

for (const { form, command } of PROGRAMS) {
  const [program, ...first] = command;

  Deno.test(`simulate prints the same packets for the same seed, and no more than its count (${form})`, async () => {
    const start = (seed: string) =>
      runToEnd([
        ...command,
        ..."simulate --count 3 --interval 0 --seed".split(" "),
        seed,
      ]);
    const one = await start("1");
    assert.equal(one.code, 0, one.stderr);
    assert.equal(one.stderr, "");
    assert.equal(one.stdout.split(MARKER).length - 1, 3);
    assert.deepEqual(await start("1"), one);
    assert.notEqual((await start("2")).stdout, one.stdout);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.test(`simulate ends with 0 on ${signal} (${form})`, async () => {
      const child = new Deno.Command(program!, {
        args: [...first, "simulate", "--interval", "3600000"],
        stdin: "null",
        stdout: "piped",
      }).spawn();
      const reader = child.stdout.getReader();
      await reader.read();
      child.kill(signal);
      while (!(await reader.read()).done);
      const { code, signal: endedBy } = await child.status;
      assert.deepEqual({ code, endedBy }, { code: 0, endedBy: null });
    });
  }

  Deno.test(`simulate ends with 0 when nobody reads any more (${form})`, async () => {
    const child = new Deno.Command(program!, {
      args: [...first, "simulate", "--interval", "0"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    assert.equal(await new Response(child.stderr).text(), "");
    assert.equal((await child.status).code, 0);
  });
}
