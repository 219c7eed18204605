import assert from "node:assert/strict";
import { boardPrograms } from "../../lib/cli/run.ts";
import { recognizeFailure } from "../../lib/source/failure.ts";
import type { Launcher } from "../../lib/source/launcher.ts";
import { INFLUXDB, load } from "../config/load.ts";

Deno.test("What a command says last has no secret in it: it goes to the broker and to status", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const config = await load([
      "[gateway]",
      'command = ["sh", "-c", "exit 3"]',
      'env = { BOARD_PASSWORD = "pass:word", PORT = "4711" }',
      INFLUXDB,
      "[journal]",
      `folder = "${folder}"`,
    ].join("\n"));
    const [board] = config.boards;
    assert.ok(board);
    await using stack = new AsyncDisposableStack();
    const { launcherFor } = await boardPrograms(config, stack, {
      PATH: Deno.env.get("PATH") ?? "",
    });
    const launcher: Launcher = launcherFor(board);
    const { signal } = new AbortController();
    const launch = await launcher.prepare(signal, { silentRestarts: 0 });
    assert.ok(launch && "onStderrLine" in launch);
    const secret = config.influxdb?.token;
    launch.onStderrLine?.(`u:pass:word@h:4711 ${secret}, u:pass%3Aword`);
    const said = (error?: string) =>
      launcher.ended?.(
        { ...recognizeFailure({ code: 3 }), ...(error && { error }) },
        signal,
      );
    assert.equal(
      (await said())?.error,
      "u:[hidden]@h:4711 [hidden], u:[hidden]",
    );
    assert.equal(
      (await said("Error: login as u:pass:word"))?.error,
      "Error: login as u:[hidden]",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
