/**
 * Servers that are down, and ways that are cut: nothing is missing afterwards, InfluxDB has each point
 * once, MQTT each message at least once, and neither sink waits for the other.
 */

import assert from "node:assert/strict";
import { startScriptedInfluxdb } from "../sink/scripted_influxdb.ts";
import { type Direction, startTcpProxy, type TcpProxy } from "../tcp_proxy.ts";
import { type Rig, startRig } from "./rig.ts";
import {
  allArrived,
  makeWorld,
  NEEDED,
  type SinkName,
  SINKS,
} from "./world.ts";

Deno.test({
  name:
    "Servers that are down at the start get everything when they come, together or apart",
  ...NEEDED,
  fn: async () => {
    await using world = await makeWorld({ down: true });
    const { rig, proxies } = world;
    await rig.appendNumbered(50);
    await rig.until(() =>
      SINKS.every((sink) =>
        rig.log.some((line) =>
          line.startsWith(`${sink} warning: Cannot deliver`)
        )
      )
    );
    await proxies.mqtt.mend();
    await rig.delivered("mqtt");
    assert.equal(rig.standing("influxdb").waiting, 450);
    await proxies.mqtt.cut();
    await rig.appendNumbered(50);
    await proxies.influxdb.mend();
    await rig.delivered("influxdb");
    assert.equal(rig.standing("mqtt").waiting, 450);
    await proxies.influxdb.cut();
    await rig.appendNumbered(50);
    await Promise.all([proxies.mqtt.mend(), proxies.influxdb.mend()]);
    await allArrived(world, 150);
  },
});

const SICK: Record<string, (proxy: TcpProxy) => void | Promise<void>> = {
  "is down": (proxy) => proxy.cut(),
  "hangs": (proxy) => proxy.hold(),
  "answers nothing": (proxy) => proxy.swallow("toClient"),
  "is slow": (proxy) => {
    proxy.delay(200);
    proxy.throttle(2_000);
  },
};

for (const sick of SINKS) {
  const well = sick === "mqtt" ? "influxdb" : "mqtt";
  Deno.test({
    name: `The sink ${well} is never late for ${sick}`,
    ...NEEDED,
    fn: async (t) => {
      await using world = await makeWorld();
      const { rig, proxies } = world;
      let packets = 0;
      const latencies = async (): Promise<number[]> => {
        const result: number[] = [];
        for (let i = 0; i < 40; i++) {
          const start = performance.now();
          await rig.appendNumbered(1);
          packets++;
          await rig.until(() => rig.standing(well).waiting === 0);
          result.push(performance.now() - start);
        }
        return result.sort((a, b) => a - b);
      };
      const before = (await latencies())[20]!;
      for (const [how, fall] of Object.entries(SICK)) {
        await fall(proxies[sick]);
        const late = await latencies();
        const [median, longest] = [late[20]!, late.at(-1)!];
        await t.step(
          `while ${sick} ${how}: ${median.toFixed(1)} ms at the median, ${
            longest.toFixed(1)
          } at the most; before ${before.toFixed(1)}`,
          () => {
            assert.ok(median < before + 50);
            assert.ok(longest < 1_000);
          },
        );
        await proxies[sick].mend();
        await rig.delivered();
      }
      await allArrived(world, packets);
    },
  });
}

const CUTS = 100;

/** Cuts the way to one sink {@linkcode CUTS} times, both ways in turn; gives the packets sent. */
async function cutOften(
  rig: Rig,
  sink: SinkName,
  proxy: TcpProxy,
  mayReset: (direction: Direction) => boolean,
): Promise<number> {
  let packets = 0;
  for (let i = 0; i < CUTS; i++) {
    const direction = i % 2 === 0 ? "toServer" : "toClient";
    const reset = i % 4 < 2 && mayReset(direction);
    // Coprime steps: over the cuts every place of a frame, a header and a body is met.
    const bytes = direction === "toServer"
      ? 1 + (i * 61) % 3_000
      : 1 + (i * 7) % 350;
    let done = false;
    proxy.cutAfter(bytes, direction, { reset }).then(() => done = true);
    while (!done) {
      await rig.appendNumbered(20);
      packets += 20;
      await rig.until(() => done || rig.standing(sink).waiting === 0);
    }
  }
  return packets;
}

for (const sink of SINKS) {
  Deno.test({
    name:
      `The way to ${sink} is cut ${CUTS} times in the middle of a batch: nothing is missing`,
    ...NEEDED,
    fn: async (t) => {
      await using world = await makeWorld();
      const { rig, proxies } = world;
      const packets = await cutOften(
        rig,
        sink,
        proxies[sink],
        // VictoriaMetrics stores what a RST leaves of a line.
        (direction) => sink === "mqtt" || direction === "toClient",
      );
      const repeats = await allArrived(world, packets);
      await t.step(`${repeats} of ${packets} messages came again`, () => {
        if (sink === "influxdb") assert.equal(repeats, 0);
        else assert.ok(repeats < CUTS * 200);
      });
    },
  });
}

Deno.test(`The way to an InfluxDB is reset ${CUTS} times: each point is there once`, async () => {
  await using server = startScriptedInfluxdb();
  await using proxy = await startTcpProxy(Number(new URL(server.url).port));
  await using rig = await startRig({
    influxdb: { url: `http://127.0.0.1:${proxy.port}`, max_lines: 900 },
  });
  const packets = await cutOften(rig, "influxdb", proxy, () => true);
  await rig.delivered();
  assert.equal(rig.standing("influxdb").ledger.delivered, 9 * packets);
  assert.deepEqual(rig.standing("influxdb").ledger.dropped, {});
  // A line names its series, its value and its time: one that was sent again is the same.
  assert.equal(server.stored.size, 9 * packets);
});

Deno.test({
  name:
    "Servers that are ended with SIGTERM in the middle of a batch miss nothing afterwards",
  ...NEEDED,
  fn: async () => {
    await using world = await makeWorld();
    const { rig, broker, database, heard } = world;
    let packets = 0;
    for (let round = 0; round < 2; round++) {
      for (const server of [broker, database]) {
        await rig.appendNumbered(1_500);
        packets += 1_500;
        const before = rig.standing("mqtt").waiting;
        await rig.until(() => rig.standing("mqtt").waiting < before);
        await server.stop();
        await server.start();
        await heard.waitFor(1);
      }
    }
    await allArrived(world, packets);
  },
});
