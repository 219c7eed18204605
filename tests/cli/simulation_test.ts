import assert from "node:assert/strict";
import { simulatedConfig } from "../../lib/cli/simulation.ts";
import { isLoopback } from "../../lib/config/url.ts";
import { loadConfigFile } from "../../lib/cli/config.ts";
import { PROJECT } from "./program.ts";

async function loaded(changes: { broker?: string; url?: string } = {}) {
  const config = await loadConfigFile(`${PROJECT}config.toml`);
  assert.ok(config.mqtt && config.influxdb);
  return {
    ...config,
    mqtt: { ...config.mqtt, broker_url: [changes.broker ?? "mqtt://[::1]:1"] },
    influxdb: {
      ...config.influxdb,
      url: changes.url ?? "http://localhost:8086",
    },
  };
}

Deno.test("Simulated values go into a journal of their own beside the configuration", async () => {
  const { config, leftOut } = simulatedConfig(
    await loaded(),
    "/etc/gateway/config.toml",
    { as: "simulated", force: false },
  );
  assert.equal(config.journal.folder, "/etc/gateway/.dev/journal");
  assert.equal(config.journal.reserve, false);
  assert.ok(config.mqtt && config.influxdb);
  assert.deepEqual(leftOut, []);
});

Deno.test("Simulated values wait for no clock", async () => {
  const { config } = simulatedConfig(await loaded(), "config.toml", {
    as: "simulated",
    force: false,
  });
  assert.equal(config.clock.trust, true);
});

Deno.test("Simulated values come from a client of their own and are tagged, under the real topics", async () => {
  const real = await loaded();
  const { mqtt, influxdb } = simulatedConfig(
    { ...real, influxdb: { ...real.influxdb, tags: { site: "hall" } } },
    "config.toml",
    { as: "simulated", force: false },
  ).config;
  assert.deepEqual(mqtt, {
    ...real.mqtt,
    client_id: `${real.mqtt.client_id}-simulated`,
  });
  assert.deepEqual(influxdb, {
    ...real.influxdb,
    tags: { site: "hall", simulated: "true" },
  });
});

Deno.test("Simulated values do not leave this machine, and it is said without a password", async () => {
  const { config, leftOut } = simulatedConfig(
    await loaded({
      broker: "mqtts://user:secret@broker.example:8883",
      url: "https://influx.example",
    }),
    "config.toml",
    { as: "simulated", force: false },
  );
  assert.equal(config.mqtt, undefined);
  assert.equal(config.influxdb, undefined);
  assert.deepEqual(leftOut, [
    "mqtt.broker_url is mqtts://broker.example:8883, not this machine: no simulated values go there; --force sends them",
    "influxdb.url is https://influx.example, not this machine: no simulated values go there; --force sends them",
  ]);
});

Deno.test("Simulated values leave this machine when that is forced", async () => {
  const { config, leftOut } = simulatedConfig(
    await loaded({ url: "https://influx.example" }),
    "config.toml",
    { as: "simulated", force: true },
  );
  assert.equal(config.influxdb?.url, "https://influx.example");
  assert.deepEqual(leftOut, []);
});

Deno.test("isLoopback knows this machine from others", () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"]) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ["127.0.0.1.example", "128.0.0.1", "localhost.example"]) {
    assert.equal(isLoopback(host), false, host);
  }
});
