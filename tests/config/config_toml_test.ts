/**
 * The config.toml of the repository: it loads, it documents every key, and what it says is so.
 *
 * @module
 */

import assert from "node:assert/strict";
import { BOARD_KEYS } from "../../lib/config/board_schema.ts";
import { KNOWN_KEYS } from "../../lib/config/schema.ts";
import { load } from "./load.ts";

const CONFIG_TOML = await Deno.readTextFile(
  new URL("../../config.toml", import.meta.url),
);
const LINES = CONFIG_TOML.split("\n");

/** Keys that config.toml shows with an example, because they have no default. */
const EXAMPLES = [
  "mqtt.username",
  "mqtt.password",
  "mqtt.password_file",
  "mqtt.max_messages_per_s",
  "mqtt.ca_file",
  "mqtt.cert_file",
  "mqtt.key_file",
  "influxdb.token_file",
  "gateway.command",
  "gateway.restart",
  "gateway.env",
  "gateway.cwd",
  "gateway.silence_timeout_s",
  "gateway.record",
];

interface KeyLine {
  /** `mqtt.qos` */
  readonly name: string;
  readonly index: number;
  readonly commented: boolean;
}

const KEY_LINES: readonly KeyLine[] = findKeyLines();

function findKeyLines(): KeyLine[] {
  let table = "";
  return LINES.flatMap((line, index) => {
    table = /^#?\[+(\w+)\]+$/.exec(line)?.[1] ?? table;
    const key = /^#?(\w+) = /.exec(line)?.[1];
    if (key === undefined) return [];
    return [{
      name: `${table}.${key}`,
      index,
      commented: line.startsWith("#"),
    }];
  });
}

/** config.toml with the lines of these keys uncommented, or taken away. */
function edit(
  { uncomment = [], remove = [] }: { uncomment?: string[]; remove?: string[] },
): string {
  const lines = [...LINES];
  for (const { name, index } of KEY_LINES) {
    if (uncomment.includes(name)) lines[index] = LINES[index]!.slice(1);
    if (remove.includes(name)) lines[index] = "";
  }
  return lines.join("\n");
}

const FILES = {
  "/etc/iiot-gateway/mqtt_password": "p",
  "/etc/iiot-gateway/influxdb_token": "t",
};

Deno.test("config.toml loads, with the guide's values", async () => {
  const config = await load(CONFIG_TOML);
  assert.equal(config.mqtt?.client_id, "wk7-gateway");
  assert.equal(config.influxdb?.token, "my-super-secret-auth-token");
  assert.equal(config.boards[0]?.channel_capacity, 100);
  assert.deepEqual(config.metrics, []);
});

/** `"board.chip"`: a key of `[[board]]`, which takes most of its keys from `[gateway]`. */
const isOfBoard = (name: string) => name.startsWith("board.");

Deno.test("config.toml documents every key of the schema once", () => {
  const known = Object.entries(KNOWN_KEYS).flatMap(([table, keys]) =>
    keys.map((key) => `${table}.${key}`)
  );
  assert.deepEqual(
    KEY_LINES.map(({ name }) => name).filter((name) => !isOfBoard(name))
      .toSorted(),
    known.filter((name) => !isOfBoard(name)).toSorted(),
  );
});

Deno.test("config.toml documents the keys of [[board]] with those of [gateway]", () => {
  assert.deepEqual(
    [...BOARD_KEYS].toSorted(),
    [...KNOWN_KEYS.gateway!, "name"].filter((key) => key !== "stop_timeout_s")
      .toSorted(),
  );
  assert.match(CONFIG_TOML, /every key of \[gateway\] but stop_timeout_s/);
  const shown = KEY_LINES.filter(({ name }) => isOfBoard(name))
    .map(({ name }) => name.replace("board.", ""));
  assert(shown.includes("name"));
  assert.deepEqual(shown.filter((key) => !BOARD_KEYS.includes(key)), []);
});

Deno.test("config.toml has words before every key or group of keys", () => {
  for (const { name, index } of KEY_LINES) {
    let line = index;
    while (/^#?\w+ = /.test(LINES[line]!)) line--;
    assert.match(LINES[line]!, /^# \S|^\[/, `Nothing is said about ${name}`);
  }
});

const base = await load(CONFIG_TOML);
for (const { name, commented } of KEY_LINES) {
  if (!commented || EXAMPLES.includes(name)) continue;
  if (isOfBoard(name) || name.startsWith("metric.")) continue;
  Deno.test(`config.toml shows the default of ${name}`, async () => {
    assert.deepEqual(await load(edit({ uncomment: [name] })), base);
    const key = name.split(".")[1]!;
    const other = edit({ uncomment: [name] }).replace(
      new RegExp(`^${key} = .*$`, "m"),
      `${key} = [[]]`,
    );
    assert.match(other, /\[\[\]\]/);
    await assert.rejects(load(other), new RegExp(`"${name}"`));
  });
}

Deno.test("config.toml says what channel_capacity is without its line", async () => {
  const { boards } = await load(
    edit({ remove: ["gateway.channel_capacity"] }),
  );
  assert.equal(boards[0]?.channel_capacity, 1_000);
  const { index } = KEY_LINES.find(({ name }) =>
    name === "gateway.channel_capacity"
  )!;
  assert.match(LINES[index - 1]!, /1000 without this line/);
});

const GROUPS: { uncomment: string[]; remove?: string[] }[] = [
  { uncomment: ["mqtt.username", "mqtt.password"] },
  { uncomment: ["mqtt.username", "mqtt.password_file"] },
  { uncomment: ["mqtt.max_messages_per_s"] },
  { uncomment: ["mqtt.ca_file", "mqtt.cert_file", "mqtt.key_file"] },
  { uncomment: ["influxdb.token_file"], remove: ["influxdb.token"] },
  { uncomment: ["gateway.silence_timeout_s"] },
  {
    uncomment: ["gateway.command"],
    remove: ["gateway.probe_id", "gateway.chip", "gateway.firmware_path"],
  },
  {
    uncomment: [
      ...["gateway.command", "gateway.restart", "gateway.env", "gateway.cwd"],
    ],
    remove: ["gateway.probe_id", "gateway.chip", "gateway.firmware_path"],
  },
  { uncomment: ["gateway.record"] },
];

Deno.test("config.toml's examples load", async () => {
  assert.deepEqual(
    new Set(GROUPS.flatMap(({ uncomment }) => uncomment)),
    new Set(EXAMPLES),
  );
  for (const group of GROUPS) {
    const config = await load(edit(group), { files: FILES });
    assert.notDeepEqual(config, base);
  }
});

Deno.test("config.toml's [[board]] tables are boards beside that of [gateway]", async () => {
  const lines = LINES.slice(LINES.indexOf("#[[board]]"));
  const block = lines.slice(0, lines.indexOf(""))
    .map((line) => line.replace(/^#(?=\S)/, ""));
  const { boards } = await load(`${CONFIG_TOML}\n${block.join("\n")}`);
  const [single] = base.boards;
  const { probe_id: _, ...shared } = single!;
  assert.deepEqual(boards, [
    single,
    {
      ...shared,
      name: "hall-3",
      probe_id: "0483:374b:0669FF495087564867193238",
      firmware_path: "/etc/gateway/firmware/hall-gateway-firmware",
    },
    {
      ...shared,
      name: "yard",
      command: ["/usr/local/bin/read-board", "--port", "/dev/ttyACM1"],
      marker: "JSON: ",
    },
  ]);
});

Deno.test("config.toml's [[metric]] is a metric that is not built in", async () => {
  const from = LINES.indexOf("#[[metric]]");
  assert(from > 0);
  const block = LINES.slice(from).map((line) => line.replace(/^#(?=\S)/, ""));
  const { metrics } = await load(
    [...LINES.slice(0, from), ...block].join("\n"),
  );
  assert.deepEqual(metrics, [{
    path: "n3.t",
    node: "node3",
    name: "temperature",
    measurement: "temperature",
    unit: "celsius",
    retain: true,
    range: [-40, 85],
    expectIntervalS: 30,
  }]);
});
