import assert from "node:assert/strict";
import { ConfigError, loadConfig } from "../../lib/config/config.ts";
import { faultsOf, INFLUXDB, load, MINIMAL, WITH_MQTT } from "./load.ts";

const TESTDATA = new URL("../testdata/config/", import.meta.url);

Deno.test("loadConfig loads the guide's config.toml unchanged, and fills in every default", async () => {
  const text = await Deno.readTextFile(new URL("guide.toml", TESTDATA));
  assert.deepEqual(await load(text), {
    mqtt: {
      broker_url: ["mqtt://localhost:1883"],
      client_id: "wk7-gateway",
      topic_prefix: "iiot",
      qos: 1,
      retain: true,
      state_topics: true,
      keepalive_s: 15,
      connect_timeout_s: 10,
      ack_timeout_s: 15,
      max_inflight: 1000,
      live_within_s: 60,
      replay: "all",
      start_at: "now",
    },
    influxdb: {
      url: "http://localhost:8086",
      org: "my-org",
      bucket: "telemetry",
      token: "my-super-secret-auth-token",
      tags: {},
      timeout_s: 20,
      max_lines: 5000,
      start_at: "oldest",
    },
    gateway: { stop_timeout_s: 5 },
    boards: [{
      name: "",
      probe_id: "0483:374b:066DFF3833584B3043115433",
      chip: "STM32F446RETx",
      firmware_path:
        "/etc/wk5-gateway-firmware/target/thumbv7em-none-eabihf/release/wk5-gateway-firmware",
      flash: "when-changed",
      reflash_on_change: false,
      unknown_fields: "hint",
      channel_capacity: 100,
      marker: "JSON sent via VCP: ",
      max_line_bytes: 8192,
      record_max_megabytes: 10,
    }],
    journal: {
      folder: "/etc/gateway/journal",
      max_megabytes: 64,
      reserve: true,
      history_s: 30 * 86_400,
    },
    clock: { trust: false, hold_s: 300 },
    broker: { host: "127.0.0.1", port: 1883 },
    log: { level: "info", format: "text" },
    metrics: [],
  });
});

for await (const { name } of Deno.readDir(TESTDATA)) {
  if (!name.endsWith(".txt")) continue;
  const toml = name.replace(".txt", ".toml");
  Deno.test(`loadConfig lists every fault of ${toml}`, async () => {
    const text = await Deno.readTextFile(new URL(toml, TESTDATA));
    const expected = await Deno.readTextFile(new URL(name, TESTDATA));
    const faults = await faultsOf(text);
    assert.deepEqual(faults, expected.trimEnd().split("\n"));
    assert.doesNotMatch(faults.join("\n"), /geheim|hunter2/);
  });
}

Deno.test("loadConfig gives each fault its file, line and column apart", async () => {
  await assert.rejects(
    load(MINIMAL + "max_lines = 0\n"),
    (error) => {
      assert(error instanceof ConfigError);
      assert.deepEqual(error.faults, [{
        file: "/etc/gateway/config.toml",
        line: 8,
        column: 13,
        message: '"influxdb.max_lines" must be at least 1: it is 0',
      }]);
      return true;
    },
  );
});

Deno.test("loadConfig takes a byte order mark and CRLF, and its places stay right", async () => {
  const windows = (text: string) => "\uFEFF" + text.replaceAll("\n", "\r\n");
  assert.deepEqual(await load(windows(MINIMAL)), await load(MINIMAL));
  assert.deepEqual(
    await faultsOf(windows("qos = 1\n" + MINIMAL + "max_lines = 0\n")),
    [
      'config.toml:1:1: "qos" is not known: it belongs to [mqtt]',
      'config.toml:9:13: "influxdb.max_lines" must be at least 1: it is 0',
    ],
  );
});

Deno.test("loadConfig names the key that was meant where letters changed places", async () => {
  assert.deepEqual(await faultsOf(WITH_MQTT + "qso = 1\n"), [
    'config.toml:13:1: "mqtt.qso" is not known: did you mean "qos"?',
  ]);
});

Deno.test("loadConfig answers thousands of nested brackets with a fault", async () => {
  for (const [open, close] of [["[", "]"], ["{a=", "}"]] as const) {
    for (const depth of [101, 3000, 50_000]) {
      const [fault, ...rest] = await faultsOf(
        `a = ${open.repeat(depth)}1${close.repeat(depth)}`,
      );
      assert.match(
        fault!,
        /^config\.toml:1:\d+: Not valid TOML: is nested too deeply$/,
      );
      assert.deepEqual(rest, []);
    }
  }
});

Deno.test("loadConfig says what to do when there is no file", async () => {
  const path = await Deno.makeTempDir();
  await Deno.remove(path);
  const options = { env: () => undefined, hostname: () => "" };
  await assert.rejects(loadConfig(`${path}/config.toml`, options), {
    name: "ConfigError",
    message: `${path}/config.toml:1:1: Cannot read the configuration: ` +
      `"${path}/config.toml" does not exist: "iiot-gateway init" makes one, ` +
      `or name another file with --config`,
  });
});

Deno.test("loadConfig makes paths absolute from the folder of config.toml", async () => {
  const text = WITH_MQTT + `
ca_file = "tls/ca.pem"
cert_file = "/tls/cert.pem"
key_file = "../key.pem"
password_file = "secrets/mqtt"
[journal]
folder = "data/journal"
`;
  const config = await load(text, {
    files: { "/etc/gateway/secrets/mqtt": "p" },
  });
  assert.equal(config.mqtt?.ca_file, "/etc/gateway/tls/ca.pem");
  assert.equal(config.mqtt?.cert_file, "/tls/cert.pem");
  assert.equal(config.mqtt?.key_file, "/etc/key.pem");
  assert.equal(config.mqtt?.password_file, "/etc/gateway/secrets/mqtt");
  assert.equal(config.journal.folder, "/etc/gateway/data/journal");
});

Deno.test("loadConfig resolves a relative config.toml against the current folder", async () => {
  const config = await load(MINIMAL, { path: "conf/config.toml" });
  assert.equal(config.journal.folder, `${Deno.cwd()}/conf/journal`);
});

Deno.test("loadConfig asks for no board with simulate or a command", async () => {
  const [head, table] = MINIMAL.trim().split('gateway.command = ["true"]');
  assert.equal((await faultsOf(`${head}${table}`)).length, 2);
  const simulated = await load(`${head}${table}`, { simulate: true });
  assert.equal(simulated.boards[0]?.probe_id, undefined);
  const commanded = await load(MINIMAL);
  assert.deepEqual(commanded.boards[0]?.command, ["true"]);
});

Deno.test("loadConfig takes for a board from [gateway] what its own table leaves out", async () => {
  const { boards, gateway } = await load(`
${INFLUXDB}
[gateway]
chip = "STM32F446RETx"
firmware_path = "fw.elf"
max_line_bytes = 1000
stop_timeout_s = 9
[[board]]
name = "hall"
probe_id = "0483:374b:A"
[[board]]
name = "yard"
probe_id = "0483:374b:B"
chip = "nRF52840_xxAA"
firmware_path = "yard/fw.elf"
marker = "JSON: "
max_line_bytes = 2000
channel_capacity = 7
`);
  assert.deepEqual(gateway, { stop_timeout_s: 9 });
  assert.deepEqual(boards, [
    {
      name: "hall",
      flash: "when-changed",
      reflash_on_change: false,
      unknown_fields: "hint",
      probe_id: "0483:374b:A",
      chip: "STM32F446RETx",
      firmware_path: "/etc/gateway/fw.elf",
      channel_capacity: 1_000,
      marker: "JSON sent via VCP: ",
      max_line_bytes: 1000,
      record_max_megabytes: 10,
    },
    {
      name: "yard",
      flash: "when-changed",
      reflash_on_change: false,
      unknown_fields: "hint",
      probe_id: "0483:374b:B",
      chip: "nRF52840_xxAA",
      firmware_path: "/etc/gateway/yard/fw.elf",
      channel_capacity: 7,
      marker: "JSON: ",
      max_line_bytes: 2000,
      record_max_megabytes: 10,
    },
  ]);
});

Deno.test("loadConfig makes a nameless board of [gateway] where it names a probe or a command, or is alone", async () => {
  const names = async (gateway: string, simulate = false) => {
    const { boards } = await load(
      `${INFLUXDB}\n[gateway]\n${gateway}\n[[board]]\nname = "yard"\ncommand = ["cat"]\n`,
      { simulate },
    );
    return boards.map(({ name, command }) => [name, command?.[0]]);
  };
  const yard = ["yard", "cat"];
  assert.deepEqual(await names(""), [yard]);
  assert.deepEqual(await names('chip = "c"\nfirmware_path = "f"'), [yard]);
  assert.deepEqual(await names("", true), [yard]);
  assert.deepEqual(await names('command = ["tail"]'), [["", "tail"], yard]);
  assert.deepEqual(
    await names('probe_id = "1:2"\nchip = "c"\nfirmware_path = "f"'),
    [["", undefined], yard],
  );
  const { boards } = await load(INFLUXDB, { simulate: true });
  assert.deepEqual(boards.map(({ name }) => name), [""]);
});

const PROBE_IDS: readonly [probe_id: string, taken: boolean][] = [
  ["0483:374b", true],
  ["483:374B:066DFF", true],
  ["303a:1001:DC:54:75:C0", true],
  ["2e8a:000c:", true],
  ["2e8a:000c:a serial number", true],
  ["0403:6010-1", true],
  ["0403:6010-255:FT:1", true],
  ["0403:6010-:FT", true],
  ["0403:6010-256", false],
  ["0403:6010-a", false],
  ["0483", false],
  ["00483:374b", false],
  ["x483:374b", false],
  ["0483:374b-1-2", false],
  ["", false],
];

Deno.test("loadConfig takes probe_id in the forms that probe-rs takes", async () => {
  for (const [probe_id, taken] of PROBE_IDS) {
    const faults = await faultsOf(
      `${INFLUXDB}\n[gateway]\nprobe_id = "${probe_id}"\nchip = "c"\nfirmware_path = "f"\n`,
    );
    assert.equal(faults.length, taken ? 0 : 1, `${probe_id}: ${faults}`);
  }
});

Deno.test("loadConfig asks for probe_id only where several boards have a probe", async () => {
  const board = (name: string, more = "") =>
    `[[board]]\nname = "${name}"\nchip = "c"\nfirmware_path = "f"\n${more}\n`;
  const other = '[[board]]\nname = "c"\ncommand = ["cat"]\n';
  const faults = async (...boards: string[]) =>
    (await faultsOf(INFLUXDB + boards.join(""))).map((fault) =>
      fault.replace(/^\S+ (\S+) is missing: .*$/, "$1")
    );
  assert.deepEqual(await faults(board("a")), []);
  assert.deepEqual(await faults(board("a"), other), []);
  assert.deepEqual(await faults(board("a", 'probe_id = "1:2"'), board("b")), [
    '"board[1].probe_id"',
  ]);
  const { boards } = await load(INFLUXDB + board("a"));
  assert.equal(boards[0]?.probe_id, undefined);
});

Deno.test("loadConfig lets each board say when it is programmed", async () => {
  const { boards } = await load(`${INFLUXDB}
[gateway]
chip = "c"
firmware_path = "f"
flash = "never"
[[board]]
name = "a"
probe_id = "1:2"
[[board]]
name = "b"
probe_id = "1:3"
flash = "always"
reflash_on_change = true
`);
  assert.deepEqual(
    boards.map(({ flash, reflash_on_change }) => [flash, reflash_on_change]),
    [["never", false], ["always", true]],
  );
});

Deno.test("loadConfig takes one broker URL or ten, in one form", async () => {
  const urls = async (value: string) =>
    (await load(WITH_MQTT.replace('"mqtt://localhost:1883"', value))).mqtt
      ?.broker_url;
  assert.deepEqual(await urls('"mqtts://me:p%40ss@host"'), [
    "mqtts://me:p%40ss@host:8883",
  ]);
  assert.deepEqual(await urls('["tcp://a/", "ssl://[::1]:1"]'), [
    "mqtt://a:1883",
    "mqtts://[::1]:1",
  ]);
  const eleven = JSON.stringify(Array(11).fill("mqtt://a"));
  await assert.rejects(
    urls(eleven),
    /"mqtt.broker_url" must have at most 10 entries/,
  );
  await assert.rejects(urls("[]"), /"mqtt.broker_url" must not be empty/);
});

Deno.test("loadConfig lays a metric over the built-in one and completes a new one", async () => {
  const { metrics } = await load(
    MINIMAL + `
[[metric]]
path = "n1.t"
range = [0, 50]
[[metric]]
path = "n1.g"
unit = ""
[[metric]]
path = "n3.co2"
node = "node3"
name = "co2"
`,
  );
  assert.deepEqual(metrics, [
    {
      path: "n1.t",
      node: "node1",
      name: "temperature",
      measurement: "temperature",
      unit: "celsius",
      retain: true,
      range: [0, 50],
    },
    {
      path: "n1.g",
      node: "node1",
      name: "gas_resistance",
      measurement: "gas_resistance",
      unit: null,
      retain: true,
      range: [0, 4_294_967_295],
    },
    {
      path: "n3.co2",
      node: "node3",
      name: "co2",
      measurement: "co2",
      unit: null,
      retain: true,
      range: null,
    },
  ]);
});

Deno.test("loadConfig keeps metrics off the topics that tell how gateway and board are", async () => {
  const metric = (node: string, name: string) =>
    `[[metric]]\npath = "${node}.${name}"\nnode = "${node}"\nname = "${name}"\n`;
  const metrics = metric("gateway", "state") + metric("board", "detail") +
    metric("board", "temperature") + metric("node1", "state");
  const unless = 'unless "mqtt.state_topics" is false';
  assert.deepEqual(await faultsOf(WITH_MQTT + metrics), [
    `config.toml:16:8: "metric[0].name" must not make the topic "gateway/state", which tells how the gateway is, ${unless}: it is "state"`,
    `config.toml:20:8: "metric[1].name" must not make the topic "board/detail", which tells how the board is, ${unless}: it is "detail"`,
  ]);
  await load(`${WITH_MQTT}state_topics = false\n${metrics}`);
  await load(MINIMAL + metrics);
});

Deno.test("loadConfig lets two metrics swap their names, whatever their order", async () => {
  const swap = (...metrics: [path: string, name: string][]) =>
    load(
      MINIMAL + metrics.map(([path, name]) =>
        `[[metric]]\npath = "${path}"\nname = "${name}"\nmeasurement = "${name}"\n`
      ).join(""),
    );
  await swap(["n1.t", "humidity"], ["n1.h", "temperature"]);
  await swap(["n1.h", "temperature"], ["n1.t", "humidity"]);
  await assert.rejects(swap(["n1.h", "temperature"]), ConfigError);
});

Deno.test("loadConfig knows metrics that are no plain numbers", async () => {
  const { metrics } = await load(
    `${MINIMAL}
[[metric]]
path = 'motor["max. speed"].phase[1]'
node = "motor"
name = "phase_1"
type = "integer"
scale = 10
expect_interval_s = 5
[[metric]]
path = '["n1"].t'
node = "node1"
name = "state"
measurement = "state"
type = "string"
[[metric]]
path = "n2.h"
type = "boolean"
name = "wet"
measurement = "wet"
`,
  );
  assert.deepEqual(
    metrics.map(({ path, type, scale, expectIntervalS, unit, range }) => [
      ...[path, type, scale, expectIntervalS, unit, range],
    ]),
    [
      ['motor["max. speed"].phase[1]', "integer", 10, 5, null, null],
      ["n1.t", "string", undefined, undefined, null, null],
      ["n2.h", "boolean", undefined, undefined, null, null],
    ],
  );
});

Deno.test("loadConfig says what is wrong with a metric's type, scale or path", async () => {
  const metric = (lines: string) =>
    `[[metric]]\npath = "x"\nnode = "n"\nname = "x"\n${lines}\n`;
  const only = (text: string) => faultsOf(MINIMAL + text);
  assert.deepEqual(
    await only(metric('type = "boolean"\nrange = [0, 1]\nscale = 2')),
    [
      'config.toml:13:9: "metric[0].range" must not stand beside type = "boolean": only numbers have it: it is a list',
      'config.toml:14:9: "metric[0].scale" must not stand beside type = "boolean": only numbers have it: it is 2',
    ],
  );
  assert.deepEqual(
    await only(metric('type = "float"\nscale = 0\nexpect_interval_s = 0')),
    [
      'config.toml:12:8: "metric[0].type" must be "number", "integer", "boolean", or "string": it is "float"',
      'config.toml:13:9: "metric[0].scale" must not be 0: it is 0',
      'config.toml:14:21: "metric[0].expect_interval_s" must be at least 1: it is 0',
    ],
  );
  assert.deepEqual(
    await only(metric('type = "string"\nmeasurement = "temperature"')),
    [
      'config.toml:12:8: "metric[0].type" must be "number", as that of "n1.t" is, because both write to the measurement "temperature", where InfluxDB keeps one type (or give one of the two another "measurement"): it is "string"',
    ],
  );
  for (const path of ["a b", "a..b", "a[x]", "__proto__"]) {
    const [fault] = await only(
      `[[metric]]\npath = "${path}"\nnode = "n"\nname = "x"\n`,
    );
    assert.match(
      fault!,
      /"metric\[0\].path" must be (the keys of the|another)/,
    );
  }
});
