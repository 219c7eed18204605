import assert from "node:assert/strict";
import {
  rereadSecret,
  secretsOf,
  TOKEN_CHARACTERS,
} from "../../lib/config/config.ts";
import {
  faultsOf,
  load,
  type LoadOptions,
  MINIMAL,
  WITH_MQTT,
} from "./load.ts";

const FOLDER = "/run/credentials/gateway";
const TOKEN_FILE = MINIMAL.replace(
  'token = "file-token"',
  'token_file = "secret"',
);

interface Case extends LoadOptions {
  readonly from: string;
  readonly text: string;
  readonly token: string;
}

const CASES: readonly Case[] = [
  { from: "the key", text: MINIMAL, token: "file-token" },
  {
    from: "its file, without line ends",
    text: TOKEN_FILE,
    files: { "/etc/gateway/secret": "\uFEFFone-token\r\n\n" },
    token: "one-token",
  },
  {
    from: "the systemd credential before key and file",
    text: TOKEN_FILE,
    env: { CREDENTIALS_DIRECTORY: FOLDER },
    files: {
      "/etc/gateway/secret": "one-token",
      [`${FOLDER}/influxdb_token`]: "credential-token\n",
    },
    token: "credential-token",
  },
  {
    from: "the environment before everything",
    text: TOKEN_FILE,
    env: { CREDENTIALS_DIRECTORY: FOLDER, INFLUXDB_TOKEN: "env-token" },
    files: { [`${FOLDER}/influxdb_token`]: "credential-token" },
    token: "env-token",
  },
  {
    from: "the key where the variable is empty and the credential is not there",
    text: MINIMAL,
    env: { CREDENTIALS_DIRECTORY: FOLDER, INFLUXDB_TOKEN: "" },
    token: "file-token",
  },
];

for (const { from, text, token, ...options } of CASES) {
  Deno.test(`The token comes from ${from}`, async () => {
    assert.equal((await load(text, options)).influxdb?.token, token);
  });
}

Deno.test("The password has the same sources as the token", async () => {
  const credentials = { CREDENTIALS_DIRECTORY: FOLDER };
  const files = { [`${FOLDER}/mqtt_password`]: "c", "/etc/gateway/p": "f" };
  const passwordOf = async (text: string, env = {}) =>
    (await load(text, { files, env })).mqtt?.password;
  assert.equal(await passwordOf(WITH_MQTT), undefined);
  assert.equal(await passwordOf(WITH_MQTT + 'password = "k"'), "k");
  assert.equal(await passwordOf(WITH_MQTT + 'password_file = "p"'), "f");
  assert.equal(
    await passwordOf(WITH_MQTT + 'password_file = "p"', credentials),
    "c",
  );
  assert.equal(
    await passwordOf(WITH_MQTT + 'password = "k"', {
      ...credentials,
      MQTT_PASSWORD: "e",
    }),
    "e",
  );
});

Deno.test("The configuration names the file that a secret was read from, and no other", async () => {
  const fileOf = async (text: string, env: Record<string, string> = {}) => {
    const files = {
      "/etc/gateway/secret": "t",
      [`${FOLDER}/influxdb_token`]: "c",
    };
    return (await load(text, { files, env })).influxdb?.token_file;
  };
  const credentials = { CREDENTIALS_DIRECTORY: FOLDER };
  assert.equal(await fileOf(MINIMAL), undefined);
  assert.equal(await fileOf(TOKEN_FILE), "/etc/gateway/secret");
  for (const text of [MINIMAL, TOKEN_FILE]) {
    assert.equal(await fileOf(text, credentials), `${FOLDER}/influxdb_token`);
    const env = { ...credentials, INFLUXDB_TOKEN: "e" };
    assert.equal(await fileOf(text, env), undefined);
  }
});

Deno.test("A secret's file is read again as at the start, and says what is wrong with it", async () => {
  const file = await Deno.makeTempFile();
  const holding = async (text: string) => {
    await Deno.writeTextFile(file, text);
    return await rereadSecret(file, TOKEN_CHARACTERS);
  };
  assert.equal(await holding("\uFEFFnew-token\r\n"), "new-token");
  await assert.rejects(holding("\n"), { message: "is empty" });
  await assert.rejects(holding("two words"), {
    message: "has other than visible ASCII characters in it",
  });
  assert.equal(await rereadSecret(file), "two words");
  await Deno.remove(file);
  await assert.rejects(rereadSecret(file), { message: "does not exist" });
});

Deno.test("Secrets from outside do not bring a sink into being", async () => {
  const config = await load(MINIMAL, { env: { MQTT_PASSWORD: "e" } });
  assert.equal(config.mqtt, undefined);
});

Deno.test("A secret's file that cannot be used is one fault with its reason", async () => {
  const faultWith = (found: string | Error) =>
    faultsOf(TOKEN_FILE, { files: { "/etc/gateway/secret": found } });
  const wanted =
    'config.toml:7:14: "influxdb.token_file" must be a file with the secret in it: "/etc/gateway/secret"';
  assert.deepEqual(await faultsOf(TOKEN_FILE), [`${wanted} does not exist`]);
  assert.deepEqual(await faultWith("\n"), [`${wanted} is empty`]);
  assert.deepEqual(await faultWith(new Deno.errors.PermissionDenied()), [
    `${wanted} may not be read by this user`,
  ]);
  assert.deepEqual(await faultWith(new Deno.errors.IsADirectory()), [
    `${wanted} is a folder`,
  ]);
  assert.deepEqual(
    await faultsOf(MINIMAL, {
      env: { CREDENTIALS_DIRECTORY: FOLDER },
      files: { [`${FOLDER}/influxdb_token`]: "" },
    }),
    [`config.toml:7:9: "influxdb.token" must be in its systemd credential: "${FOLDER}/influxdb_token" is empty`],
  );
});

Deno.test("A key and its file together are a fault, whatever the environment says", async () => {
  const text = MINIMAL + 'token_file = "secret"\n';
  const expected = [
    'config.toml:7:9: "influxdb.token" must not stand beside "influxdb.token_file"',
  ];
  const files = { "/etc/gateway/secret": "t" };
  assert.deepEqual(await faultsOf(text, { files }), expected);
  assert.deepEqual(
    await faultsOf(text, { env: { INFLUXDB_TOKEN: "e" } }),
    expected,
  );
});

Deno.test("A faulty secret from outside is named by its source, and not shown", async () => {
  assert.deepEqual(
    await faultsOf(MINIMAL, { env: { INFLUXDB_TOKEN: "zwei worte" } }),
    [
      'config.toml:7:9: "influxdb.token" (from the environment variable INFLUXDB_TOKEN) must be visible ASCII characters',
    ],
  );
});

Deno.test("secretsOf lists token, password and the passwords in URLs, as written and decoded", async () => {
  const text = WITH_MQTT.replace(
    '"mqtt://localhost:1883"',
    '["mqtt://me:one%40two@a", "mqtt://me@b", "mqtt://c", "mqtts://me:plain@d"]',
  ) + 'username = "me"\npassword = "pass"\n';
  assert.deepEqual(secretsOf(await load(text)).toSorted(), [
    "file-token",
    "one%40two",
    "one@two",
    "pass",
    "plain",
  ]);
  assert.deepEqual(secretsOf(await load(MINIMAL)), ["file-token"]);
});

Deno.test("A fault does not show the query of a URL", async () => {
  const url = "http://localhost:8086";
  const [fault, ...more] = await faultsOf(
    MINIMAL.replace(url, `${url}?token=hunter2`),
  );
  assert.deepEqual(more, []);
  assert.match(
    fault!,
    /must not contain "\?" or "#": it is "http:.*8086\?\*{3}"$/,
  );
});

Deno.test("A server that is not connected to needs no secret and no variable, and its files are not read", async () => {
  const text = `
[mqtt]
broker_url = ["mqtts://\${BROKER}:8883", "mqtt://u:\${PASSWORD}@second"]
client_id = "gw-\${ID}"
topic_prefix = "\${SITE}/x"
password_file = "password"
[influxdb]
url = "https://\${DATABASE}"
org = "\${ORG}"
bucket = "b"
tags = { site = "\${SITE}" }
`;
  const files = {
    "/etc/gateway/password": new Error("It was read"),
    "/run/credentials/influxdb_token": new Error("It was read"),
  };
  const { mqtt, influxdb } = await load(text, {
    simulate: true,
    files,
    env: { CREDENTIALS_DIRECTORY: "/run/credentials", ID: "7" },
    unused: ["mqtt", "influxdb"],
  });
  assert.deepEqual(mqtt?.broker_url, [
    "mqtt://127.0.0.1:1883",
    "mqtt://127.0.0.1:1883",
  ]);
  assert.equal(mqtt?.client_id, "gw-7");
  assert.equal(mqtt?.topic_prefix, "<SITE>/x");
  assert.equal(mqtt?.password, undefined);
  assert.equal(influxdb?.org, "<ORG>");
  assert.deepEqual(influxdb?.tags, { site: "<SITE>" });

  const faults = await faultsOf(text, { simulate: true, unused: ["influxdb"] });
  assert.deepEqual(
    faults.filter((one) => /influxdb|ORG|DATABASE/.test(one)),
    [],
  );
  assert.ok(
    faults.some((one) => /"mqtt\.client_id" needs/.test(one)),
    `${faults}`,
  );
});

Deno.test("A server that is not connected to may have no other faults than that", async () => {
  const faults = await faultsOf(
    `
[influxdb]
url = "ftp://h"
org = "\${0RG}"
bucket = "b"
token = "a"
token_file = "b"
[gateway]
marker = "\${MARKER}"
`,
    { simulate: true, unused: ["mqtt", "influxdb"] },
  );
  assert.deepEqual(
    faults.map((one) => /"([a-z_.]+)"/.exec(one)?.[1]),
    ["influxdb.url", "influxdb.org", "influxdb.token", "gateway.marker"],
  );
});

Deno.test("Where nobody logs in, a secret that cannot be had is no fault, one that is there is read, and the rest is looked at", async () => {
  const text = `
gateway.command = ["true"]
[mqtt]
broker_url = "mqtt://broker"
client_id = "gw"
topic_prefix = "x"
password_file = "password"
[influxdb]
url = "https://database"
org = "o"
bucket = "b"
`;
  const files = { "/etc/gateway/password": new Deno.errors.PermissionDenied() };
  assert.equal((await faultsOf(text, { files })).length, 2);
  const { mqtt, influxdb } = await load(text, { files, withoutLogin: true });
  assert.deepEqual(mqtt?.broker_url, ["mqtt://broker:1883"]);
  assert.equal(mqtt?.password, undefined);
  assert.equal(influxdb?.url, "https://database");
  // What stands for the token is a word in no text.
  assert.ok(influxdb!.token.length < 4);

  const known = await load(text, {
    files: { "/etc/gateway/password": "from the file\n" },
    env: { INFLUXDB_TOKEN: "from-the-environment" },
    withoutLogin: true,
  });
  assert.equal(known.mqtt?.password, "from the file");
  assert.equal(known.influxdb?.token, "from-the-environment");

  const wrong = text.replace("https://database", "ftp://database");
  const faults = await faultsOf(wrong, { files, withoutLogin: true });
  assert.equal(faults.length, 1);
  assert.match(faults[0]!, /influxdb\.url/);
});
