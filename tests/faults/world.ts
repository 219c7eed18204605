/**
 * Both sinks, and the real servers they are for, each behind a proxy that can fail.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type Mosquitto,
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
  type Subscription,
  type VictoriaMetrics,
} from "../servers.ts";
import { startTcpProxy, type TcpProxy } from "../tcp_proxy.ts";
import { type Rig, type RigOptions, startRig } from "./rig.ts";

/** What a test with {@linkcode makeWorld} needs. */
export const NEEDED = requires("mosquitto", "victoria-metrics");
/** The names of the sinks. */
export const SINKS = ["mqtt", "influxdb"] as const;
/** The name of a sink. */
export type SinkName = typeof SINKS[number];

/** A gateway without a board, and real servers behind proxies. */
export interface World extends AsyncDisposable {
  readonly rig: Rig;
  readonly proxies: Readonly<Record<SinkName, TcpProxy>>;
  readonly broker: Mosquitto;
  readonly database: VictoriaMetrics;
  /** Hears `sts.rx`, which counts the packets, also what came while it was away. */
  readonly heard: Subscription;
}

/** Options for {@linkcode makeWorld}. */
export interface WorldOptions extends Omit<RigOptions, "mqtt" | "influxdb"> {
  /** The ways to the servers are cut before the gateway starts. @default {false} */
  readonly down?: boolean;
  /** The deadlines of the sinks, in seconds. @default {1} */
  readonly timeoutS?: number;
}

/** Starts everything. */
export async function makeWorld(
  { down = false, timeoutS = 1, ...rest }: WorldOptions = {},
): Promise<World> {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(await startMosquitto());
  const database = stack.use(await startVictoriaMetrics());
  const proxies = {
    mqtt: stack.use(await startTcpProxy(broker.port)),
    influxdb: stack.use(await startTcpProxy(database.port)),
  };
  if (down) { for (const proxy of Object.values(proxies)) await proxy.cut(); }
  const heard = stack.use(
    await subscribe(broker.url, "iiot/stats/packets_received", {
      clientId: "reader",
    }),
  );
  const rig = stack.use(
    await startRig({
      mqtt: {
        url: `mqtt://127.0.0.1:${proxies.mqtt.port}`,
        ack_timeout_s: timeoutS,
        connect_timeout_s: timeoutS,
        max_inflight: 200,
      },
      influxdb: {
        url: `http://127.0.0.1:${proxies.influxdb.port}`,
        timeout_s: timeoutS,
        max_lines: 900,
      },
      worker: true,
      ...rest,
    }),
  );
  return {
    rig,
    proxies,
    broker,
    database,
    heard,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** All packets from 1 to `count` arrived at both; gives how many messages came more than once. */
export async function allArrived(
  { rig, heard, database }: World,
  count: number,
): Promise<number> {
  await rig.delivered();
  for (const sink of SINKS) {
    const { ledger } = rig.standing(sink);
    assert.deepEqual([ledger.received, ledger.delivered, ledger.dropped], [
      9 * count,
      9 * count,
      {},
    ]);
  }
  const seen = () => heard.messages.map(({ payload }) => Number(payload));
  await rig.until(() => new Set(seen()).size >= count);
  const inOrder = [...new Set(seen())];
  assert.deepEqual(inOrder, Array.from({ length: count }, (_, i) => i + 1));

  const points = await database.export();
  const values = new Map<string, number>();
  for (const { name, tags, timeMs, value } of points) {
    const key = JSON.stringify([name, tags, timeMs]);
    // A point that was written twice has the time it was given once: InfluxDB keeps one of them.
    assert.equal(values.get(key) ?? value, value, key);
    values.set(key, value);
  }
  assert.equal(values.size, 9 * count);
  const counted = [...values]
    .filter(([key]) => key.startsWith('["packets_received_value"'))
    .map(([, value]) => value).sort((a, b) => a - b);
  assert.deepEqual(counted, Array.from({ length: count }, (_, i) => i + 1));
  return seen().length - count;
}
