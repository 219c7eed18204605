import assert from "node:assert/strict";
import { join } from "node:path";
import { PROGRAMS } from "../cli/program.ts";
import { DEAD_PORT, requires } from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const [source] = PROGRAMS;
assert.ok(source);

Deno.test({
  name:
    "With the real probe-rs and no probe the gateway names what is missing within 5 s, goes on trying, and stops within 3 s",
  ...requires("probe-rs"),
  async fn() {
    await using gateway = await GatewayProcess.create({
      program: source,
      config: `
[mqtt]
broker_url = "mqtt://127.0.0.1:${DEAD_PORT}"
client_id = "test"
topic_prefix = "iiot"
[gateway]
probe_id = "fff1:fff2:0"
chip = "STM32F446RETx"
firmware_path = "fw.elf"
`,
    });
    const inFolder = (name: string) => join(gateway.folder, name);
    // Enough of an ELF file to pass for one, by a path that is relative to config.toml.
    await Deno.writeFile(
      inFolder("fw.elf"),
      Uint8Array.of(0x7f, 0x45, 0x4c, 0x46),
    );
    // It would end probe-rs if that ran here.
    await Deno.writeTextFile(inFolder(".probe-rs.toml"), "= [");
    gateway.start();
    await eventually(
      "it starts",
      () => /Starting telemetry processor/.test(gateway.log),
    );
    await eventually(
      "it names the missing probe",
      () =>
        /Probe missing: "probe-rs" ended with exit code 1/.test(gateway.log),
      5000,
    );
    const board = await eventually("it tries again", async () => {
      const [board] = (await gateway.status()).boards;
      return (board?.child?.restarts ?? 0) >= 2 ? board : undefined;
    });
    assert.equal(board.child?.failure?.kind, "probe missing");
    assert.equal(
      board.child.failure.error,
      "Error: No connected probes were found",
    );
    assert.equal(
      gateway.log.match(/Probe missing/g)?.length,
      1,
      "it is said once",
    );
    const before = performance.now();
    assert.equal(await gateway.end("SIGTERM"), 0);
    assert.ok(performance.now() - before < 3000);
  },
});
