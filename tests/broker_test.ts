import assert from "node:assert/strict";
import mqtt from "mqtt";
import { answersMqtt, startBroker } from "../lib/broker.ts";
import { DEAD_PORT, requires, startMosquitto, subscribe } from "./servers.ts";

const HOST = "127.0.0.1";

Deno.test("startBroker takes messages and gives retained values to later subscribers", async () => {
  await using broker = await startBroker({ host: HOST, port: 0 });
  const client = await mqtt.connectAsync(broker.url, {
    protocolVersion: 4,
    reconnectPeriod: 0,
  });
  await client.publishAsync("iiot/node1/temperature", "27.6", {
    qos: 1,
    retain: true,
  });
  await client.endAsync();
  await using heard = await subscribe(broker.url, "iiot/#", {
    protocolVersion: 4,
  });
  const [message] = await heard.waitFor(1);
  assert.equal(message?.payload, "27.6");
  assert.equal(message?.retain, true);
});

Deno.test("startBroker ends its connections when it is disposed of", async () => {
  const broker = await startBroker({ host: HOST, port: 0 });
  const client = await mqtt.connectAsync(broker.url, {
    protocolVersion: 4,
    reconnectPeriod: 0,
  });
  const closed = new Promise<void>((resolve) =>
    client.once("close", () => resolve())
  );
  await broker[Symbol.asyncDispose]();
  await closed;
  await client.endAsync(true);
  assert.equal(await answersMqtt(HOST, broker.port), "nothing");
});

Deno.test("startBroker names the key that moves it off a port that is taken", async () => {
  using other = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = other.addr;
  await assert.rejects(
    startBroker({ host: HOST, port }),
    new Error(
      `Cannot start the embedded MQTT broker on ${HOST}:${port}: another program uses this port: set "broker.port" to a free one`,
    ),
  );
});

Deno.test("startBroker names the keys when the address is not this computer's", async () => {
  await assert.rejects(
    startBroker({ host: "192.0.2.1", port: 0 }),
    /correct "broker\.host" or "broker\.port"$/,
  );
});

Deno.test("answersMqtt knows the embedded broker", async () => {
  await using broker = await startBroker({ host: HOST, port: 0 });
  assert.equal(await answersMqtt(HOST, broker.port), "mqtt");
});

Deno.test({
  name: "answersMqtt counts a broker that refuses strangers",
  ...requires("mosquitto"),
  async fn() {
    await using broker = await startMosquitto({
      conf: ["allow_anonymous false"],
    });
    assert.equal(await answersMqtt(HOST, broker.port), "mqtt");
  },
});

Deno.test("answersMqtt tells another server, a silent one and nothing apart", async () => {
  const web = Deno.serve(
    { hostname: HOST, port: 0, onListen() {} },
    () => new Response("hello"),
  );
  assert.equal(await answersMqtt(HOST, web.addr.port), "other");
  await web.shutdown();

  using silent = Deno.listen({ hostname: HOST, port: 0 });
  assert.equal(
    await answersMqtt(HOST, silent.addr.port, { timeoutMs: 50 }),
    "other",
  );

  assert.equal(await answersMqtt(HOST, DEAD_PORT), "nothing");
});
