import assert from "node:assert/strict";
import { join } from "node:path";
import { startBroker } from "../../lib/broker.ts";
import { PROGRAMS } from "../cli/program.ts";
import { DEAD_PORT, subscribe } from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const LINE = 'JSON sent via VCP: {"n1":{"t":21.5}}';

function config(port: number, folder: string, command: readonly string[]) {
  return `
[mqtt]
broker_url = "mqtt://127.0.0.1:${port}"
client_id = "test"
topic_prefix = "iiot"
[gateway]
command = ${JSON.stringify(command)}
[journal]
folder = "${folder}"
reserve = false
`;
}

const SPEAKS = ["sh", "-c", `echo '${LINE}'; exec sleep 1000`];

for (const program of PROGRAMS) {
  Deno.test(`A second gateway that knows the folder by another path ends with an error, the first goes on (${program.form})`, async () => {
    await using first = await GatewayProcess.create({
      program,
      config: config(DEAD_PORT, "journal", ["sleep", "1000"]),
    });
    await Deno.symlink("journal", join(first.folder, "link"));
    await Deno.writeTextFile(
      join(first.folder, "second.toml"),
      config(DEAD_PORT, "link", ["sleep", "1000"]),
    );
    first.start();
    await eventually("it runs", () => /Starting telemetry/.test(first.log));
    const second = await first.run("run", "--config", "second.toml");
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      new RegExp(`in use by another gateway \\(process ${first.pid}\\)`),
    );
    assert.equal((await first.status()).gateway, first.pid);
    assert.equal(await first.end("SIGTERM"), 0);
  });

  Deno.test(`A gateway without a disk delivers from memory, alone, and leaves everything on the disk that comes (${program.form})`, async () => {
    await using broker = await startBroker({ host: "127.0.0.1", port: 0 });
    await using subscriber = await subscribe(broker.url, "iiot/#", {
      protocolVersion: 4,
    });
    await using first = await GatewayProcess.create({
      program,
      config: config(broker.port, "disk/journal", SPEAKS),
    });
    const disk = join(first.folder, "disk");
    await Deno.writeTextFile(disk, "no folder");
    first.start();
    await subscriber.waitFor(1);
    assert.match(
      first.log,
      /only in memory from now on: a power cut loses them/,
    );
    const second = await first.run("run", "--config", "config.toml");
    assert.equal(second.code, 1);
    assert.match(second.stderr, /in use by another gateway/);
    assert.equal((await first.status()).gateway, first.pid);

    await Deno.remove(disk);
    assert.equal(await first.end("SIGTERM"), 0, first.log);
    const { sinks, boards, gateway } = await first.status();
    assert.equal(gateway, null);
    assert.equal(boards[0]?.packets, 1);
    assert.equal(sinks[0]?.delivered, 1);
    assert.equal(sinks[0]?.balanced, true);
  });
}

Deno.test("A gateway that ends without a disk says what is lost with its memory, and exits with 1", async () => {
  const [program] = PROGRAMS;
  assert.ok(program);
  await using gateway = await GatewayProcess.create({
    program,
    config: config(DEAD_PORT, "disk/journal", [
      ...["sh", "-c"],
      `trap 'echo "$0"; exit 0' TERM; echo ready; while :; do sleep 0.05; done`,
      LINE,
    ]),
  });
  await Deno.writeTextFile(join(gateway.folder, "disk"), "no folder");
  gateway.start();
  await eventually("the board speaks", () => /ready/.test(gateway.log));
  assert.equal(await gateway.end("SIGTERM"), 1);
  assert.match(gateway.log, /1 packets that were only in memory/);
});
