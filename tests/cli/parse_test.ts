import assert from "node:assert/strict";
import { requires } from "../servers.ts";
import { type Ended, PROGRAMS, PROJECT, runToEnd } from "./program.ts";
import { TerminalSession } from "./terminal_session.ts";

const MARKER = "JSON sent via VCP: ";
const PACKET = `${MARKER}{"n1":{"t":27.6}}`;
const VALUE =
  "value\tiiot/node1/temperature\t27.6\tcelsius\tretained\ttemperature,node=node1,unit=celsius value=27.6";
const BRACKETS = `${PROJECT}tests/testdata/firmware/brackets.txt`;
const RECORDINGS = `${PROJECT}tests/testdata/recordings`;

/** A folder to work in, with a file of `lines` and, if it is given, a config.toml. */
async function setUp(lines: string, config?: string) {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/lines`, lines);
  if (config !== undefined) {
    await Deno.writeTextFile(`${folder}/config.toml`, config);
  }
  return {
    folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const CONFIG = `
[mqtt]
broker_url = "mqtts://\${NO_BROKER}:8883"
client_id = "gw-\${NO_ID}"
topic_prefix = "site"
password_file = "/nonexistent/password"
[influxdb]
url = "https://\${NO_DATABASE}"
org = "\${NO_ORG}"
bucket = "telemetry"
`;

for (const { form, command } of PROGRAMS) {
  const parse = (...args: string[]) => [...command, "parse", ...args];

  /** Runs it in a folder; `lines` are those of its file. */
  const run = async (
    lines: string,
    { args = ["lines"], config }: { args?: string[]; config?: string } = {},
  ): Promise<Ended> => {
    await using set = await setUp(lines, config);
    return await runToEnd(parse(...args), { cwd: set.folder });
  };

  Deno.test(`parse shows what the lines of a file become, without a configuration (${form})`, async () => {
    const { code, stdout, stderr } = await run(
      `hello\n${PACKET}\n${MARKER}{"n1":\n`,
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      stdout.split("\n"),
      [
        "log\tinfo\tno marker\thello",
        `packet\t\t${PACKET}`,
        VALUE,
        `reject\tThe line ends where a value should stand\t${MARKER}{"n1":`,
        "",
      ],
    );
    assert.equal(
      stderr,
      `There is no config.toml here: takes what is built in, with topics below iiot
3 lines: 1 packet with 1 reading, 1 reject, 1 other
`,
    );
  });

  for (const marker of ["[wx] ", "[wx]", ""]) {
    Deno.test(`parse takes what stands in brackets before the JSON for the marker ${JSON.stringify(marker)} (${form})`, async () => {
      const lines = await Deno.readTextFile(BRACKETS);
      const { code, stdout, stderr } = await run(lines, {
        config:
          `${CONFIG}[gateway]\nmarker = "${marker}"\n[[metric]]\npath = "temp"\nnode = "wx"\nname = "temperature"\n`,
      });
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /6 lines: 3 packets with 3 readings, 0 rejects, 3 o/,
      );
      assert.deepEqual(
        [...stdout.matchAll(/^value\t\S+\t(\S+)/gm)].map(([, one]) => one),
        ["21.4", "21.5", "21.7"],
      );
    });
  }

  Deno.test(`parse needs no token, no password and no variable of a server (${form})`, async () => {
    const { code, stdout, stderr } = await run(PACKET, { config: CONFIG });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\tsite\/node1\/temperature\t27\.6\t/);
    assert.equal(
      stderr,
      "1 line: 1 packet with 1 reading, 0 rejects, 0 others\n",
    );
  });

  Deno.test(`parse shows faults of the configuration like every command (${form})`, async () => {
    const { code, stderr } = await run(PACKET, {
      config: `${CONFIG}[gateway]\nmarker = "\${NO_MARKER}"\nmarkre = 1\n`,
    });
    assert.equal(code, 2);
    assert.match(
      stderr,
      /config\.toml:\d+:\d+: "gateway\.marker" needs the environment variable "NO_MARKER"/,
    );
    assert.match(stderr, /markre/);
    const none = await run(PACKET, { args: ["-c", "config.toml", "lines"] });
    assert.equal(none.code, 2);
    assert.match(
      none.stderr,
      /Cannot read the configuration: .*does not exist/,
    );
  });

  Deno.test(`parse --json writes an object a line, the last with the counts (${form})`, async () => {
    const { code, stdout } = await run(
      `${PACKET}\n${MARKER}{"n1":{"t":2795,"h":NaN}}\n`,
      { args: ["--json", "lines"] },
    );
    assert.equal(code, 0);
    const objects = stdout.trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.deepEqual(objects.map(({ kind }) => kind), [
      "packet",
      "packet",
      "summary",
    ]);
    assert.deepEqual(objects[2], {
      kind: "summary",
      lines: 2,
      packets: 2,
      rejects: 0,
      other: 0,
      truncated: 0,
      readings: 3,
      dropped: { implausible: 1, not_a_number: 1 },
      proposals: [],
    });
  });

  Deno.test(`parse reads recordings, each run of the program by itself (${form})`, async () => {
    const file = `${RECORDINGS}/unplugged_and_crashed.recording`;
    const { code, stdout, stderr } = await runToEnd(
      parse("-c", "config.toml", file),
      {
        cwd: PROJECT,
      },
    );
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stdout, /iiot-gateway recording/);
    assert.match(stdout, /^log\terror\t.*The firmware panicked at /m);
    assert.match(
      stderr,
      /26 lines: 8 packets with 72 readings, 1 reject, 17 others/,
    );
    // From stdin it is the same.
    const shell = `${parse("-c", "config.toml").join(" ")} < ${file}`;
    const piped = await runToEnd(["sh", "-c", shell], { cwd: PROJECT });
    assert.deepEqual(piped, { code, stdout, stderr });
  });

  Deno.test(`parse says what would help where no line is a packet, and ends with 1 (${form})`, async () => {
    const cases: [lines: string, ...words: RegExp[]][] = [
      ["", /No line came from "lines"/],
      [
        'sensor 1: {"n1":{"t":1}}\nsensor 22: {"n1":{"t":2}}\n',
        /2 lines hold a JSON object and are not read\. To do: gateway\.marker is "JSON sent via VCP: ", and stands before none: set marker = "" under \[gateway\] in config\.toml, which takes any line that holds one JSON object\n/,
      ],
      [
        'boot\n[INFO] node 1 data: {"n1":{"t":1}}\nnode 2 data: {"n1":{"t":2}}\n',
        /: set marker = "data: " under \[gateway\] in config\.toml \(marker = "" takes any line that holds one JSON object\)\n/,
      ],
      [
        "t=21.5 h=40\nt=21.6 h=41\n",
        /2 lines say names and numbers, and none is JSON\. To do: the gateway reads JSON, one object a line: let the firmware print JSON sent via VCP: \{"t":21\.5,"h":40\} instead of t=21\.5 h=40, or put a program/,
      ],
      [
        `${MARKER}{"n1":\n${MARKER}{"n1":\n${MARKER}[]\n`,
        /3 lines look like telemetry and cannot be used, 2 for this reason: The line ends/,
      ],
      [
        '{\n  "n1": {\n    "t": 1\n  }\n}\n',
        /3 lines are pieces of a JSON object over several lines\. To do: a packet is one line: let the firmware print each object in one line/,
      ],
      [
        `${MARKER}{\n  "t": 1\n}\n`,
        /1 for this reason: The JSON object goes on in the next line, and a packet is one line: let the firmware print each object in one line/,
      ],
      [
        '[INFO] \u0002TELE {"t":1}\n[INFO] \u0002TELE {"t":2}\n',
        /: set marker = "TELE " under/,
      ],
      [
        `{"a":1,}\n{'a':1}\n`,
        /2 lines hold a JSON object that is broken, the first of them \{"a":1,\}: A string should stand where \} does\. To do: correct what the firmware prints/,
      ],
      [
        '[wx] {"a":1,\n',
        /1 line holds a JSON object that is broken: \[wx\] \{"a":1,: The line ends where a string should stand\./,
      ],
      ["hello\n", /No line holds "JSON sent via VCP: ", nor any JSON object/],
    ];
    for (const [lines, ...words] of cases) {
      const { code, stderr } = await run(lines);
      assert.equal(code, 1, lines);
      for (const one of words) assert.match(stderr, one);
    }
    const { code, stderr } = await run('{"t":null}\n', {
      args: ["lines", "--config", "config.toml"],
      config: `${CONFIG}[gateway]\nmarker = ""\n`,
    });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /1 line holds a JSON object, and no value in it can be sent\. To do: let the firmware print a value /,
    );
  });

  Deno.test(`parse proposes a table for each field that no metric names (${form})`, async () => {
    const lines = `${MARKER}{"n1":{"t":1},"co2":415,"motor":{"rpm":5}}\n`;
    const { code, stderr } = await run(lines, {
      config: `${CONFIG}[[metric]]
path = "motor.rpm"
node = "motor"
name = "rpm"
`,
    });
    assert.equal(code, 0);
    assert.match(
      stderr,
      /\nNo \[\[metric\]\] names 1 field: not sent\. To do: paste/,
    );
    assert.match(
      stderr,
      /\n\[\[metric\]\]\npath = "co2" .*\nnode = "device"\nname = "co2"\n/,
    );
    assert.doesNotMatch(stderr, /motor/);
    const tables = stderr.slice(stderr.indexOf("[[metric]]\n"));
    const again = await run(lines, { config: CONFIG + tables });
    assert.match(again.stdout, /\tsite\/device\/co2\t415\t/);
    const none = await run(lines);
    assert.match(none.stderr, /init --from lines --config config\.toml\n$/);
    const other = await run('T {"co2":415}\n', { config: CONFIG });
    assert.match(other.stderr, /init --from lines --config my\.toml\n$/);
    const fits = await run(lines, { config: CONFIG });
    assert.doesNotMatch(fits.stderr, /init --from/);
  });

  Deno.test(`parse says once what to do about values that do not fit their table (${form})`, async () => {
    const lines = `${MARKER}{"n1":{"t":true,"h":180}}\n`;
    const { code, stderr } = await run(lines + lines);
    assert.equal(code, 0);
    assert.equal(
      stderr.match(
        /^Not sent: n1\.t = true, and its \[\[metric\]\] is for a number\. To do: set type = "boolean"/gm,
      )?.length,
      1,
    );
    assert.match(stderr, /^Not sent: n1\.h = 180, which cannot be/m);
  });

  Deno.test(`parse finds packets once the marker is the one that it named (${form})`, async () => {
    const lines =
      '[INFO] node 1 data: {"n1":{"t":1}}\nnode 2 data: {"n1":{"t":2}}\n';
    const { stderr } = await run(lines);
    const marker = /set (marker = "[^"]*")/.exec(stderr)?.[1];
    const { code, stdout } = await run(lines, {
      config: `${CONFIG}[gateway]\n${marker}\n`,
    });
    assert.equal(code, 0);
    assert.equal(stdout.match(/^packet/gm)?.length, 2);
  });

  Deno.test(`parse takes the board that is named, or recorded, where there are several (${form})`, async () => {
    const config = `${CONFIG}
[[board]]
name = "hall"
command = ["a"]
[[board]]
name = "yard"
command = ["b"]
marker = ">"`;
    const yard = await run('>{"n1":{"t":1}}', {
      args: ["lines", "--board", "yard"],
      config,
    });
    assert.match(yard.stdout, /\tsite\/yard\/node1\/temperature\t1\t/);
    const recording =
      `{"format":"iiot-gateway recording","version":1,"program":"0.1.0","board":"yard","time":"2026-11-27T14:12:02.767Z","clock":"known","ms":0,"running":null}
[1,"start",{"pid":1,"command":["x"]}]
[2,"out",">{\\"n1\\":{\\"t\\""]
[3,"err",">{\\"n1\\":{\\"t\\":9}}\\n"]
[4,"out",":2}}\\n>{\\"n1\\""]
[5,"end",{"code":0}]
[6,"start",{"pid":2,"command":["x"]}]
[7,"out",">{\\"n1\\":{\\"t\\":3}}\\n"]
`;
    const recorded = await run(recording, { config });
    assert.deepEqual(
      recorded.stdout.match(/^(value|reject).*?\t.*?(?=\t)/gm),
      [
        "value\tsite/yard/node1/temperature",
        'reject\tThe line ends where ":" should stand',
        "value\tsite/yard/node1/temperature",
      ],
    );
    const wrong: [args: string[], message: RegExp][] = [
      [
        ["lines"],
        /There are several boards: --board must be one of "hall", "yard"/,
      ],
      [["lines", "--board", "x"], /no board "x": it has "hall", "yard"/],
      [["nothing"], /Cannot read the lines: "nothing" does not exist/],
      [["."], /Cannot read the lines: "\." is a folder/],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await run(PACKET, { args, config });
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
  });

  Deno.test(`parse shows a line of a pipe while the pipe is open, and ends in order on SIGINT (${form})`, async () => {
    await using set = await setUp("");
    const [program, ...args] = parse();
    await using child = new Deno.Command(program!, {
      args,
      cwd: set.folder,
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const hangs = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const stderr = new Response(child.stderr).text();
    const stdin = child.stdin.getWriter();
    await stdin.write(new TextEncoder().encode(`${PACKET}\n`));
    let stdout = "";
    for await (
      const text of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      stdout += text;
      // Nothing more is written, and stdin stays open.
      if (stdout.includes("value")) child.kill("SIGINT");
    }
    const { code } = await child.status;
    clearTimeout(hangs);
    await stdin.close().catch(() => {});
    assert.equal(code, 0);
    assert.equal(stdout, `packet\t\t${PACKET}\n${VALUE}\n`);
    assert.match(
      await stderr,
      /\nInterrupted: 1 line: 1 packet with 1 reading/,
    );
  });

  Deno.test(`parse ends well when its reader has seen enough (${form})`, async () => {
    await using set = await setUp(`${PACKET}\n`.repeat(100_000));
    const line = parse("lines").map((one) => `'${one}'`).join(" ");
    const { code, stdout, stderr } = await runToEnd(
      ["sh", "-c", `(${line}; echo "exit $?" >&2) | head -n 2`],
      { cwd: set.folder },
    );
    assert.equal(code, 0);
    assert.equal(stdout.split("\n").length, 3);
    assert.match(stderr, /exit 0/);
    assert.doesNotMatch(stderr, /Error/);
  });

  Deno.test({
    name:
      `parse shows columns and colours at a terminal, and obeys nothing in a line (${form})`,
    ...requires("script"),
    fn: async () => {
      await using set = await setUp(
        `${PACKET}\nevil \x1b[2J\x1b[?1049h\x07 end \x07\n${MARKER}\x1b[2J \x07\n`,
      );
      await using session = new TerminalSession(
        parse("-c", "config.toml", `${set.folder}/lines`),
        { columns: 120, rows: 24 },
      );
      assert.equal(await session.end(), 0);
      assert.deepEqual(session.terminal.screen, [
        "packet",
        "  iiot/node1/temperature  27.6 °C  retained  temperature,node=node1,unit=celsius value=27.6",
        "log       no marker  evil  end \\u{7}",
        "reject    No JSON object stands behind the marker",
        "          JSON sent via VCP:  \\u{7}",
        "3 lines: 1 packet with 1 reading, 1 reject, 1 other",
      ]);
      assert.ok(session.all.includes("\x1b[32mpacket"), session.all);
      for (const one of ["\x1b[2J", "\x1b[?1049h", "\x07"]) {
        assert.ok(!session.all.includes(one), JSON.stringify(one));
      }
    },
  });

  Deno.test({
    name: `parse uses no colours at a terminal with NO_COLOR (${form})`,
    ...requires("script"),
    fn: async () => {
      await using set = await setUp(`${PACKET}\n`);
      await using session = new TerminalSession(
        parse("-c", "config.toml", `${set.folder}/lines`),
        { columns: 120, rows: 24, env: { NO_COLOR: "1" } },
      );
      assert.equal(await session.end(), 0);
      assert.ok(!session.all.includes("\x1b"), session.all);
    },
  });
}
