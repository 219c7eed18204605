import { makeFirmware } from "../elf.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import { installStandIn } from "../../lib/cli/stand_in_script.ts";
import { commandOf } from "../../lib/cli/init/board.ts";
import { loadConfig } from "../../lib/config/config.ts";
import { formatEntry } from "../../lib/source/recording.ts";
import { PROGRAMS, PROJECT, runToEnd } from "./program.ts";

const FIRMWARE = `${PROJECT}tests/testdata/firmware/`;
const ELF = makeFirmware();
const COMMAND = ["--influxdb", "none", "--command", "cat /dev/ttyACM0"];

/** A folder with a firmware file, and a probe-rs that stands in for the real one. */
async function makeDesk(scenario?: string) {
  const folder = await Deno.makeTempDir();
  const inFolder = (name: string) => join(folder, name);
  await Deno.mkdir(inFolder("bin"));
  await Deno.writeFile(inFolder("fw.elf"), ELF);
  if (scenario !== undefined) {
    await Deno.writeTextFile(inFolder("bench.toml"), scenario);
  }
  await installStandIn(inFolder("bin"), {
    state: inFolder("state"),
    ...(scenario !== undefined && { scenario: inFolder("bench.toml") }),
  });
  return {
    folder,
    inFolder,
    /** Finds the stand-in, and no other probe-rs. */
    env: { PATH: `${inFolder("bin")}:/usr/bin:/bin` },
    async names() {
      const found = await Array.fromAsync(Deno.readDir(folder));
      return found.map(({ name }) => name).filter((name) =>
        !["bin", "fw.elf", "state", "bench.toml"].includes(name)
      ).toSorted();
    },
    /** The configuration as `run` and `check` load it, with nothing in the environment. */
    load: (name = "config.toml", env: Record<string, string> = {}) =>
      loadConfig(inFolder(name), {
        env: (name) => env[name],
        hostname: () => "cabinet-7",
      }),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

for (const { form, command } of PROGRAMS) {
  const init = (
    { folder, env }: { folder: string; env: Record<string, string> },
    ...args: string[]
  ) => {
    // From source the program is found from any folder.
    const config = form === "source" ? ["--config", `${PROJECT}deno.json`] : [];
    const [program, run, ...rest] = command;
    const full = form === "source"
      ? [program!, run!, ...config, ...rest]
      : command;
    return runToEnd([...full, "init", ...args], { cwd: folder, env });
  };

  Deno.test(`init writes what its flags say, and the configuration loads (${form})`, async () => {
    await using desk = await makeDesk();
    await Deno.writeTextFile(desk.inFolder("token"), "geheim-token\n");
    await Deno.writeTextFile(desk.inFolder("password"), "geheim-password\n");
    const { code, stdout, stderr } = await init(
      desk,
      ...["--broker", "mqtts://broker.example:8884", "--username", "gw"],
      ...["--password-file", "password", "--topic-prefix", "plant/hall-3"],
      ...["--client-id", "gw-${HOSTNAME}", "--influxdb", "http://db:8086"],
      ...["--org", "plant", "--bucket", "values", "--token-file", "token"],
      ...["--probe", "0483:374b:066DFF38", "--chip", "stm32f446retx"],
      ...["--firmware", "fw.elf"],
    );
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    const { mqtt, influxdb, boards: [board], metrics } = await desk.load();
    assert.deepEqual(mqtt?.broker_url, ["mqtts://broker.example:8884"]);
    assert.equal(mqtt?.client_id, "gw-cabinet-7");
    assert.equal(mqtt?.topic_prefix, "plant/hall-3");
    assert.equal(mqtt?.username, "gw");
    assert.equal(mqtt?.password, "geheim-password");
    assert.equal(influxdb?.url, "http://db:8086");
    assert.equal(influxdb?.org, "plant");
    assert.equal(influxdb?.bucket, "values");
    assert.equal(influxdb?.token, "geheim-token");
    assert.equal(board?.probe_id, "0483:374b:066DFF38");
    // As probe-rs writes it.
    assert.equal(board?.chip, "STM32F446RETx");
    assert.equal(board?.firmware_path, desk.inFolder("fw.elf"));
    assert.deepEqual(metrics, []);
    const text = await Deno.readTextFile(desk.inFolder("config.toml"));
    assert.doesNotMatch(text, /geheim-/);
    assert.match(text, /^# Values go to PREFIX\/node1\/temperature/m);
    for (const next of ["check", "run", "watch"]) {
      const program = form === "source" ? "deno task start" : "iiot-gateway";
      assert.match(stdout, RegExp(`^ {2}${program} ${next} `, "m"));
    }
  });

  Deno.test(`init --yes takes what has a default, and says which variable has to be set (${form})`, async () => {
    await using desk = await makeDesk();
    const { code, stdout, stderr } = await init(
      desk,
      ...["--yes", "--username", "gw", "--chip", "STM32F446RETx"],
      ...["--firmware", "fw.elf"],
    );
    assert.equal(code, 0, stderr);
    for (const name of ["MQTT_PASSWORD", "INFLUXDB_TOKEN"]) {
      assert.match(stdout, RegExp(`To do: set .* ${name}`));
    }
    await assert.rejects(desk.load(), /INFLUXDB_TOKEN/);
    const { mqtt, influxdb, boards: [board] } = await desk.load(undefined, {
      INFLUXDB_TOKEN: "t",
    });
    assert.deepEqual(mqtt?.broker_url, ["mqtt://127.0.0.1:1883"]);
    assert.match(mqtt?.client_id ?? "", /^gateway-[\w-]+$/);
    assert.equal(influxdb?.url, "http://127.0.0.1:8086");
    assert.equal(board?.probe_id, undefined);
    assert.equal(board?.command, undefined);
  });

  Deno.test(`init leaves out the server that is "none", and probe-rs for a command (${form})`, async () => {
    await using desk = await makeDesk();
    const { code, stdout, stderr } = await init(
      desk,
      ...["--broker", "none", "--influxdb", "http://db:8086", "--yes"],
      ...["--command", "stty -F /dev/ttyACM0 raw && exec cat /dev/ttyACM0"],
      ...["--config", "sub.toml"],
    );
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stdout, /watch/);
    assert.match(stdout, /check --config sub\.toml /);
    const { mqtt, boards: [board] } = await desk.load("sub.toml", {
      INFLUXDB_TOKEN: "t",
    });
    assert.equal(mqtt, undefined);
    assert.deepEqual(board?.command, [
      "sh",
      "-c",
      "stty -F /dev/ttyACM0 raw && exec cat /dev/ttyACM0",
    ]);
    assert.equal(board?.chip, undefined);
    const text = await Deno.readTextFile(desk.inFolder("sub.toml"));
    assert.match(text, /^#\[mqtt\]$/m);
  });

  Deno.test(`init writes paths relative to the folder of the file (${form})`, async () => {
    await using desk = await makeDesk();
    await Deno.mkdir(desk.inFolder("sub"));
    const { code, stderr } = await init(
      desk,
      ...["--yes", "--influxdb", "none", "--config", "sub/config.toml"],
      ...["--chip", "STM32F446RETx", "--firmware", "fw.elf"],
    );
    assert.equal(code, 0, stderr);
    const { boards: [board] } = await desk.load("sub/config.toml");
    assert.equal(board?.firmware_path, desk.inFolder("fw.elf"));
  });

  Deno.test(`init never overwrites a file (${form})`, async () => {
    await using desk = await makeDesk();
    await Deno.writeTextFile(desk.inFolder("config.toml"), "mine");
    await Deno.symlink("nowhere", desk.inFolder("link.toml"));
    for (const name of ["config.toml", "link.toml"]) {
      const { code, stderr } = await init(
        desk,
        ...["--yes", ...COMMAND, "--config", name],
      );
      assert.equal(code, 2);
      assert.match(stderr, /is there already, and is never overwritten: name/);
    }
    assert.equal(
      await Deno.readTextFile(desk.inFolder("config.toml")),
      "mine",
    );
    assert.deepEqual(await desk.names(), ["config.toml", "link.toml"]);
  });

  Deno.test(`init without a terminal names every flag that is missing (${form})`, async () => {
    await using desk = await makeDesk(
      '[[probe]]\nid = "0483:374b:01"\n[[probe]]\nid = "0483:374b:02"\n',
    );
    const { code, stderr } = await init(desk);
    assert.equal(code, 2);
    const missing = ["broker", "influxdb", "org", "bucket", "token-file"];
    for (const flag of [...missing, "probe", "chip", "firmware"]) {
      assert.match(stderr, RegExp(`^ {2}--${flag} +\\S`, "m"));
    }
    assert.match(stderr, /0483:374b:01 .*0483:374b:02 /);
    assert.doesNotMatch(stderr, /--(topic-prefix|client-id|username|yes) /);
    assert.deepEqual(await desk.names(), []);
  });

  Deno.test(`init names every flag that is wrong, and writes nothing (${form})`, async () => {
    await using desk = await makeDesk();
    const cases: [args: string[], message: RegExp][] = [
      [["--broker", "http://x"], /^Error: --broker must be mqtt:\/\/HOST:PORT/],
      [["--broker", "mqtt://u:geheim@x"], /--broker must not hold a user name/],
      [["--topic-prefix", "a/#"], /--topic-prefix must not contain "\+", "#"/],
      [["--client-id", ""], /--client-id must be given/],
      [["--client-id", "${NO_SUCH}"], /--client-id needs the env.*"NO_SUCH"/],
      [["--password-file", "x"], /--password-file needs --username/],
      [
        ["--username", "u", "--password-file", "no"],
        /--password-file must .*no" cannot be read .*umask 077/,
      ],
      [["--influxdb", "db:8086"], /--influxdb must be http:\/\/HOST:PORT/],
      [
        ["--broker", "none", "--influxdb", "none"],
        /--influxdb must be an addr/,
      ],
      [["--influxdb", "http://db", "--token-file", "no"], /--token-file must/],
      [
        ["--influxdb", "http://db", "--token-file", "a${NO_SUCH}"],
        /^Error: --token-file needs the env.*"NO_SUCH": it is not set\n$/,
      ],
      [["--command", " "], /--command must be given/],
      [
        ["--chip", "x", "--command", "cat"],
        /--command runs instead of probe-r/,
      ],
      [
        ["--chip", "STM32F446RET6", "--firmware", "fw.elf"],
        /--chip must be a chip that probe-rs knows: .*chip = "STM32F446RETx"/,
      ],
      [
        ["--chip", "STM32F446RETx", "--firmware", "no.elf"],
        /--firmware must be the firmware's ELF file: .*no\.elf/,
      ],
      [
        ["--chip", "STM32F446RETx", "--firmware", "bench"],
        /--firmware must be the firmware's ELF file: .*is none/,
      ],
      [["--probe", "zzz", "--chip", "x"], /--probe must be VID:PID/],
      [["--from", "no.txt"], /--from must name a file with lines: "no\.txt" d/],
      [
        ["--config", "no/such.toml"],
        /there is no folder ".*no": make it first/,
      ],
    ];
    await Deno.writeTextFile(desk.inFolder("bench"), "no ELF");
    await Deno.writeTextFile(desk.inFolder("a${NO_SUCH}"), "token");
    for (const [args, message] of cases) {
      const board = ["--chip", "--probe", "--command"].some((flag) =>
          args.includes(flag)
        )
        ? []
        : ["--command", "cat x"];
      const database = args.includes("--influxdb")
        ? []
        : ["--influxdb", "none"];
      const { code, stderr } = await init(
        desk,
        ...["--yes", ...board, ...database, ...args],
      );
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /geheim|\n {4}at /);
    }
    assert.deepEqual(await desk.names(), ["a${NO_SUCH}", "bench"]);
  });

  Deno.test({
    name:
      `init says before it asks anything that it cannot write there (${form})`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      await using desk = await makeDesk();
      const { code, stderr } = await init(desk, "--config", "/proc/x.toml");
      assert.equal(code, 2);
      assert.match(
        stderr,
        /^Error: Cannot write into the folder "\/proc" /,
      );
    },
  });

  Deno.test(`init goes on without probe-rs, and says what it could not look up (${form})`, async () => {
    await using desk = await makeDesk();
    const { code, stdout, stderr } = await init(
      { ...desk, env: { PATH: "/usr/bin:/bin" } },
      ...["--yes", "--influxdb", "none", "--chip", "STM32F446RET6"],
      ...["--firmware", "fw.elf"],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /such a chip is not known: probe-rs is not installed/);
    const { boards: [board] } = await desk.load();
    assert.equal(board?.chip, "STM32F446RET6");
  });

  const METRICS: Record<string, [marker: string, paths: string[]]> = {
    flat: ["", ["temp", "hum", "press", "co2", "vbat", "uptime"]],
    nested: ["TELE ", [
      ...["motor.speed_rpm", "motor.on"],
      ...[0, 1, 2].flatMap((i) => [
        `motor.phase[${i}].current`,
        `motor.phase[${i}].v`,
      ]),
      ...["valves[0]", "valves[1]", "state", "tank.level_pct", "tank.temp_c"],
    ]],
    kinds: ["", [
      ...["t", "rh", "acc.x", "acc.y", "acc.z"],
      ...["gyro[0]", "gyro[1]", "gyro[2]", "rssi", "snr", "rx", "err"],
      ...["heap_free", "task", "watchdog"],
    ]],
    guide_later: ["JSON sent via VCP: ", []],
    brackets: ["", ["temp", "wind.speed", "wind.dir"]],
  };
  for (const [name, [marker, paths]] of Object.entries(METRICS)) {
    Deno.test(`init --from reads the lines of the firmware ${name}, and every one becomes a packet (${form})`, async () => {
      await using desk = await makeDesk();
      const { code, stdout, stderr } = await init(
        desk,
        ...["--yes", ...COMMAND, "--from", `${FIRMWARE}${name}.txt`],
      );
      assert.equal(code, 0, stderr);
      const { boards: [board], metrics } = await desk.load();
      assert.equal(board?.marker, marker);
      assert.deepEqual(metrics.map(({ path }) => path), paths);
      const [, became, all] =
        /Tried with it: (\d+) of (\d+) lines/.exec(stdout) ?? [];
      assert.ok(Number(all) > 2);
      assert.equal(became, all, stdout);
      assert.equal(/GUESSED/.test(stdout), paths.length > 0);
      assert.ok(
        stdout.includes(
          marker === ""
            ? 'No words that all have stand before it, but for time, level and names in brackets: with marker = ""'
            : `Before it stands the marker "${marker}"`,
        ),
        stdout,
      );
      const text = await Deno.readTextFile(desk.inFolder("config.toml"));
      assert.equal(/^# What follows is guessed/m.test(text), paths.length > 0);
    });
  }

  Deno.test(`init writes dollars so that neither a marker nor a command becomes another one (${form})`, async () => {
    await using desk = await makeDesk();
    await Deno.writeTextFile(
      desk.inFolder("lines.txt"),
      'A${x} $$ {"a":1}\n'.repeat(3),
    );
    const line = "cat lines.txt; echo $$ ${HOME}";
    const { code, stdout, stderr } = await init(
      desk,
      ...["--yes", "--influxdb", "none", "--command", line],
      ...["--from", "lines.txt"],
    );
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /Tried with it: 3 of 3 lines/);
    const { boards: [board] } = await desk.load();
    assert.equal(board?.marker, "A${x} $$ ");
    assert.deepEqual(board.command, ["sh", "-c", line]);
  });

  Deno.test(`init --from says why JSON is broken, also beside lines that are whole (${form})`, async () => {
    await using desk = await makeDesk();
    const from = async (text: string) => {
      await Deno.writeTextFile(desk.inFolder("lines"), text);
      return await init(desk, "--yes", ...COMMAND, "--from", "lines");
    };
    const all = await from(`hello\n{"a":1,}\n`);
    assert.equal(all.code, 1);
    assert.match(
      all.stderr,
      /No line of "lines" holds a whole JSON object, and 1 line holds a JSON object that is broken: \{"a":1,\}: A string should stand where \} does: correct what the firmware prints/,
    );
    const { code, stdout } = await from('{"a":1}\n{"a":2}\n{"a":3,\n');
    assert.equal(code, 0);
    assert.match(
      stdout,
      /Not used: 1 line holds a JSON object that is broken: \{"a":3,: The line ends where a string should stand\.\n/,
    );
  });

  Deno.test(`init --from turns key=value lines away, and shows what the firmware should print (${form})`, async () => {
    await using desk = await makeDesk();
    const from = `${FIRMWARE}key_value.txt`;
    const { code, stderr } = await init(
      desk,
      ...["--yes", ...COMMAND, "--from", from],
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /3 lines say names and numbers: the gateway reads JSON, one object a line: let the firmware print \{"temp":21\.5,"hum":40,"vbat":3\.71\} instead of temp=21\.5 hum=40 vbat=3\.71/,
    );
    assert.deepEqual(await desk.names(), []);
  });

  Deno.test(`init --from says of objects over several lines that they have to be one (${form})`, async () => {
    await using desk = await makeDesk();
    await Deno.writeTextFile(desk.inFolder("lines"), '{\n  "t": 1,\n}\n');
    const args = ["--yes", ...COMMAND, "--from", "lines"];
    const { code, stderr } = await init(desk, ...args);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /No line of "lines" holds a whole JSON object, and 2 lines are pieces of one: .* print each object in one line/,
    );
    assert.deepEqual(await desk.names(), ["lines"]);
  });

  Deno.test(`init --from reads recordings, what the board's program said on stderr left aside (${form})`, async () => {
    await using desk = await makeDesk();
    const bytes = (text: string) => new TextEncoder().encode(text);
    const lines = [
      formatEntry({
        kind: "header",
        ms: 0,
        program: "1.0.0",
        board: "",
        time: "2026-11-27T15:00:00.000Z",
        clock: "known",
        running: null,
      }),
      formatEntry({ kind: "start", ms: 1, pid: 7, command: ["cat"] }),
      formatEntry({ kind: "out", ms: 2, bytes: bytes('TELE {"te') }),
      formatEntry({ kind: "err", ms: 3, bytes: bytes('{"not":1}\n') }),
      formatEntry({ kind: "out", ms: 4, bytes: bytes('mp":21.5}\n') }),
    ];
    await Deno.writeTextFile(desk.inFolder("x.recording"), lines.join("\n"));
    const { code, stderr } = await init(
      desk,
      ...["--yes", ...COMMAND, "--from", "x.recording"],
    );
    assert.equal(code, 0, stderr);
    const { boards: [board], metrics } = await desk.load();
    assert.equal(board?.marker, "TELE ");
    assert.deepEqual(metrics.map(({ path }) => path), ["temp"]);
  });
}

Deno.test("A command's words stay as they are, and a shell gets what is more than words", () => {
  assert.deepEqual(commandOf(" cat  /dev/ttyACM0 "), ["cat", "/dev/ttyACM0"]);
  assert.deepEqual(
    commandOf("socat - TCP:10.0.0.7:4001,crnl"),
    ["socat", "-", "TCP:10.0.0.7:4001,crnl"],
  );
  for (const line of ["a | b", "a 'b c'", "A=1 b", "a > b", "~/x", "a; b"]) {
    assert.deepEqual(commandOf(line), ["sh", "-c", line]);
  }
});
