/**
 * `iiot-gateway check` as a beginner sees it: a first config.toml with as many wrong turns as fit into one.
 *
 * @module
 */

import assert from "node:assert/strict";
import { checkSecrets, formatFinding } from "../../lib/cli/check.ts";
import { makeFirmware } from "../elf.ts";
import { DEAD_PORT, requires, startMosquitto } from "../servers.ts";
import { load, WITH_MQTT } from "../config/load.ts";
import { BenchFolder } from "../simulator/probe_rs/bench_folder.ts";
import { PROGRAMS, runToEnd } from "./program.ts";

Deno.test("formatFinding puts what to do below what is so, and each line to paste by itself", () => {
  const finding = {
    level: "failed",
    subject: "chip",
    detail: "it is wrong",
    hint: "take one",
  } as const;
  assert.equal(
    formatFinding({ ...finding, fix: ['chip = "a"', 'chip = "b"'] }, false),
    `failed   chip           it is wrong
         To do: take one:
             chip = "a"
             chip = "b"`,
  );
  assert.equal(
    formatFinding(finding, true),
    `\x1b[31mfailed \x1b[0m  chip           it is wrong
         To do: take one`,
  );
  assert.equal(
    formatFinding({ level: "ok", subject: "chip", detail: "it is" }, false),
    "ok       chip           it is",
  );
});

Deno.test("check says of each secret that is too short to be hidden which one it is, and not what", async () => {
  const config = (token: string, password: string) =>
    load(
      `${WITH_MQTT.replace("file-token", token)}
username = "u"
password = "${password}"
[gateway]
env = { API_KEY = "${password}", PORT = "1" }`.replace(
        'gateway.command = ["true"]',
        "",
      ).replace("[gateway]", '[gateway]\ncommand = ["true"]'),
    );
  assert.deepEqual(checkSecrets(await config("long-token", "four")), []);
  const findings = checkSecrets(await config("x", "Qq"));
  assert.deepEqual(
    findings.map(({ level, detail }) =>
      `${level} ${detail.slice(0, detail.indexOf(","))}`
    ),
    [
      "warning mqtt.password has 2 characters",
      "warning influxdb.token has 1 character",
      "warning The variable API_KEY in env has 2 characters",
    ],
  );
  assert.match(findings[1]?.hint ?? "", /VictoriaMetrics.* "none"$/);
  assert.doesNotMatch(JSON.stringify(findings), /Qq/);
});

for (const { form, command } of PROGRAMS) {
  Deno.test({
    name:
      `check tells a beginner all that is wrong at once, with lines to paste (${form})`,
    ...requires("mosquitto"),
    async fn() {
      await using broker = await startMosquitto({
        conf: ["allow_anonymous false"],
      });
      await using bench = await BenchFolder.create(`
version = "0.29.1"
[[probe]]
id = "0483:374b:066DFF01"
[[probe]]
id = "0483:374b:066DFF02"
`);
      const bin = await bench.install();
      await Deno.writeFile(
        bench.path("fw"),
        makeFirmware({ bits: 64, machine: 62 }),
      );
      await Deno.writeTextFile(
        bench.path("config.toml"),
        `
[mqtt]
broker_url = "${broker.url}"
client_id = "gateway"
topic_prefix = "iiot"
[influxdb]
url = "http://127.0.0.1:${DEAD_PORT}"
org = "my-org"
bucket = "telemetry"
token = "my-super-secret-auth-token"
[gateway]
chip = "STM32F464RETx"
firmware_path = "fw"
`,
      );
      const { code, stdout, stderr } = await runToEnd(
        [...command, "check", "--config", bench.path("config.toml")],
        { env: { PATH: `${bin}:/usr/bin:/bin` } },
      );
      assert.equal(code, 1, stderr);
      assert.doesNotMatch(stdout, /my-super-secret/);
      const findings = stdout.split(/\n(?=\S|$)/);
      const of = (subject: string) =>
        findings.filter((one) => one.slice(9, 23).trim() === subject).join(
          "\n",
        );
      assert.match(
        of("MQTT broker"),
        /^failed .* wants a user name and a password .*\n +To do: .*:\n +username = "gateway"\n/,
      );
      assert.match(of("InfluxDB"), /^failed .*\n +To do: Start InfluxDB /);
      assert.match(of("probe-rs"), /^warning .*before 0\.30 the firmware can/);
      assert.match(
        of("probe"),
        /^failed .*2 probes are connected, .*\n +To do: .*:\n +probe_id = "0483:374b:066DFF01" .*\n +probe_id = "0483:374b:066DFF02" /,
      );
      assert.match(of("chip"), /^failed .*\n.*\n +chip = "STM32F446RETx"$/);
      assert.match(of("firmware"), /^failed .* is a program for a PC/);
      assert.match(stdout, /\n\n\d ok, (?:1 warning|\d warnings), 5 failed\n$/);
    },
  });
}
