import assert from "node:assert/strict";
import mqtt from "mqtt";
import { requires, startMosquitto, subscribe } from "../servers.ts";

const CONF = await Deno.readTextFile(
  new URL("../../deploy/mosquitto.conf", import.meta.url),
);
const LINES = CONF.split("\n").filter((line) =>
  line !== "" && !line.startsWith("#")
);

Deno.test("deploy/mosquitto.conf listens in its container, answers at once and keeps its data", () => {
  for (
    const line of [
      "listener 1883",
      "set_tcp_nodelay true",
      "persistence true",
      "persistence_location /mosquitto/data/",
    ]
  ) {
    assert(LINES.includes(line), line);
  }
});

Deno.test({
  name:
    "mosquitto takes deploy/mosquitto.conf, and keeps retained values over a restart",
  ...requires("mosquitto"),
  fn: async () => {
    // The test's server has a port and a folder of its own.
    const conf = LINES.filter((line) =>
      !/^(listener|persistence_location) /.test(line)
    );
    await using broker = await startMosquitto({ conf });
    const client = await mqtt.connectAsync(broker.url, { reconnectPeriod: 0 });
    await client.publishAsync("iiot/node1/temperature", "27.6", {
      qos: 1,
      retain: true,
    });
    await client.endAsync();
    await broker.stop();
    await broker.start();
    await using heard = await subscribe(broker.url, "iiot/#");
    const [message] = await heard.waitFor(1);
    assert.equal(message?.payload, "27.6");
    assert.equal(message?.retain, true);
    assert.doesNotMatch(broker.log, /^\d+: Error/m);
  },
});
