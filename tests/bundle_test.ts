import assert from "node:assert/strict";
import { PROJECT, runToEnd } from "./cli/program.ts";

Deno.test("The bundle is the whole program: command line and journal's worker in one file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const bundle = `${folder}/iiot-gateway.js`;
    const bundled = await runToEnd(
      [Deno.execPath(), "bundle", "-q", "-o", bundle, "main.ts"],
      { cwd: PROJECT },
    );
    assert.equal(bundled.code, 0, bundled.stderr);

    const version = await runToEnd([
      ...[Deno.execPath(), "run", "--no-config", "--no-prompt", "--ignore-env"],
      ...[bundle, "version"],
    ]);
    assert.match(version.stdout, /^iiot-gateway \d/, version.stderr);

    const worker = new Worker(`file://${bundle}`, { type: "module" });
    const answer = Promise.withResolvers<{ id: number; error?: unknown }>();
    worker.onmessage = ({ data }) => answer.resolve(data);
    worker.onerror = ({ message }) => answer.reject(new Error(message));
    const deadline = setTimeout(
      () => answer.reject(new Error("The worker does not answer")),
      10_000,
    );
    try {
      // Sent before the worker runs: it must not be lost.
      worker.postMessage({ id: 7, method: "oldest", args: [] });
      const { id, error } = await answer.promise;
      assert.equal(id, 7);
      assert.ok(error, "No journal was opened, yet it answers");
    } finally {
      clearTimeout(deadline);
      worker.terminate();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
