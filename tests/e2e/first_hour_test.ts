/**
 * The first hour with a board that nobody has described: what it prints goes through `parse`, `init --from`,
 * `check`, `parse` again and `run`, to a real broker and a real database. What `parse` has shown is what
 * arrives there, all of it and nothing else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Program, PROGRAMS, PROJECT } from "../cli/program.ts";
import {
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
} from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

interface Firmware {
  /** What `parse` says of the lines before there is a configuration. */
  readonly firstWord: RegExp;
  /** What somebody corrects in the file that `init` has written. */
  readonly corrections?: readonly [before: string, after: string][];
  readonly packets: number;
  /** Readings that end here, each with its reason. */
  readonly dropped?: Readonly<Record<string, number>>;
  /** Every topic below `plant/` with its newest payload, and the newest point of its series. */
  readonly newest: Readonly<Record<string, [payload: string, point: string]>>;
}

const FIRMWARES: Readonly<Record<string, Firmware>> = {
  flat: {
    firstWord: /: set marker = "" under \[gateway\] .*names 6 fields/s,
    corrections: [
      ['name = "uptime"', 'name = "uptime"\ntype = "integer"'],
    ],
    packets: 4,
    dropped: { not_a_number: 1 },
    newest: {
      "device/temperature": [
        "21.5",
        "temperature,node=device,unit=celsius value=21.5",
      ],
      "device/humidity": ["41", "humidity,node=device,unit=percent value=41"],
      "device/pressure": [
        "101326",
        "pressure,node=device,unit=pa value=101326",
      ],
      "device/co2": ["618", "co2,node=device,unit=ppm value=618"],
      "device/battery_voltage": [
        "3.7",
        "battery_voltage,node=device,unit=volt value=3.7",
      ],
      "device/uptime": ["4", "uptime,node=device value=4i"],
    },
  },
  nested: {
    firstWord: /: set marker = "TELE " under \[gateway\] .*names 13 fields/s,
    packets: 3,
    newest: {
      "motor/speed_rpm": ["1205", "speed_rpm,node=motor,unit=rpm value=1205"],
      "motor/on": ["true", "on,node=motor value=true"],
      "motor_phase_0/current": [
        "1.47",
        "current,node=motor_phase_0,unit=ampere value=1.47",
      ],
      "motor_phase_0/voltage": [
        "229.7",
        "voltage,node=motor_phase_0,unit=volt value=229.7",
      ],
      "motor_phase_1/current": [
        "1.45",
        "current,node=motor_phase_1,unit=ampere value=1.45",
      ],
      "motor_phase_1/voltage": [
        "229.5",
        "voltage,node=motor_phase_1,unit=volt value=229.5",
      ],
      "motor_phase_2/current": [
        "1.49",
        "current,node=motor_phase_2,unit=ampere value=1.49",
      ],
      "motor_phase_2/voltage": [
        "230",
        "voltage,node=motor_phase_2,unit=volt value=230",
      ],
      "device/valves_0": ["true", "valves_0,node=device value=true"],
      "device/valves_1": ["false", "valves_1,node=device value=false"],
      "device/state": ["run", 'state,node=device value="run"'],
      "tank/level_pct": ["81.2", "level_pct,node=tank,unit=percent value=81.2"],
      "tank/temperature": [
        "18.3",
        "temperature,node=tank,unit=celsius value=18.3",
      ],
    },
  },
  kinds: {
    firstWord: /: set marker = "" under \[gateway\] .*names 15 fields/s,
    corrections: [
      ['name = "heap_free"', 'name = "heap_free"\ntype = "integer"'],
    ],
    packets: 9,
    newest: {
      "device/temperature": [
        "22.1",
        "temperature,node=device,unit=celsius value=22.1",
      ],
      "device/humidity": [
        "48.1",
        "humidity,node=device,unit=percent value=48.1",
      ],
      "acc/x": ["0.01", "x,node=acc value=0.01"],
      "acc/y": ["-0.02", "y,node=acc value=-0.02"],
      "acc/z": ["1.01", "z,node=acc value=1.01"],
      "device/gyro_0": ["0.1", "gyro_0,node=device value=0.1"],
      "device/gyro_1": ["0", "gyro_1,node=device value=0"],
      "device/gyro_2": ["-0.3", "gyro_2,node=device value=-0.3"],
      "device/rssi": ["-61", "rssi,node=device,unit=dbm value=-61"],
      "device/snr": ["9.5", "snr,node=device,unit=db value=9.5"],
      "device/rx": ["118", "rx,node=device value=118"],
      "device/err": ["0", "err,node=device value=0"],
      "device/heap_free": ["41216", "heap_free,node=device value=41216i"],
      "device/task": ["main", 'task,node=device value="main"'],
      "device/watchdog": ["true", "watchdog,node=device value=true"],
    },
  },
  guide_later: {
    firstWord: /^4 lines: 3 packets with 25 readings, 0 rejects, 1 other$/m,
    packets: 3,
    newest: {
      "node1/temperature": [
        "27.7",
        "temperature,node=node1,unit=celsius value=27.7",
      ],
      "node1/humidity": ["54.2", "humidity,node=node1,unit=percent value=54.2"],
      "node1/gas_resistance": [
        "84402",
        "gas_resistance,node=node1,unit=ohms value=84402",
      ],
      "node2/temperature": [
        "26.8",
        "temperature,node=node2,unit=celsius value=26.8",
      ],
      "node2/humidity": ["49", "humidity,node=node2,unit=percent value=49"],
      "signal/rssi": ["-39", "rssi,node=signal,unit=dbm value=-39"],
      "signal/snr": ["12", "snr,node=signal,unit=db value=12"],
      "stats/packets_received": ["3", "packets_received,node=stats value=3"],
      "stats/crc_errors": ["0", "crc_errors,node=stats value=0"],
    },
  },
};

const GUIDES_MARKER = "JSON sent via VCP: ";

/** What `parse --json` says of a value. */
interface Shown {
  readonly topic: string;
  readonly payload: string;
  readonly point: string;
}

for (const program of PROGRAMS) {
  for (const [name, firmware] of Object.entries(FIRMWARES)) {
    Deno.test({
      name:
        `What the firmware ${name} prints is on the broker and in the database as parse shows it after init --from (${program.form})`,
      ...requires("mosquitto", "victoria-metrics"),
      fn: async () => {
        const lines = `${PROJECT}tests/testdata/firmware/${name}.txt`;
        const { packets, dropped = {}, newest } = firmware;
        await using broker = await startMosquitto();
        await using victoria = await startVictoriaMetrics();
        await using gateway = await desk(program);
        const parsed = await gateway.run("parse", lines);
        assert.match(parsed.stderr, firmware.firstWord);

        const config = join(gateway.folder, "config.toml");
        const made = await gateway.run(
          ...["init", "--config", config, "--from", lines],
          ...["--broker", broker.url, "--topic-prefix", "plant"],
          ...["--influxdb", victoria.url, "--org", "o", "--bucket", "b"],
          ...["--token-file", join(gateway.folder, "token")],
          ...["--command", `cat '${lines}' && exec sleep 60`],
        );
        assert.equal(made.code, 0, made.stderr);
        await correct(config, [
          // Not every machine that tests says that its clock is right.
          ["#trust = false", "trust = true"],
          ["#max_megabytes = 64", "max_megabytes = 8"],
          ...firmware.corrections ?? [],
        ]);
        const checked = await gateway.run("check");
        assert.match(checked.stdout, /^ok +Configuration +config\.toml is/m);
        assert.equal(checked.code, 0, checked.stdout);

        const shown = await shownValues(gateway, lines);
        assert.deepEqual(lastOf(shown), newest);

        // Behind the check, which publishes an empty message.
        await using heard = await subscribe(broker.url, "plant/#");
        gateway.start();
        await heard.waitFor(shown.length);
        await eventually(
          "the database has all",
          async () => (await victoria.export()).length >= shown.length,
        );
        const { boards, sinks } = await eventually(
          "both servers have confirmed all",
          async () => {
            const status = await gateway.status();
            return status.sinks.every(({ waiting }) => waiting === 0) && status;
          },
        );
        assert.equal(await gateway.end("SIGTERM"), 0);
        const [board] = boards;
        assert.deepEqual([board?.packets, board?.rejects], [packets, 0]);
        for (const sink of sinks) {
          assert.deepEqual(sink.dropped, dropped, sink.name);
          assert.equal(sink.delivered, shown.length, sink.name);
        }
        assert.deepEqual(
          heard.messages.map(({ topic, payload }) => `${topic} ${payload}`),
          shown.map(({ topic, payload }) => `${topic} ${payload}`),
        );
        assert.deepEqual(
          (await victoria.export()).map(({ name, tags, value }) =>
            `${name} ${JSON.stringify([tags.node, tags.unit])} ${value}`
          ).toSorted(),
          shown.map(({ point }) => asVictoria(point)).toSorted(),
        );
        assert.doesNotMatch(gateway.log, / (?:WARN|ERROR) /);
        // Each with its reason once.
        assert.equal(
          gateway.log.match(/ Not sent: \S+ = /g)?.length ?? 0,
          Object.keys(dropped).length,
        );
      },
    });
  }

  Deno.test({
    name:
      `A firmware that prints key=value is turned away by parse, init and run with the same word (${program.form})`,
    ...requires("mosquitto"),
    fn: async () => {
      const lines = `${PROJECT}tests/testdata/firmware/key_value.txt`;
      const word = (marker: string) =>
        `the gateway reads JSON, one object a line: let the firmware print ${marker}{"temp":21.5,"hum":40,"vbat":3.71} instead of temp=21.5 hum=40 vbat=3.71, or put a program between that prints so, as gateway.command`;
      await using broker = await startMosquitto();
      await using heard = await subscribe(broker.url, "plant/#");
      await using gateway = await desk(program);
      const parsed = await gateway.run("parse", lines);
      assert.equal(parsed.code, 1);
      assert.ok(parsed.stderr.includes(word(GUIDES_MARKER)), parsed.stderr);

      const config = join(gateway.folder, "config.toml");
      const flags = [
        ...["init", "--config", config, "--broker", broker.url],
        ...["--topic-prefix", "plant", "--influxdb", "none"],
        // It says the same all the time, so that the newest line is as the first.
        ...["--command", `while sed -n 2p '${lines}'; do sleep 0.01; done`],
      ];
      const refused = await gateway.run(...flags, "--from", lines);
      assert.equal(refused.code, 1);
      assert.ok(refused.stderr.includes(word("")), refused.stderr);
      await assert.rejects(Deno.stat(config), Deno.errors.NotFound);

      const made = await gateway.run(...flags);
      assert.equal(made.code, 0, made.stderr);
      gateway.start();
      await eventually(
        "the log says it",
        () => gateway.log.includes(`To do: ${word(GUIDES_MARKER)}\n`),
      );
      assert.equal(await gateway.end("SIGTERM"), 0);
      assert.deepEqual(heard.messages, []);
    },
  });
}

Deno.test("The README's first hour shows what parse and init print", async () => {
  const readme = await Deno.readTextFile(`${PROJECT}README.md`);
  await using gateway = await desk(PROGRAMS[0]!);
  const lines = join(gateway.folder, "lines.txt");
  await Deno.copyFile(`${PROJECT}tests/testdata/firmware/nested.txt`, lines);
  // In the repository, where the guide's configuration is.
  await Deno.copyFile(
    `${PROJECT}config.toml`,
    join(gateway.folder, "config.toml"),
  );
  const parsed = await gateway.run("parse", "lines.txt");
  const made = await gateway.run(
    ...["init", "--config", "my.toml", "--from", "lines.txt"],
    ...["--broker", "mqtt://127.0.0.1:1883", "--influxdb", "none"],
    ...["--command", "cat lines.txt"],
  );
  for (
    const [minute, output] of [
      ["**Minute 15", parsed.stderr],
      ["**Minute 17", made.stdout],
    ] as const
  ) {
    const [page = ""] = readme.split(minute).slice(1);
    const shown = page.slice(0, page.indexOf("\n**")).split("\n")
      .filter((line) => /^ {4}(?!log )./.test(line) && line !== "    …")
      .map((line) => line.slice(4).replace(/…$/, ""));
    assert.ok(shown.length > 3, minute);
    for (const line of shown) {
      assert.ok(output.includes(line.trimEnd()), `${line}\n\n${output}`);
    }
  }
});

/** A gateway with a folder of its own that has a token, and no configuration yet. */
async function desk(program: Program): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.create({ program, config: "" });
  await Deno.remove(join(gateway.folder, "config.toml"));
  await Deno.writeTextFile(join(gateway.folder, "token"), "a-long-token\n");
  return gateway;
}

async function correct(
  file: string,
  corrections: readonly [before: string, after: string][],
): Promise<void> {
  let text = await Deno.readTextFile(file);
  for (const [before, after] of corrections) {
    assert.equal(text.split(`\n${before}\n`).length, 2, before);
    text = text.replace(`\n${before}\n`, `\n${after}\n`);
  }
  await Deno.writeTextFile(file, text);
}

/** Every value that `parse --json` shows, in order. */
async function shownValues(
  gateway: GatewayProcess,
  lines: string,
): Promise<Shown[]> {
  const { code, stdout, stderr } = await gateway.run("parse", lines, "--json");
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split("\n").flatMap((line) => {
    const entry = JSON.parse(line) as { kind: string; values?: Shown[] };
    assert.notEqual(entry.kind, "reject", line);
    return entry.values ?? [];
  });
}

function lastOf(shown: readonly Shown[]): Firmware["newest"] {
  return Object.fromEntries(
    shown.map(({ topic, payload, point }) => [
      topic.replace(/^plant\//, ""),
      [payload, point],
    ]),
  );
}

/** How VictoriaMetrics gives a point back: numbers only, 1 for true, 0 for a text. */
function asVictoria(point: string): string {
  const [, name, tags, text = ""] = /^([^,]+),(\S+) value=(.*)$/.exec(point)!;
  const tag = (key: string) =>
    tags?.split(",").find((one) => one.startsWith(`${key}=`))?.split("=")[1];
  const value = text === "true"
    ? 1
    : text === "false" || text.startsWith('"')
    ? 0
    : parseFloat(text);
  return `${name}_value ${JSON.stringify([tag("node"), tag("unit")])} ${value}`;
}
