/**
 * docker-compose.yml: safe on a desk, and in agreement with config.toml and the files it mounts.
 *
 * @module
 */

import assert from "node:assert/strict";
import { parse } from "yaml";
import { loadConfig } from "../../lib/config/config.ts";
import { findProgram, requires } from "../servers.ts";

interface Service {
  readonly image: string;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck: { readonly test: string };
}

interface Compose {
  readonly services: Readonly<
    Record<"mosquitto" | "influxdb" | "grafana", Service>
  >;
  readonly volumes: Readonly<Record<string, null>>;
}

const ROOT = new URL("../../", import.meta.url);
const TEXT = await Deno.readTextFile(new URL("docker-compose.yml", ROOT));
const compose = parse(TEXT) as Compose;
const services = Object.entries(compose.services);

const config = await loadConfig(new URL("config.toml", ROOT).pathname, {
  env: () => undefined,
  hostname: () => "desk",
});

Deno.test("Compose publishes every port on 127.0.0.1 only", () => {
  for (const [name, { ports }] of services) {
    assert(ports.length > 0, name);
    for (const port of ports) {
      assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name);
    }
  }
});

Deno.test("Compose pins every image to a version and checks every service's health", () => {
  for (const [name, { image, healthcheck }] of services) {
    assert.match(image, /:\d+\.\d+\.\d+$/, name);
    assert(healthcheck.test.length > 0, name);
  }
});

Deno.test("Compose keeps data in named volumes and mounts only files that exist, read-only", async () => {
  const named = new Set<string>();
  for (const [name, { volumes }] of services) {
    for (const volume of volumes) {
      const [source, target, mode] = volume.split(":") as [
        string,
        string,
        string?,
      ];
      if (source.startsWith("./")) {
        await Deno.stat(new URL(source, ROOT));
        assert.equal(mode, "ro", `${name}: ${target}`);
      } else {
        named.add(source);
      }
    }
  }
  assert.deepEqual(named, new Set(Object.keys(compose.volumes)));
});

Deno.test("Compose and config.toml agree", () => {
  const { mosquitto, influxdb, grafana } = compose.services;
  assert.deepEqual(config.mqtt?.broker_url, [`mqtt://${address(mosquitto)}`]);
  assert.equal(config.influxdb?.url, `http://${address(influxdb)}`);

  const initial = influxdb.environment!;
  assert.equal(initial.DOCKER_INFLUXDB_INIT_ORG, config.influxdb?.org);
  assert.equal(initial.DOCKER_INFLUXDB_INIT_BUCKET, config.influxdb?.bucket);
  assert.equal(
    initial.DOCKER_INFLUXDB_INIT_ADMIN_TOKEN,
    config.influxdb?.token,
  );

  const source = grafana.environment!;
  assert.equal(source.INFLUXDB_ORG, config.influxdb?.org);
  assert.equal(source.INFLUXDB_BUCKET, config.influxdb?.bucket);
  assert.equal(source.INFLUXDB_TOKEN, config.influxdb?.token);
  assert.equal(source.INFLUXDB_URL, "http://influxdb:8086");
});

Deno.test("Compose uses the guide's user, and marks every secret as a development value", () => {
  const { influxdb } = compose.services;
  assert.equal(influxdb.environment?.DOCKER_INFLUXDB_INIT_USERNAME, "admin");
  assert.equal(
    influxdb.environment?.DOCKER_INFLUXDB_INIT_PASSWORD,
    "admin123456",
  );
  for (const line of TEXT.split("\n")) {
    if (/^ +\w*(PASSWORD|TOKEN): /.test(line)) {
      assert.match(line, /# development value$/);
    }
  }
});

Deno.test({
  name: "docker-compose accepts docker-compose.yml",
  ...requires("docker-compose"),
  fn: async () => {
    const { success, stderr } = await new Deno.Command(
      findProgram("docker-compose"),
      {
        args: [
          "--file",
          new URL("docker-compose.yml", ROOT).pathname,
          "config",
          "--quiet",
        ],
      },
    ).output();
    assert(success, new TextDecoder().decode(stderr));
  },
});

/** Where a service is reached from this machine. */
function address({ ports }: Service): string {
  return ports[0]!.split(":").slice(0, 2).join(":");
}
