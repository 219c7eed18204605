import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { EVENT_WORDS, LAYOUTS } from "../../lib/simulator/probe_rs/scenario.ts";
import { SCENARIO_KEYS } from "../../lib/simulator/probe_rs/scenario_schema.ts";
import { PROGRAMS, PROJECT, runToEnd } from "./program.ts";

const COMMANDS = [
  ...["init", "run", "simulate", "check", "status", "parse", "watch"],
  ...["release", "rewind", "rejects", "export", "record", "replay"],
  "version",
];

for (const { form, command } of PROGRAMS) {
  const start = (...args: string[]) => runToEnd([...command, ...args]);

  Deno.test(`iiot-gateway shows its help and what its exit codes mean (${form})`, async () => {
    const expected = await start("--help");
    assert.equal(expected.code, 0);
    for (const name of COMMANDS) assert.match(expected.stdout, RegExp(name));
    assert.match(
      expected.stdout,
      /0 {2}stopped as asked.*\n +1 {2}failed\n +2 {2}wrong usage/,
    );
    assert.equal(expected.stderr, "");
    assert.deepEqual(await start("help"), expected);
    assert.deepEqual(await start("-h"), expected);
    assert.deepEqual(await start("-h", "status"), expected);
  });

  Deno.test(`iiot-gateway shows the help of each command (${form})`, async () => {
    for (const name of COMMANDS) {
      const asked = await start(name, "--help");
      assert.equal(asked.code, 0, name);
      assert.match(asked.stdout, RegExp(`^Usage: iiot-gateway ${name}`));
      if (name !== "version") assert.match(asked.stdout, /\nExamples:\n/);
      assert.deepEqual(await start("help", name), asked);
    }
  });

  Deno.test(`iiot-gateway check says in its help what it changes (${form})`, async () => {
    const { stdout } = await start("check", "--help");
    assert.match(
      stdout.replace(/\s+/g, " "),
      /makes the journal's folder.*empty message.*not retained to PREFIX\/check.*nothing to InfluxDB, except by --write-test-point/,
    );
  });

  Deno.test(`iiot-gateway simulate names every key and every word of a scenario in its help (${form})`, async () => {
    const { stdout } = await start("simulate", "--help");
    const readme = await Deno.readTextFile(`${PROJECT}README.md`);
    const keys = Object.values(SCENARIO_KEYS).flat();
    for (const word of [...keys, ...EVENT_WORDS, ...LAYOUTS]) {
      assert.match(stdout, RegExp(`\\b${word}\\b`));
      assert.match(readme, RegExp(`\\b${word}\\b`));
    }
  });

  Deno.test(`iiot-gateway shows its version (${form})`, async () => {
    const { code, stdout } = await start("version");
    assert.equal(code, 0);
    assert.ok(stdout.startsWith(`iiot-gateway ${project.version} (Deno `));
    const flag = await start("--version");
    assert.deepEqual(flag, {
      code: 0,
      stdout: `${project.version}\n`,
      stderr: "",
    });
  });

  Deno.test(`iiot-gateway names the nearest of a mistyped command or flag and ends with 2 (${form})`, async () => {
    const cases: [args: string[], message: RegExp][] = [
      [["statsu"], /unknown command 'statsu'\n\(Did you mean status\?\)/],
      [["help", "chekc"], /unknown command 'chekc'\n\(Did you mean check\?\)/],
      [["constructor"], /unknown command 'constructor'/],
      [["help", "constructor"], /unknown command 'constructor'/],
      [["--simulat"], /unknown option '--simulat'\n\(Did you mean --simulat/],
      [["run", "--confg", "x"], /'--confg'\n\(Did you mean --config\?\)/],
      [["check", "--write-test-pont"], /\(Did you mean --write-test-point\?/],
      [["status", "--jsno"], /\(Did you mean --json\?\)/],
      [["rejects", "resnd"], /\(Did you mean resend\?\)/],
      [["rejects", "--origni", "x"], /\(Did you mean --origin\?\)/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await start(...args);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, message);
      assert.match(stderr, /^Error: /);
    }
  });

  Deno.test(`iiot-gateway refuses wrong values and ends with 2 (${form})`, async () => {
    const cases: [args: string[], message: RegExp][] = [
      [["simulate", "--interval", "1s"], /'1s' is invalid.*0 to 86400000/],
      [["simulate", "--count", "0"], /'0' is invalid.*1 to 1000000000/],
      [["simulate", "--seed", "-1"], /'-1' is invalid.*0 to 4294967295/],
      [["simulate", "list"], /are for --as-probe-rs/],
      [["simulate", "--state", "x"], /are for --as-probe-rs/],
      [["simulate", "--as-probe-rs", "--count", "1"], /cannot be used with/],
      [
        ["simulate", "--as-probe-rs", "--scenario", "/none.toml", "--", "list"],
        /^Error: Cannot read the scenario: "\/none\.toml" does not exist$/m,
      ],
      [["run", "--scenario", "x"], /--scenario is for --simulate/],
      [["--config"], /'-c, --config <file>' argument missing/],
      [["status", "config.toml"], /too many arguments for 'status'/],
      [["release", "--minutes", "0"], /'0' is invalid.*1 to 1440/],
      [["release", "--minutes", "1441"], /'1441' is invalid.*1 to 1440/],
      [["release", "--minutes", "5", "--end"], /'--end' cannot be used with/],
      [["rewind", "--sink", "mqtt"], /--sink and --to must say/],
      [["rewind", "--to", "10:00"], /'10:00' is invalid.*with its zone/],
      [["rejects", "clear", "x"], /'x' is invalid.*whole number/],
      [["export", "--format", "xml"], /Allowed choices are csv, jsonl, lp/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await start(...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
  });

  Deno.test(`iiot-gateway ends with 2 when the configuration is wrong (${form})`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const config = `${folder}/config.toml`;
      await Deno.writeTextFile(config, '[mqtt]\nqos = 3\nbroker_ulr = "x"\n');
      for (
        const args of [[], ["run"], ["run", "--simulate"], ["status"]]
      ) {
        const { code, stderr } = await start(...args, "--config", config);
        assert.equal(code, 2, `${args}: ${stderr}`);
        assert.match(stderr, /config\.toml:2:\d+: /);
        assert.match(stderr, /config\.toml:3:\d+: .*broker_ulr/);
        assert.doesNotMatch(stderr, /\n {4}at /);
      }
      const missing = await start("--config", `${folder}/none.toml`);
      assert.equal(missing.code, 2, missing.stderr);
      assert.match(missing.stderr, /none\.toml/);
      const left = (await Array.fromAsync(Deno.readDir(folder)))
        .map(({ name }) => name);
      assert.deepEqual(left, ["config.toml"]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test(`iiot-gateway asks for no secret of a server that it does not speak to (${form})`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const config = `${folder}/config.toml`;
      await Deno.writeTextFile(
        config,
        `[influxdb]
url = "http://127.0.0.1:8086"
org = "o"
bucket = "b"
[gateway]
command = ["true"]
`,
      );
      const released = await start("release", "--config", config);
      assert.equal(released.code, 0, released.stderr);
      const status = await start("status", "--config", config);
      assert.doesNotMatch(status.stderr, /token/);
      const { code, stderr } = await start("run", "--config", config);
      assert.equal(code, 2);
      assert.match(stderr, /"influxdb.token" is missing/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
