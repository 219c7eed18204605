import assert from "node:assert/strict";
import mqtt from "mqtt";
import { startBroker } from "../../lib/broker.ts";
import type { MqttConfig } from "../../lib/config/schema.ts";
import { MqttDialer } from "../../lib/sink/mqtt_dialer.ts";
import type { SeenMessage } from "../../lib/sink/mqtt_subscription.ts";
import {
  MqttWatcher,
  RivalError,
  type WatchState,
} from "../../lib/sink/mqtt_watcher.ts";
import { SinkError } from "../../lib/sink/sink.ts";
import { freePort, requires, startMosquitto } from "../servers.ts";
import { mqttConfig } from "./given.ts";
import { startScriptedBroker } from "./scripted_broker.ts";

/** Watches, and keeps what was seen and told. */
class Watch implements AsyncDisposable {
  readonly messages: SeenMessage[] = [];
  readonly states: WatchState[] = [];
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();
  #look = () => {};

  constructor(
    url: string,
    { filters = ["iiot/#"], ...config }: Partial<MqttConfig> & {
      readonly filters?: readonly string[];
    } = {},
  ) {
    const full = mqttConfig(url, config);
    const watcher = new MqttWatcher({
      config: full,
      dialer: new MqttDialer(full),
      filters,
      onMessage: (message) => {
        this.messages.push(message);
        this.#look();
      },
      onState: (state) => {
        this.states.push(state);
        this.#look();
      },
      // No pause is longer than a millisecond.
      random: () => 0,
    });
    this.ended = watcher.run(this.#stop.signal);
    this.ended.catch(() => {});
  }

  /** Comes when `is` holds, or the watch has ended with an error. */
  async until(is: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#look = () => is() && resolve();
    this.#look();
    await Promise.race([promise, this.ended]);
  }

  async connected(times = 1): Promise<void> {
    await this.until(() => this.count("connected") >= times);
  }

  count(kind: WatchState["kind"]): number {
    return this.states.filter((state) => state.kind === kind).length;
  }

  /** What came, as `TOPIC VALUE FLAGS`. */
  get seen(): string[] {
    return this.messages.map(({ topic, payload, isRetained, isStored }) =>
      [
        topic,
        new TextDecoder().decode(payload),
        isRetained && "retained",
        isStored && "stored",
      ].filter((part) => part !== false).join(" ")
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.ended.catch(() => {});
  }
}

async function publisher(url: string, protocolVersion: 4 | 5 = 5) {
  const client = await mqtt.connectAsync(url, {
    protocolVersion,
    reconnectPeriod: 0,
  });
  return {
    publish: (topic: string, text: string, retain = false) =>
      client.publishAsync(topic, text, { qos: 1, retain }),
    marked: (topic: string, text: string) =>
      client.publishAsync(topic, text, {
        qos: 1,
        properties: { userProperties: { historical: "true" } },
      }),
    [Symbol.asyncDispose]: () => client.endAsync(),
  };
}

Deno.test({
  name:
    "MqttWatcher tells what the broker has kept from what is new, and what it will keep",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using others = await publisher(broker.url);
    await others.publish("iiot/a", "1", true);
    await others.publish("other/a", "1", true);
    await using watch = new Watch(broker.url);
    await watch.until(() => watch.messages.length === 1);
    await others.publish("iiot/a", "2", true);
    await others.publish("iiot/b", "3");
    await others.marked("iiot/b", "4");
    await watch.until(() => watch.messages.length === 4);
    assert.deepEqual(watch.seen, [
      "iiot/a 1 retained stored",
      "iiot/a 2 retained",
      "iiot/b 3",
      "iiot/b 4",
    ]);
    assert.deepEqual(watch.messages.at(-1)?.marks, { historical: "true" });
    const connected = watch.states.find((state) => state.kind === "connected");
    assert.equal(connected?.description, `127.0.0.1:${broker.port}, MQTT 5`);
  },
});

Deno.test("MqttWatcher reads from the embedded broker, which speaks MQTT 3.1.1", async () => {
  const port = freePort();
  const url = `mqtt://127.0.0.1:${port}`;
  await using _broker = await startBroker({ host: "127.0.0.1", port });
  await using others = await publisher(url, 4);
  await others.publish("iiot/a", "1", true);
  await using watch = new Watch(url, { filters: ["iiot/a", "iiot/c/+"] });
  await watch.until(() => watch.messages.length === 1);
  await others.publish("iiot/b", "2");
  await others.publish("iiot/c/d", "3", true);
  await watch.until(() => watch.messages.length === 2);
  assert.deepEqual(watch.seen, ["iiot/a 1 retained stored", "iiot/c/d 3"]);
  const connected = watch.states.find((state) => state.kind === "connected");
  assert.match(connected?.description ?? "", /, MQTT 3\.1\.1$/);
});

Deno.test({
  name: "MqttWatcher connects anew when the broker comes back",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using watch = new Watch(broker.url);
    await watch.connected();
    await broker.stop();
    await watch.until(() => watch.count("waiting") >= 3);
    const [lost, refused] = watch.states.filter((state) =>
      state.kind === "waiting"
    );
    assert.equal(lost?.isLost, true);
    assert.match(lost?.failure.message ?? "", /is lost/);
    assert.equal(refused?.isLost, false);
    assert.match(refused?.failure.message ?? "", /nothing listens there/);
    await broker.start();
    await watch.connected(2);
    await using others = await publisher(broker.url);
    await others.publish("iiot/a", "1");
    await watch.until(() => watch.messages.length === 1);
  },
});

Deno.test({
  name: "MqttWatcher ends where it may not log in",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto({
      conf: ["allow_anonymous false"],
    });
    const watch = new Watch(broker.url, { username: "u", password: "wrong" });
    await assert.rejects(
      watch.ended,
      (error) =>
        error instanceof SinkError && error.failure.kind === "blocked" &&
        /"mqtt\.password"/.test(error.failure.hint),
    );
    assert.equal(watch.count("waiting"), 0);
  },
});

Deno.test({
  name: "MqttWatcher ends when another one takes its client id again and again",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using one = new Watch(broker.url);
    await using other = new Watch(broker.url);
    const first = await Promise.race([
      one.ended.catch((error) => error),
      other.ended.catch((error) => error),
    ]);
    assert.ok(first instanceof RivalError, String(first));
    assert.match(first.message, /-watch"\. To do: end the other one/);
  },
});

Deno.test({
  name: "MqttWatcher ends at once while it connects, waits or watches",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    {
      await using _ = new Watch(broker.url);
    }
    {
      await using watch = new Watch("mqtt://127.0.0.1:4");
      await watch.until(() => watch.count("waiting") > 0);
    }
    await using watch = new Watch(broker.url);
    await watch.connected();
  },
});

Deno.test("MqttWatcher ends where it may not subscribe, and says to what", async () => {
  for (const [connack5, code] of [[0, 0x87], [0x84, 0x80]] as const) {
    await using broker = startScriptedBroker({ connack5, suback: code });
    const watch = new Watch(broker.url);
    await assert.rejects(
      watch.ended,
      (error) =>
        error instanceof SinkError && error.failure.kind === "blocked" &&
        /refuses the subscription to "iiot\/#": .*\(0x8[07]\)/
          .test(error.message) &&
        error.failure.hint ===
          'Allow this user to read "iiot/#" at the broker',
    );
  }
});

Deno.test("MqttWatcher gives a broker that does not confirm a second, and tries again", async () => {
  await using broker = startScriptedBroker({ suback: "silence" });
  await using watch = new Watch(broker.url);
  await watch.until(() => watch.count("waiting") > 0);
  const waiting = watch.states.find((state) => state.kind === "waiting");
  assert.match(
    waiting?.failure.message ?? "",
    /does not confirm the subscription: no answer within 1 s/,
  );
  assert.equal(watch.count("connected"), 0);
});
