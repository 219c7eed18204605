import assert from "node:assert/strict";
import { expandVariables } from "../../lib/config/variables.ts";
import { faultsOf, load, MINIMAL, WITH_MQTT } from "./load.ts";

const env: Record<string, string> = {
  SITE: "hall-3",
  EMPTY: "",
  NESTED: "${SITE} $$",
};
const environment = {
  env: (name: string) => env[name],
  hostname: () => "cabinet-7",
};

const CASES: readonly [text: string, expanded: string][] = [
  ["", ""],
  ["${SITE}", "hall-3"],
  ["a-${SITE}-${SITE}", "a-hall-3-hall-3"],
  ["$$", "$"],
  ["$${SITE}", "${SITE}"],
  ["$$${SITE}", "$hall-3"],
  ["$", "$"],
  ["$SITE", "$SITE"],
  ["costs 5 $", "costs 5 $"],
  ["${NESTED}", "${SITE} $$"],
  ["gw-${HOSTNAME}", "gw-cabinet-7"],
];

for (const [text, expanded] of CASES) {
  Deno.test(`expandVariables makes "${expanded}" of "${text}"`, () => {
    assert.equal(expandVariables(text, environment), expanded);
  });
}

Deno.test("expandVariables prefers an exported HOSTNAME to the machine's name", () => {
  const exported = { ...environment, env: () => "exported" };
  assert.equal(expandVariables("${HOSTNAME}", exported), "exported");
});

Deno.test("expandVariables names every variable that is not set, and refuses what is no name", () => {
  assert.throws(() => expandVariables("${A}${EMPTY}${A}", environment), {
    name: "RangeError",
    message:
      'needs the environment variables "A" and "EMPTY": they are not set',
  });
  for (const text of ["${", "${}", "${a-b}", "${1a}", "${A", "x${ A }"]) {
    assert.throws(
      () => expandVariables(text, environment),
      /must name a variable/,
    );
  }
});

Deno.test("Variables work in every string, in lists and inline tables too", async () => {
  const config = await load(
    WITH_MQTT.replace('["true"]', '["cat", "${SITE}.log"]')
      .replace('"gateway"', '"gw-${HOSTNAME}"')
      .replace("[mqtt]", 'tags = { site = "${SITE}" }\n[mqtt]'),
    { env },
  );
  assert.deepEqual(config.boards[0]?.command, ["cat", "hall-3.log"]);
  assert.equal(config.mqtt?.client_id, "gw-cabinet-7");
  assert.deepEqual(config.influxdb?.tags, { site: "hall-3" });
});

Deno.test("Variables are expanded before the value is checked", async () => {
  await assert.rejects(
    load(MINIMAL.replace("telemetry", "${BUCKET}"), {
      env: { BUCKET: "a\tb" },
    }),
    /:6:10: "influxdb.bucket" must not contain control characters: it is "a\\tb"$/,
  );
});

Deno.test("A variable that is not set is the only fault of its value, and does not hide an unknown key", async () => {
  const text = WITH_MQTT +
    'password_file = "${P}"\nqoss = "${Q}"\nqos = "${Q}"\n';
  assert.deepEqual(await faultsOf(text), [
    'config.toml:13:17: "mqtt.password_file" needs the environment variable "P": it is not set',
    'config.toml:14:1: "mqtt.qoss" is not known: did you mean "qos"?',
    'config.toml:14:8: "mqtt.qoss" needs the environment variable "Q": it is not set',
    'config.toml:15:7: "mqtt.qos" needs the environment variable "Q": it is not set',
  ]);
});
