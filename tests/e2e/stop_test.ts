import assert from "node:assert/strict";
import { join } from "node:path";
import { check } from "../chaos/check.ts";
import { World } from "../chaos/world.ts";
import { PROGRAMS } from "../cli/program.ts";
import { requires } from "../servers.ts";
import { eventually } from "./gateway_process.ts";

/** Packets that wait for both servers; more of them by hand. */
const PACKETS = Number(Deno.env.get("WAITING_PACKETS") ?? 20_000);
const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
/** `stop_timeout_s` of the world's configuration, and a second. */
const STOP_MS = 4000 + 1000;

const [source] = PROGRAMS;
assert.ok(source);

/** How the servers are when the gateway is asked to stop. */
const SITUATIONS: Record<string, (world: World) => Promise<void>> = {
  down: async ({ brokerProxy, databaseProxy, gateway }) => {
    await Promise.all([brokerProxy.cut(), databaseProxy.cut()]);
    gateway.start();
    await sinksTried(gateway.logPath(gateway.sessions.length + 1));
  },
  hanging: async (world) => {
    await isDelivering(world);
    for (const proxy of [world.brokerProxy, world.databaseProxy]) proxy.hold();
  },
  up: isDelivering,
};

/** Starts it, and waits until both servers are being sent something. */
async function isDelivering(world: World): Promise<void> {
  const { brokerProxy, databaseProxy, gateway } = world;
  const proxies = [brokerProxy, databaseProxy];
  await Promise.all(proxies.map((proxy) => proxy.mend()));
  const before = proxies.map(({ passed }) => passed.toServer);
  gateway.start();
  await eventually(
    "both servers are being sent something",
    () =>
      proxies.every(({ passed }, index) =>
        passed.toServer > before[index]! + 3000
      ),
  );
}

async function sinksTried(logPath: string): Promise<void> {
  await eventually("both sinks have tried", async () => {
    const log = await Deno.readTextFile(logPath).catch(() => "");
    return (log.match(/Cannot deliver/g)?.length ?? 0) >= 2;
  });
}

Deno.test({
  name:
    `SIGTERM, SIGINT, SIGHUP and a closed terminal end it in time with ${PACKETS} packets waiting, and all arrive after the next start`,
  ...requires("mosquitto", "victoria-metrics", "script"),
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "iiot-stop-" });
    await using _removed = {
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
    const story: string[] = [];
    await using world = await World.create({
      program: source,
      folder,
      fakeClock: false,
      maxMegabytes: 64 + PACKETS / 1000,
      say: (text) => story.push(text),
    });
    await Promise.all([world.brokerProxy.cut(), world.databaseProxy.cut()]);
    await world.setRate(20_000);
    world.gateway.start();
    await eventually("the packets wait", async () => {
      const { newest_packet: newest } = await world.gateway.status();
      return (newest?.seq ?? 0) >= PACKETS;
    });
    await world.setRate(10);
    await world.stopGateway("SIGTERM");

    for (const [situation, arrange] of Object.entries(SITUATIONS)) {
      for (const signal of SIGNALS) {
        story.push(`${situation}, ${signal}`);
        await arrange(world);
        await world.stopGateway(signal);
      }
      // What is stopped while the servers are away keeps all; at the end something is left to deliver.
      const { sinks } = await world.gateway.status();
      if (situation === "down") {
        assert.ok(sinks.every(({ waiting }) => waiting >= 10 * PACKETS));
      }
      story.push(sinks.map(({ waiting }) => waiting).join(" "));
    }
    await closeTerminal(world);

    await Promise.all([world.brokerProxy.mend(), world.databaseProxy.mend()]);
    world.gateway.start();
    await world.drain(60_000);
    await world.stopGateway("SIGTERM");
    const { faults, table } = check(await world.evidence());
    assert.deepEqual(faults, [], `${story.join("\n")}\n${table.join("\n")}`);
  },
});

/** Runs it in a terminal, and takes the terminal away. */
async function closeTerminal(world: World): Promise<void> {
  await Promise.all([world.brokerProxy.cut(), world.databaseProxy.cut()]);
  const shown = join(world.folder, "terminal.log");
  const command = world.gateway.command("run").join(" ");
  const terminal = new Deno.Command("script", {
    args: ["-qfc", `exec ${command}`, shown],
    env: { SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await sinksTried(shown);
  await eventually(
    "it shows values",
    async () => /node1 .*°C/.test(await Deno.readTextFile(shown)),
  );
  const before = performance.now();
  terminal.kill("SIGKILL");
  await terminal.status;
  await terminal.stdin.close().catch(() => {});
  await world.gateway.expectNothingLeft(STOP_MS);
  assert.ok(performance.now() - before < STOP_MS);
  // Only an end in order leaves no write-ahead log.
  await assert.rejects(
    Deno.stat(join(world.disk.outside, "journal.db-wal")),
    Deno.errors.NotFound,
  );
}
