import assert from "node:assert/strict";
import { DEFAULT_PROBE } from "../../lib/simulator/probe_rs/scenario.ts";
import { PROGRAMS } from "../cli/program.ts";
import { DEAD_PORT } from "../servers.ts";
import { BenchFolder } from "../simulator/probe_rs/bench_folder.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const [source] = PROGRAMS;
assert.ok(source);

Deno.test("A gateway goes on when the probe is plugged in again, programs the board once, and freezes no firmware", async () => {
  await using bench = await BenchFolder.create(`
programmed = false
interval_s = 0.2
[[event]]
at_s = 15
do = "unplug"
[[event]]
at_s = 24
do = "plug"
`);
  const bin = await bench.install();
  await using gateway = await GatewayProcess.create({
    program: source,
    env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
    config: `
[mqtt]
broker_url = "mqtt://127.0.0.1:${DEAD_PORT}"
client_id = "test"
topic_prefix = "iiot"
[gateway]
probe_id = "${DEFAULT_PROBE.id}"
chip = "${DEFAULT_PROBE.chip}"
firmware_path = "${bench.path("fw.elf")}"
`,
  });
  gateway.start();
  await eventually(
    "it names the probe that is gone",
    () => /Probe missing: /.test(gateway.log),
  );
  await eventually("it reads the board again", async () => {
    const { boards: [board], starts } = await bench.state();
    return board?.held && starts.at(-1)?.args[0] === "attach";
  });
  const packets = async () => (await gateway.status()).boards[0]?.packets ?? 0;
  const before = await packets();
  await eventually("packets come again", async () => await packets() > before);
  assert.equal(await gateway.end("SIGTERM"), 0);
  const { boards, starts } = await bench.state();
  assert.partialDeepStrictEqual(boards, [
    { held: false, frozen: false, flash_cycles: 1, freezes: 0 },
  ]);
  assert.equal(starts.at(-1)?.end?.why, "asked to stop");
});
