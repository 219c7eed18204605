import assert from "node:assert/strict";
import { join } from "node:path";
import { ask } from "../../lib/control/client.ts";
import { readStatus } from "../../lib/monitor/status.ts";
import { PROGRAMS } from "../cli/program.ts";
import { DEAD_PORT, requires } from "../servers.ts";
import { makeSlowDisk } from "./flood.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const STOP_TIMEOUT_S = 4;
/** That, some seconds for the disk, and what a busy machine takes; any other time a sync has 30 s. */
const ENDS_WITHIN_MS = (STOP_TIMEOUT_S + 1) * 1000 + 10_000;
const BOARD =
  `while :; do echo 'JSON sent via VCP: {"n1":{"t":21.5}}'; sleep 0.1; done`;

Deno.test({
  name:
    "A sync that hangs does not keep the gateway from its end, and what is lost is said",
  ...requires("gcc"),
  fn: async () => {
    const [program] = PROGRAMS;
    assert.ok(program);
    await using slowDisk = await makeSlowDisk(0);
    const folder = await Deno.makeTempDir({ prefix: "iiot-hangs-" });
    await using _removed = {
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
    const hangs = join(folder, "hangs");
    await using gateway = await GatewayProcess.create({
      program,
      env: { ...slowDisk.env, FSYNC_HANGS: hangs },
      config: `
[influxdb]
url = "http://127.0.0.1:${DEAD_PORT}"
org = "o"
bucket = "b"
token = "a-token-of-its-own"
[gateway]
command = ["sh", "-c", '''${BOARD}''']
stop_timeout_s = ${STOP_TIMEOUT_S}
`,
    });
    gateway.start();
    const journal = join(gateway.folder, "journal");
    // Asked from here: a command of its own would have that disk, too.
    const lines = async () => {
      const { boards } = await readStatus(journal, {
        now: Date.now() * 1000,
        ask: () => ask(journal, { do: "status" }, { withinMs: 5000 }),
      });
      return boards[0]?.lines ?? 0;
    };
    await eventually(
      `packets are journalled\n${gateway.log}`,
      async () => await lines() > 0,
    );
    await Deno.writeTextFile(hangs, "");
    const before = await lines();
    await eventually(
      `packets come that the disk does not take\n${gateway.log}`,
      async () => await lines() > before + 3,
    );
    const beganMs = performance.now();
    assert.equal(await gateway.end("SIGTERM"), 1);
    assert.ok(performance.now() - beganMs < ENDS_WITHIN_MS, gateway.log);
    assert.match(
      gateway.log,
      /\d+ packets that were only in memory and have not gone to every server are lost/,
    );
  },
});
