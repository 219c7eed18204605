import assert from "node:assert/strict";

import { startBroker } from "../../lib/broker.ts";
import { PROGRAMS } from "../cli/program.ts";
import { DEAD_PORT, freePort, subscribe } from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const [source] = PROGRAMS;
assert.ok(source);

function config(port: number, more = ""): string {
  return `
[mqtt]
broker_url = "mqtt://127.0.0.1:${port}"
client_id = "test"
topic_prefix = "iiot"
[influxdb]
url = "http://127.0.0.1:${DEAD_PORT}"
org = "my-org"
bucket = "telemetry"
token = "a-very-secret-token"
[broker]
port = ${port}
${more}`;
}

for (const program of PROGRAMS) {
  Deno.test(`A simulated run needs no server, shows values, and ends by Ctrl-C within 3 s (${program.form})`, async () => {
    const port = freePort();
    await using gateway = await GatewayProcess.create({
      program,
      config: config(port),
    });
    gateway.start("--simulate", "--embedded-broker");
    await eventually(
      "two lines of values",
      () => (gateway.output.match(/SIMULATED node1 .*°C/g)?.length ?? 0) >= 2,
      15_000,
    );
    await using subscriber = await subscribe(
      `mqtt://127.0.0.1:${port}`,
      "iiot/#",
      { protocolVersion: 4 },
    );
    await subscriber.waitFor(15);
    assert.ok(
      subscriber.messages.some(({ topic, retain }) =>
        topic === "iiot/node1/temperature" && retain
      ),
    );
    assert.match(gateway.output, /mosquitto_sub -h 127\.0\.0\.1 -p \d+ -t/);
    assert.match(
      gateway.output,
      program.form === "source"
        ? /^ {2}deno task check --config config\.toml and deno task start --config config\.toml$/m
        : /^ {2}iiot-gateway check --config config\.toml and iiot-gateway --config config\.toml$/m,
    );
    const before = performance.now();
    assert.equal(await gateway.end("SIGINT"), 0);
    assert.ok(performance.now() - before < 3000);

    // One calm line about the database, and nothing about the packets one by one.
    const outages = gateway.log.match(/Cannot deliver.*/g);
    assert.equal(outages?.length, 1, gateway.log);
    assert.match(String(outages), /docker compose up -d influxdb/);
    assert.match(gateway.log, /MQTT client connected successfully/);
    assert.doesNotMatch(gateway.log, /InfluxDB health check passed/);
    assert.doesNotMatch(gateway.log, /a-very-secret-token/);
    const files = await Array.fromAsync(Deno.readDir(gateway.folder));
    assert.deepEqual(
      files.map(({ name }) => name).sort(),
      [".dev", "config.toml"],
    );
  });
}

Deno.test("A broker that answers on the port is used instead of the embedded one", async () => {
  await using broker = await startBroker({ host: "127.0.0.1", port: 0 });
  await using subscriber = await subscribe(broker.url, "iiot/#", {
    protocolVersion: 4,
  });
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(broker.port),
  });
  gateway.start("--simulate", "--embedded-broker");
  await subscriber.waitFor(9);
  assert.match(gateway.log, /answers on 127\.0\.0\.1:\d+ already: it is used/);
  assert.equal(await gateway.end("SIGTERM"), 0);
});

Deno.test("A port that another program has ends the start with the key that moves it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    for await (const connection of listener) connection.close();
  })();
  const { port } = listener.addr as Deno.NetAddr;
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(port),
  });
  gateway.start("--simulate", "--embedded-broker");
  assert.equal(await gateway.end(), 1);
  assert.match(
    gateway.log,
    new RegExp(`127\\.0\\.0\\.1:${port}.*broker\\.port`),
  );
  listener.close();
  await answering;
});

Deno.test("Simulated values that may go nowhere are shown all the same", async () => {
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(1883).replaceAll("127.0.0.1", "192.0.2.1"),
  });
  gateway.start("--simulate");
  await eventually(
    "two lines of values",
    () => (gateway.output.match(/SIMULATED node1/g)?.length ?? 0) >= 2,
    15_000,
  );
  assert.match(gateway.log, /no simulated values go there/);
  assert.equal(await gateway.end("SIGTERM"), 0);
});

Deno.test("A wrong configuration ends the start with every fault, and starts nothing", async () => {
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(
      1883,
      '[journal]\nmax_megabyte = 1\n[log]\nlevel = "loud"\n',
    ),
  });
  gateway.start("--simulate");
  assert.equal(await gateway.end(), 2);
  assert.match(gateway.log, /config\.toml:\d+:\d+: .*max_megabyte/);
  assert.match(gateway.log, /config\.toml:\d+:\d+: .*log\.level/);
  const files = await Array.fromAsync(Deno.readDir(gateway.folder));
  assert.deepEqual(files.map(({ name }) => name), ["config.toml"]);
});

Deno.test("A second gateway on the same journal ends with an error, the first goes on", async () => {
  await using first = await GatewayProcess.create({
    program: source,
    config: config(DEAD_PORT, '[gateway]\ncommand = ["sleep", "1000"]\n'),
  });
  first.start();
  await eventually("it runs", () => /Starting telemetry/.test(first.log));
  const second = await first.run("run", "--config", "config.toml");
  assert.equal(second.code, 1);
  assert.match(second.stderr, /in use by another gateway \(process \d+\)/);
  assert.match(second.stderr, /journal\.folder/);
  assert.equal((await first.status()).gateway, first.pid);
  assert.equal(await first.end("SIGTERM"), 0);
});

Deno.test("What a board prints while it is being stopped is journalled", async () => {
  const packet = 'JSON sent via VCP: {"ts":1,"n1":{"t":21.5}}';
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(
      DEAD_PORT,
      `[gateway]\ncommand = ["sh", "-c", ${
        JSON.stringify(
          `trap 'echo "$0"; echo "$0"; exit 0' TERM; echo ready; while :; do sleep 0.05; done`,
        )
      }, ${JSON.stringify(packet)}]\n`,
    ),
  });
  gateway.start();
  await eventually("the board speaks", () => /ready/.test(gateway.log));
  assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  const status = await gateway.status();
  assert.equal(status.boards[0]?.packets, 2);
  assert.equal(status.sinks[0]?.waiting, 2);
});

Deno.test("A missing probe-rs is said once, with the PATH and how to install it, and does not end the gateway", async () => {
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(
      DEAD_PORT,
      '[gateway]\nprobe_id = "0483:374b"\nchip = "STM32F446RETx"\nfirmware_path = "fw.elf"\n',
    ),
    env: { PATH: "/nowhere" },
  });
  gateway.start();
  await eventually(
    "it says what is missing",
    () =>
      /probe-rs".*\/nowhere.*cargo install probe-rs-tools/.test(gateway.log),
  );
  assert.equal(await gateway.end("SIGTERM"), 0);
});

Deno.test("A second signal ends it at once, whatever the board's program does", async () => {
  const stubborn =
    `trap '' TERM; echo ready; while kill -0 $PPID; do sleep 0.1; done`;
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(
      DEAD_PORT,
      `[gateway]\nstop_timeout_s = 60\ncommand = ["sh", "-c", "${stubborn}"]\n`,
    ),
  });
  gateway.start();
  await eventually("the board speaks", () => /ready/.test(gateway.log));
  Deno.kill(gateway.pid, "SIGTERM");
  await eventually("it stops in order", () => /Stopping/.test(gateway.log));
  const before = performance.now();
  // Right behind the first it is the same wish, so it is repeated until it counts.
  const repeating = setInterval(() => {
    try {
      Deno.kill(gateway.pid, "SIGTERM");
    } catch {
      // It has ended.
    }
  }, 50);
  assert.equal(await gateway.end().finally(() => clearInterval(repeating)), 1);
  assert.ok(performance.now() - before < 5000);
});
