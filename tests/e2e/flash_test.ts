import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { PROGRAMS } from "../cli/program.ts";
import { DEAD_PORT } from "../servers.ts";
import { installProbeRs, withProbeRs } from "../source/fake_probe_rs.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const [source] = PROGRAMS;
assert.ok(source);

/** Programs, and prints until it is told to end. */
const BOARD = `PATH=/usr/bin:/bin
folder=$(dirname "$0")
[ "$*" = "mi meta" ] && echo '{"version":"0.32.0"}' && exit
echo "$1" >> "$folder/started"
[ "$1" = run ] && echo '     Finished in 1.23s' >&2
echo 'JSON sent via VCP: {"ts":1,"n1":{"t":21.5}}'
trap 'exit 0' TERM
while :; do sleep 0.1; done`;

const NO_PROBE = `case "$*" in
"mi meta") echo '{"version":"0.32.0"}' ;;
list) echo '[0]: J-Link -- 1366:0101:000123 (J-Link)' ;;
*) echo 'Error: No connected probes were found.' >&2; exit 1 ;;
esac`;

async function create(folder: string): Promise<GatewayProcess> {
  assert.ok(source);
  const gateway = await GatewayProcess.create({
    program: source,
    env: { PATH: `${folder}:/usr/bin:/bin:${dirname(Deno.execPath())}` },
    config: `
[mqtt]
broker_url = "mqtt://127.0.0.1:${DEAD_PORT}"
client_id = "test"
topic_prefix = "iiot"
[gateway]
probe_id = "0483:374b:0671"
chip = "STM32F446RETx"
firmware_path = "fw.elf"
`,
  });
  await Deno.writeTextFile(join(gateway.folder, "fw.elf"), "one");
  return gateway;
}

Deno.test("A gateway that is killed programs nothing again, and status says how often it may have", async () => {
  await withProbeRs(BOARD, async (folder) => {
    await using gateway = await create(folder);
    const started = async () =>
      (await Deno.readTextFile(join(folder, "started")).catch(() => ""))
        .trim().split("\n");
    gateway.start();
    await eventually(
      "it is programmed",
      () => /The board has the firmware 7692c3ad3540/.test(gateway.log),
    );
    await gateway.end("SIGKILL");
    gateway.start();
    await eventually(
      "it is started again",
      async () => (await started()).length === 2,
    );
    assert.deepEqual(await started(), ["run", "attach"]);
    const expected = {
      firmware:
        "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
      cycles_at_most: 1,
      of_these_likely_none: 0,
    };
    const board = await eventually(
      "its packets are counted",
      async () => (await gateway.status()).boards[0],
    );
    assert.deepEqual(board.flash, expected);
    assert.equal(await gateway.end("SIGTERM"), 0);
    assert.deepEqual((await gateway.status()).boards[0]?.flash, expected);
    const { stdout } = await gateway.run("status", "--config", "config.toml");
    assert.match(
      stdout,
      /^Flash +firmware 7692c3ad3540, at most 1 flash cycle$/m,
    );
  });
});

Deno.test("Another probe than the pinned one is named with its line by log, status and check, and once it is pinned the board is programmed", async () => {
  await withProbeRs(NO_PROBE, async (folder) => {
    await using gateway = await create(folder);
    const line = 'probe_id = "1366:0101:000123" (J-Link)';
    gateway.start();
    await eventually("the log says it", () => gateway.log.includes(line));
    const board = await eventually(
      "status says it",
      async () => (await gateway.status()).boards[0],
    );
    assert.ok(board.child?.failure?.todo.includes(line));
    assert.equal(board.flash?.cycles_at_most, 0);
    const { stdout } = await gateway.run("check", "--config", "config.toml");
    assert.match(
      stdout,
      /^ +probe_id = "1366:0101:000123" {3}# J-Link$/m,
      stdout,
    );
    await gateway.end("SIGTERM");

    const config = join(gateway.folder, "config.toml");
    const text = await Deno.readTextFile(config);
    await Deno.writeTextFile(
      config,
      text.replace("0483:374b:0671", "1366:0101:000123"),
    );
    await installProbeRs(folder, BOARD);
    gateway.start();
    await eventually(
      "it is programmed",
      () => /The board has the firmware/.test(gateway.log),
    );
    assert.equal(await gateway.end("SIGTERM"), 0);
  });
});
