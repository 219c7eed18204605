/**
 * The whole way of a board that nobody has described: lines that it printed, through `init --from`, `parse`
 * and `run`, to a real broker and a real database.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { PROGRAMS, PROJECT } from "../cli/program.ts";
import {
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
} from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

interface Expected {
  /** Values in the lines, those aside that are no number. */
  readonly messages: number;
  /** Some topics, each with its last payload. */
  readonly last: Readonly<Record<string, string>>;
}

const FIRMWARES: Readonly<Record<string, Expected>> = {
  flat: {
    messages: 4 * 6 - 1,
    last: { "device/temperature": "21.5", "device/pressure": "101326" },
  },
  nested: {
    messages: 3 * 13,
    last: {
      "motor_phase_1/current": "1.45",
      "motor/on": "true",
      "device/valves_1": "false",
      "device/state": "run",
    },
  },
  kinds: {
    messages: 2 * 2 + 5 * 6 + 4 + 3,
    last: {
      "device/humidity": "48.1",
      "device/gyro_2": "-0.3",
      "device/task": "main",
      "device/rssi": "-61",
    },
  },
  guide_later: {
    messages: 9 + 9 + 7,
    last: { "node2/humidity": "49", "stats/packets_received": "3" },
  },
};

for (const program of PROGRAMS) {
  for (const [name, { messages, last }] of Object.entries(FIRMWARES)) {
    Deno.test({
      name:
        `What the firmware ${name} prints is on the broker and in the database after init --from (${program.form})`,
      ...requires("mosquitto", "victoria-metrics"),
      fn: async () => {
        const lines = `${PROJECT}tests/testdata/firmware/${name}.txt`;
        await using broker = await startMosquitto();
        await using victoria = await startVictoriaMetrics();
        await using heard = await subscribe(broker.url, "plant/#");
        // It makes the folder; the configuration is the one that init writes.
        await using gateway = await GatewayProcess.create({
          program,
          config: "",
        });
        const config = join(gateway.folder, "config.toml");
        await Deno.remove(config);
        await Deno.writeTextFile(join(gateway.folder, "token"), "t\n");
        const made = await gateway.run(
          ...["init", "--config", config, "--from", lines],
          ...["--broker", broker.url, "--topic-prefix", "plant"],
          ...["--influxdb", victoria.url, "--org", "o", "--bucket", "b"],
          ...["--token-file", join(gateway.folder, "token")],
          ...["--command", `cat '${lines}' && exec sleep 60`],
        );
        assert.equal(made.code, 0, made.stderr);
        const text = await Deno.readTextFile(config);
        await Deno.writeTextFile(
          config,
          // Not every machine that tests says that its clock is right.
          text.replace(/^#trust = false$/m, "trust = true")
            .replace(/^#max_megabytes = 64$/m, "max_megabytes = 8"),
        );

        const parsed = await gateway.run("parse", lines, "--config", config);
        assert.equal(parsed.code, 0, parsed.stderr);

        gateway.start();
        await heard.waitFor(messages);
        await eventually(
          "the database has all",
          async () => (await victoria.export()).length >= messages,
        );
        assert.equal(await gateway.end("SIGTERM"), 0);
        assert.equal(heard.messages.length, messages);
        // Of words it keeps that they came, and 0 in their place: an InfluxDB keeps them.
        assert.equal((await victoria.export()).length, messages);
        const newest = new Map(
          heard.messages.map(({ topic, payload }) => [topic, payload]),
        );
        for (const [topic, payload] of Object.entries(last)) {
          assert.equal(newest.get(`plant/${topic}`), payload, topic);
        }
      },
    });
  }
}
