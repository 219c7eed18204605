/**
 * What `check` says to somebody who has just written the address of a server and has one thing wrong: at
 * real servers, where they can do it.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { InfluxdbConfig, MqttConfig } from "../../lib/config/schema.ts";
import type { Finding } from "../../lib/model.ts";
import { makeCertificates } from "../certificates.ts";
import {
  DEAD_PORT,
  findProgram,
  freePort,
  requires,
  startMosquitto,
  startVictoriaMetrics,
} from "../servers.ts";
import { findings, influxdbSink, mqttSink } from "./given.ts";
import {
  errorAnswer,
  type InfluxdbScript,
  startScriptedInfluxdb,
} from "./scripted_influxdb.ts";

/** The last thing that the check of a broker says. */
async function lastOf(
  url: string,
  config: Partial<MqttConfig> = {},
): Promise<Finding> {
  const found = await findings(mqttSink(url, config));
  assert.ok(found.at(-1), "it says nothing");
  return found.at(-1)!;
}

/** The last thing that the check of a database says. */
async function lastOfInfluxdb(
  url: string,
  config: Partial<InfluxdbConfig> = {},
): Promise<Finding> {
  return (await findings(influxdbSink(url, config))).at(-1)!;
}

/** A folder with certificates, as long as `use` runs. */
async function withCertificates(
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await makeCertificates(folder);
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "A broker that wants a password is told from one that does not take it",
  ...requires("mosquitto", "mosquitto_passwd"),
  async fn() {
    const passwords = await Deno.makeTempFile();
    try {
      await new Deno.Command(findProgram("mosquitto_passwd"), {
        args: ["-b", passwords, "gateway", "right"],
      }).output();
      await using broker = await startMosquitto({
        conf: ["allow_anonymous false", `password_file ${passwords}`],
      });
      const { url, port } = broker;
      assert.deepEqual(await lastOf(url), {
        level: "failed",
        subject: "MQTT broker",
        detail:
          `The broker at 127.0.0.1:${port} wants a user name and a password ("Not authorized" (0x87))`,
        hint:
          'Set "mqtt.username" and "mqtt.password" to a user that the broker knows. The command gives the user a password where the broker is mosquitto, which reads it when it is started anew',
        fix: [
          'username = "gateway"',
          'password = "…"',
          "sudo mosquitto_passwd /etc/mosquitto/passwd gateway",
        ],
      });
      const wrong = await lastOf(url, { username: "gateway", password: "no" });
      assert.equal(
        wrong.detail,
        `The broker at 127.0.0.1:${port} refuses the user "gateway" or the password: "Not authorized" (0x87)`,
      );
      assert.match(
        wrong.hint ?? "",
        /^Correct "mqtt\.username" and "mqtt\.pas/,
      );
      assert.deepEqual(wrong.fix, [
        "sudo mosquitto_passwd /etc/mosquitto/passwd gateway",
      ]);
      const without = await lastOf(url, { username: "gateway" });
      assert.match(without.detail, /for whom there is no password$/);
      const right = await lastOf(url, {
        username: "gateway",
        password: "right",
      });
      assert.equal(right.level, "ok", right.detail);
    } finally {
      await Deno.remove(passwords);
    }
  },
});

Deno.test({
  name:
    "mqtt:// where the broker speaks TLS, and the reverse, is told with the right line",
  ...requires("mosquitto", "openssl"),
  async fn() {
    await withCertificates(async (folder) => {
      const secure = freePort();
      await using broker = await startMosquitto({
        conf: [
          `listener ${secure} 127.0.0.1`,
          `certfile ${folder}/server.crt`,
          `keyfile ${folder}/server.key`,
        ],
      });
      assert.deepEqual(await lastOf(`mqtt://127.0.0.1:${secure}`), {
        level: "failed",
        subject: "MQTT broker",
        detail:
          `What answers at 127.0.0.1:${secure} speaks TLS, and "mqtt.broker_url" does not`,
        hint:
          'Begin the URL with mqtts://; "ca_file" is for a broker whose authority is your own',
        fix: [
          `broker_url = "mqtts://127.0.0.1:${secure}"`,
          'ca_file = "/etc/iiot-gateway/ca.pem"',
        ],
      });
      assert.deepEqual(await lastOf(`mqtts://127.0.0.1:${broker.port}`), {
        level: "failed",
        subject: "MQTT broker",
        detail:
          `What answers at 127.0.0.1:${broker.port} is an MQTT broker without TLS`,
        hint:
          "Begin the URL with mqtt://, or name the port where the broker speaks TLS, mostly 8883",
        fix: [`broker_url = "mqtt://127.0.0.1:${broker.port}"`],
      });
      const unknown = await lastOf(`mqtts://localhost:${secure}`);
      assert.equal(unknown.level, "failed");
      assert.match(unknown.hint ?? "", /authority of your own/);
      assert.deepEqual(unknown.fix, ['ca_file = "/etc/iiot-gateway/ca.pem"']);
      const ca_file = `${folder}/ca.crt`;
      const byAddress = await lastOf(`mqtts://127.0.0.1:${secure}`, {
        ca_file,
      });
      assert.match(
        byAddress.hint ?? "",
        /^Write the host name into "mqtt\.bro/,
      );
      const right = await lastOf(`mqtts://localhost:${secure}`, { ca_file });
      assert.equal(right.level, "ok", right.detail);
    });
  },
});

Deno.test("A web server in the place of a broker is told from one that is not there", async () => {
  const web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("hello"),
  );
  const { port } = web.addr;
  try {
    const finding = await lastOf(`mqtt://127.0.0.1:${port}`);
    assert.equal(
      finding.detail,
      `What answers at 127.0.0.1:${port} is a web server, not an MQTT broker`,
    );
    assert.match(finding.hint ?? "", /1883, with TLS 8883.*WebSockets/);
  } finally {
    await web.shutdown();
  }
  const dead = await lastOf(`mqtt://127.0.0.1:${DEAD_PORT}`);
  assert.match(dead.detail, /nothing listens there$/);
  assert.match(dead.fix?.[0] ?? "", /^sudo systemctl start mosquitto/);
});

Deno.test({
  name:
    "http:// where the database speaks TLS, and the reverse, is told with the right line",
  ...requires("victoria-metrics", "openssl"),
  async fn() {
    await withCertificates(async (folder) => {
      await using secure = await startVictoriaMetrics({
        flags: [
          "-tls",
          `-tlsCertFile=${folder}/server.crt`,
          `-tlsKeyFile=${folder}/server.key`,
        ],
      });
      const plain = await lastOfInfluxdb(`http://127.0.0.1:${secure.port}`);
      assert.equal(plain.level, "failed");
      assert.equal(plain.hint, 'Begin "influxdb.url" with https://');
      assert.deepEqual(plain.fix, [
        `url = "https://127.0.0.1:${secure.port}"`,
      ]);
      const unknown = await lastOfInfluxdb(
        `https://localhost:${secure.port}`,
      );
      assert.match(unknown.hint ?? "", /DENO_TLS_CA_STORE/);

      await using open = await startVictoriaMetrics();
      const encrypted = await lastOfInfluxdb(`https://127.0.0.1:${open.port}`);
      assert.match(encrypted.detail, /does not speak TLS$/);
      assert.deepEqual(encrypted.fix, [
        `url = "http://127.0.0.1:${open.port}"`,
      ]);
    });
  },
});

Deno.test({
  name: "A broker in the place of the database is told, with TLS or without",
  ...requires("mosquitto", "openssl"),
  async fn() {
    await withCertificates(async (folder) => {
      const secure = freePort();
      await using broker = await startMosquitto({
        conf: [
          `listener ${secure} 127.0.0.1`,
          `certfile ${folder}/server.crt`,
          `keyfile ${folder}/server.key`,
        ],
      });
      const plain = await lastOfInfluxdb(`http://127.0.0.1:${broker.port}`);
      assert.match(plain.detail, /is an MQTT broker, not InfluxDB$/);
      assert.match(plain.hint ?? "", /InfluxDB has 8086$/);
      const encrypted = await lastOfInfluxdb(`http://127.0.0.1:${secure}`);
      assert.match(
        encrypted.detail,
        /speaks TLS, and "influxdb\.url" does not/,
      );
    });
  },
});

/** What a real InfluxDB 2.8 says, with what the token may see there. */
function influxdb(
  status: 401 | 403 | 404,
  message: string,
  orgs: readonly string[],
  buckets: readonly string[],
): InfluxdbScript {
  const list = (names: readonly string[]) =>
    names.map((name, id) => ({ id: `${id}`, name }));
  const code = { 401: "unauthorized", 403: "forbidden", 404: "not found" };
  return {
    answer: () => errorAnswer(status, code[status], message),
    get: ({ pathname }) =>
      pathname === "/api/v2/orgs"
        ? Response.json({ orgs: list(orgs) })
        : pathname === "/api/v2/buckets"
        ? Response.json({ buckets: list(buckets) })
        : undefined,
  };
}

for (
  const { name, script, detail, hint, fix } of [
    {
      name: "a token of another organization",
      script: influxdb(403, "insufficient permissions for write", ["plant"], [
        "telemetry",
      ]),
      detail:
        /^The token belongs to the organization "plant", and "influxdb\.org" is "my-org": InfluxDB at .* answers 403, "insufficient/,
      hint: /own organization into config\.toml, or a token of "my-org"$/,
      fix: ['org = "plant"'],
    },
    {
      name: "an organization that is mistyped",
      script: influxdb(
        404,
        'organization name "my-org" not found',
        ["other", "my-orgs"],
        [],
      ),
      detail: /^The token belongs to the organizations "other", "my-orgs", and/,
      hint: /own organization/,
      fix: ['org = "my-orgs"', 'org = "other"'],
    },
    {
      name: "a bucket that is mistyped",
      script: influxdb(404, 'bucket "telemetry" not found', ["my-org"], [
        "_monitoring",
        "energy",
        "Telemetry",
      ]),
      detail:
        /^The organization "my-org" has no bucket "telemetry", but the buckets "energy", "Telemetry": /,
      hint: /^Make the bucket at the server/,
      fix: [
        "influx bucket create --org my-org --name telemetry",
        'bucket = "Telemetry"',
        'bucket = "energy"',
      ],
    },
    {
      name: "a bucket that is not there, by a token that sees none",
      script: influxdb(404, 'bucket "telemetry" not found', [], []),
      detail: /answers 404, "bucket "telemetry" not found"$/,
      hint: /^Make the bucket at the server/,
      fix: ["influx bucket create --org my-org --name telemetry"],
    },
    {
      name: "a token that may not write",
      script: influxdb(403, "insufficient permissions for write", ["my-org"], [
        "telemetry",
      ]),
      detail: /answers 403, "insufficient permissions for write"$/,
      hint: /the right to write to the bucket/,
      fix: ["influx auth create --org my-org --write-buckets", 'token = "…"'],
    },
    {
      name: "a token that is not known",
      script: influxdb(401, "unauthorized access", [], []),
      detail: /answers 401, "unauthorized access"$/,
      hint: /^Set "influxdb\.token" to a token that this server knows/,
      fix: ["influx auth create --all-access", 'token = "…"'],
    },
  ]
) {
  Deno.test(`InfluxDB's check tells ${name}, with the line for it`, async () => {
    await using server = startScriptedInfluxdb(script);
    const finding = await lastOfInfluxdb(server.url);
    assert.equal(finding.level, "failed");
    assert.match(finding.detail, detail);
    assert.match(finding.hint ?? "", hint);
    assert.deepEqual(finding.fix, fix);
    assert.doesNotMatch(JSON.stringify(finding), /secret-token/);
  });
}
