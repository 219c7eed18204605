/**
 * Firmwares that nobody has described yet, from their first line to a broker and a database.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findObject, leavesOf } from "../../lib/cli/capture/json_in_line.ts";
import type { Value } from "../../lib/model.ts";
import { type Program, PROGRAMS } from "../cli/program.ts";
import {
  type HeardMessage,
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
} from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const FIRMWARES = ["flat", "nested", "kinds"] as const;
/** A firmware's lines have more in common than JSON: `gateway.marker`, where it is not "". */
const MARKERS: Readonly<Record<string, string>> = { brackets: "[wx] " };
const TESTDATA = new URL("../testdata/firmware/", import.meta.url);

/** Every value that a firmware's lines hold, in order, but for the packet's own time. */
async function valuesIn(file: string): Promise<[path: string, value: Value][]> {
  const text = await Deno.readTextFile(new URL(file, TESTDATA));
  return text.split("\n").flatMap((line) => {
    const found = findObject(line);
    return [...leavesOf(found?.object ?? {})]
      .filter(({ path, value }) => path !== "ts" && value !== null)
      .map(({ path, value }) => [path, value as Value] as [string, Value]);
  });
}

/** `times`: how often the firmware prints its lines. */
async function open(
  program: Program,
  firmware: string,
  keys: string,
  times = 1,
) {
  const stack = new AsyncDisposableStack();
  const mosquitto = stack.use(await startMosquitto());
  const victoria = stack.use(await startVictoriaMetrics());
  const heard = stack.use(await subscribe(mosquitto.url, "iiot/#"));
  const file = fileURLToPath(new URL(`${firmware}.txt`, TESTDATA));
  const gateway = stack.use(
    await GatewayProcess.create({
      program,
      config: `
[mqtt]
broker_url = "${mosquitto.url}"
client_id = "e2e"
topic_prefix = "iiot"
[influxdb]
url = "${victoria.url}"
org = "o"
bucket = "b"
token = "my-super-secret-auth-token"
[gateway]
command = ["/bin/sh", "-c", "cat ${`${file} `.repeat(times)}; exec sleep 1000"]
marker = "${MARKERS[firmware] ?? ""}"
${keys}
`,
    }),
  );
  return {
    victoria,
    heard,
    gateway,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What VictoriaMetrics calls a field that is sent as it is: its measurement and InfluxDB's field. */
function seriesOf(path: string, value: Value): string {
  const measurement = path.replace(/(\[\d+\])+$/, "").replace(/^.*\./, "");
  return `${measurement}_${FIELDS[typeof value as keyof typeof FIELDS]}`;
}

const FIELDS = {
  number: "value",
  boolean: "value_bool",
  string: "value_text",
};

/** The values of each topic, in order. */
function byTopic(messages: readonly HeardMessage[]): Record<string, string[]> {
  const topics: Record<string, string[]> = {};
  for (const { topic, payload } of messages) {
    (topics[topic] ??= []).push(payload);
  }
  return topics;
}

function byName(
  values: readonly [name: string, value: Value][],
): Record<string, string[]> {
  return byTopic(
    values.map(([topic, value]) =>
      ({ topic, payload: String(value) }) as HeardMessage
    ),
  );
}

/** The lines that the log has below others, to be pasted. */
function linesToPaste(log: string): string {
  return log.split("\n").filter((line) => line.startsWith("    ")).join("\n");
}

for (const program of PROGRAMS) {
  for (const firmware of FIRMWARES) {
    const options = requires("mosquitto", "victoria-metrics");
    Deno.test({
      name:
        `The ${program.form} says what to paste for the fields of ${firmware}.txt, and sends them with it`,
      ...options,
      fn: async () => {
        const wanted = await valuesIn(`${firmware}.txt`);
        const paths = new Set(wanted.map(([path]) => path));
        await using test = await open(program, firmware, "");
        const { gateway, heard, victoria } = test;
        gateway.start();
        await eventually(
          "every field is told",
          () => gateway.log.split("[[metric]]\n").length - 1 === paths.size,
        );
        assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
        assert.deepEqual(heard.messages, []);
        const { boards } = await gateway.status();
        assert.equal(boards[0]?.rejects, 0, "no line is refused");

        const config = join(gateway.folder, "config.toml");
        const tables = linesToPaste(gateway.log);
        await Deno.writeTextFile(config, `\n${tables}\n`, { append: true });
        gateway.start();
        const messages = await heard.waitFor(wanted.length);
        assert.deepEqual(
          Object.values(byTopic(messages)).map(String).toSorted(),
          Object.values(byName(wanted)).map(String).toSorted(),
        );
        await eventually(
          "the database has all",
          async () =>
            (await gateway.status()).sinks.every(({ delivered, waiting }) =>
              delivered === wanted.length && waiting === 0
            ),
        );
        const numbers = wanted.filter(([, value]) => typeof value === "number");
        const points = await eventually("the points are found", async () => {
          const all = await victoria.export();
          return all.length >= numbers.length && all;
        });
        for (const { tags } of points) assert.ok(tags["node"]);
      },
    });
  }

  for (const firmware of [...FIRMWARES, ...Object.keys(MARKERS)]) {
    const options = requires("mosquitto", "victoria-metrics");
    Deno.test({
      name:
        `The ${program.form} publishes the fields of ${firmware}.txt as they are`,
      ...options,
      fn: async () => {
        const wanted = await valuesIn(`${firmware}.txt`);
        const keys = 'unknown_fields = "publish"';
        await using test = await open(program, firmware, keys);
        const { gateway, heard, victoria } = test;
        gateway.start();
        const messages = await heard.waitFor(wanted.length);
        assert.deepEqual(
          byTopic(messages),
          byName(
            wanted.map(([path, value]) => [
              `iiot/${path.replace(/\[(\d+)\]/g, ".$1").replaceAll(".", "/")}`,
              value,
            ]),
          ),
        );
        const { sinks } = await eventually("all is delivered", async () => {
          const status = await gateway.status();
          return status.sinks.every(({ waiting }) => waiting === 0) && status;
        });
        for (const { dropped, delivered } of sinks) {
          assert.deepEqual([dropped, delivered], [{}, wanted.length]);
        }
        assert.equal((await gateway.status()).boards[0]?.rejects, 0);
        assert.doesNotMatch(gateway.log, /\[\[metric\]\]/);
        const series = new Set(
          wanted.map(([path, value]) => seriesOf(path, value)),
        );
        await eventually("the database has each by its type", async () => {
          const names = (await victoria.export()).map(({ name }) => name);
          return series.symmetricDifference(new Set(names)).size === 0;
        });
      },
    });
  }

  Deno.test({
    name:
      `The ${program.form} sends of two fields with one series the same one after a new start`,
    ...requires("mosquitto", "victoria-metrics"),
    fn: async () => {
      const keys = 'unknown_fields = "publish"';
      await using test = await open(program, "flat", keys);
      const { gateway, heard } = test;
      const config = join(gateway.folder, "config.toml");
      const lines = join(gateway.folder, "lines.txt");
      const text = await Deno.readTextFile(config);
      await Deno.writeTextFile(config, text.replace(/\S+flat\.txt/, lines));
      await Deno.writeTextFile(lines, '{"a":[0,{"b":1}]}\n');
      gateway.start();
      await heard.waitFor(2);
      assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);

      const other = '{"a":{"b":[2,3]}}';
      await Deno.writeTextFile(lines, `${other}\n{"a":[4,{"b":5}]}\n`);
      gateway.start();
      const messages = await heard.waitFor(5);
      assert.deepEqual(byTopic(messages), {
        "iiot/a/0": ["0", "4"],
        "iiot/a/1/b": ["1", "5"],
        "iiot/a/b/0": ["2"],
      });
      assert.match(gateway.log, /The field a\.b\[1\] is not sent: its topic/);
    },
  });

  Deno.test({
    name:
      `The ${program.form} tells a firmware that prints names and numbers what to print instead`,
    ...requires("mosquitto", "victoria-metrics"),
    fn: async () => {
      await using test = await open(program, "key_value", "", 6);
      const { gateway } = test;
      gateway.start();
      await eventually("it is said", () => gateway.log.includes("To do:"));
      assert.match(
        gateway.log,
        /No telemetry in 2\d lines so far, such as "temp=.*". To do: the gateway reads JSON, one object a line: let the firmware print \{"temp":21\.\d,"hum":4\d,"vbat":3\.71?\} instead of temp=21/,
      );
    },
  });
}
