import assert from "node:assert/strict";
import { KNOWN_KEYS } from "../../lib/config/schema.ts";
import {
  faultOfValue,
  fillTemplate,
  templateValue,
} from "../../lib/config/template.ts";
import { load } from "./load.ts";

const CONFIG_TOML = await Deno.readTextFile(
  new URL("../../config.toml", import.meta.url),
);
const WORLD = { env: () => undefined, hostname: () => "cabinet-7" };

Deno.test("fillTemplate changes nothing where nothing is told", () => {
  assert.equal(fillTemplate({ values: new Map() }), CONFIG_TOML);
});

Deno.test("fillTemplate puts a value into its key's line, and takes what stood behind the old one", async () => {
  const text = fillTemplate({
    values: new Map<string, string | string[]>([
      ["mqtt.username", "gw"],
      ["influxdb.token", 'a"quoted"\\token'],
      ["gateway.marker", "JSON\u202e\u00e9: "],
      ["gateway.command", ["sh", "-c", "cat \"a b\" | tee 'x y'"]],
    ]),
  });
  assert.doesNotMatch(text, /DEVELOPMENT VALUE|\u202e/);
  const { mqtt, influxdb, boards: [board] } = await load(text);
  assert.equal(mqtt?.username, "gw");
  assert.equal(influxdb?.token, 'a"quoted"\\token');
  assert.equal(board?.marker, "JSON\u202e\u00e9: ");
  assert.deepEqual(board?.command, ["sh", "-c", "cat \"a b\" | tee 'x y'"]);
});

Deno.test("fillTemplate leaves a key's words where its line becomes a comment", async () => {
  const text = fillTemplate({
    values: new Map([["gateway.probe_id", undefined]]),
  });
  assert.match(text, /^# The debug probe as `probe-rs list` shows it/m);
  assert.match(text, /^#probe_id = "0483/m);
  const { boards: [board] } = await load(text);
  assert.equal(board?.probe_id, undefined);
});

for (const table of ["mqtt", "influxdb"] as const) {
  Deno.test(`fillTemplate leaves out [${table}] and says how it comes back`, async () => {
    const text = fillTemplate({ values: new Map(), without: [table] });
    const config = await load(text);
    assert.equal(config[table], undefined);
    const back = text.split("\n").map((line) =>
      KNOWN_KEYS[table]!.some((key) => line.startsWith(`#${key} = `)) &&
          CONFIG_TOML.includes(`\n${line.slice(1)}\n`) ||
        line === `#[${table}]`
        ? line.slice(1)
        : line
    );
    assert.deepEqual(
      await load(back.join("\n")),
      await load(CONFIG_TOML),
    );
  });
}

Deno.test("fillTemplate adds what is told behind the end", async () => {
  const more = '[[metric]]\npath = "n9.t"\nnode = "node9"\nname = "t"\n';
  const { metrics } = await load(fillTemplate({ values: new Map(), more }));
  assert.deepEqual(metrics.map(({ path }) => path), ["n9.t"]);
});

Deno.test("fillTemplate refuses a key that config.toml does not have", () => {
  assert.throws(
    () => fillTemplate({ values: new Map([["mqtt.brokr", "x"]]) }),
    /config\.toml has no mqtt\.brokr/,
  );
});

Deno.test("templateValue gives what config.toml shows, be it a comment or not", () => {
  assert.equal(templateValue("mqtt.topic_prefix"), "iiot");
  assert.equal(templateValue("gateway.marker"), "JSON sent via VCP: ");
  assert.throws(() => templateValue("mqtt.brokr"), /has no mqtt\.brokr/);
});

Deno.test("faultOfValue says what is wrong with one value, whatever else is", async () => {
  const fault = (name: string, value: string) =>
    faultOfValue(name, value, "/etc/gateway/config.toml", WORLD);
  assert.equal(await fault("mqtt.broker_url", "mqtt://broker"), undefined);
  assert.equal(
    await fault("mqtt.broker_url", "9"),
    'must be mqtt://HOST:PORT or mqtts://HOST:PORT: it is "9"',
  );
  assert.equal(
    await fault("mqtt.client_id", "${NOT_SET}"),
    'needs the environment variable "NOT_SET": it is not set',
  );
  assert.equal(await fault("mqtt.client_id", "gw-${HOSTNAME}"), undefined);
  assert.equal(
    await fault("influxdb.token", "a b\u00e9"),
    "must be visible ASCII characters",
  );
});
