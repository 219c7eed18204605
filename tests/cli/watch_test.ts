import assert from "node:assert/strict";
import mqtt from "mqtt";
import { startBroker } from "../../lib/broker.ts";
import { DEAD_PORT, freePort, requires, startMosquitto } from "../servers.ts";
import { PROGRAMS, runToEnd } from "./program.ts";
import { TerminalSession } from "./terminal_session.ts";

/** A folder with a config.toml for the broker at `url`. */
async function setUp(url: string, more = "") {
  const folder = await Deno.makeTempDir();
  const config = `${folder}/config.toml`;
  await Deno.writeTextFile(
    config,
    `
[mqtt]
broker_url = "${url}"
client_id = "gw"
topic_prefix = "iiot"
${more}
[influxdb]
url = "http://\${NO_SUCH_HOST}:8086"
org = "my-org"
bucket = "telemetry"
`,
  );
  return {
    config,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function publisher(url: string, protocolVersion: 4 | 5 = 5) {
  const client = await mqtt.connectAsync(url, {
    protocolVersion,
    reconnectPeriod: 0,
  });
  return {
    publish: (topic: string, text: string, retain = false) =>
      client.publishAsync(topic, text, { qos: 1, retain }),
    [Symbol.asyncDispose]: () => client.endAsync(),
  };
}

/** A command that runs until it is told to stop; its lines as they come. */
class Running implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;
  readonly #hangs: ReturnType<typeof setTimeout>;
  stdout = "";
  stderr = "";
  #look = () => {};

  constructor([program, ...args]: readonly string[]) {
    this.#child = new Deno.Command(program!, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#hangs = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
    const read = async (
      from: ReadableStream<Uint8Array<ArrayBuffer>>,
      take: (text: string) => void,
    ) => {
      for await (const text of from.pipeThrough(new TextDecoderStream())) {
        take(text);
        this.#look();
      }
    };
    this.#read = Promise.all([
      read(this.#child.stdout, (text) => this.stdout += text),
      read(this.#child.stderr, (text) => this.stderr += text),
    ]);
  }

  get lines(): string[] {
    return this.stdout.split("\n").slice(0, -1);
  }

  async until(is: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#look = () => is() && resolve();
    this.#look();
    void this.#read.then(() =>
      reject(new Error(`It has ended:\n${this.stdout}${this.stderr}`))
    );
    await promise;
  }

  async end(signal?: Deno.Signal): Promise<number> {
    if (signal !== undefined) this.#child.kill(signal);
    const { code } = await this.#child.status;
    await this.#read;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#hangs);
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.end();
  }
}

for (const { form, command } of PROGRAMS) {
  const watch = (...args: string[]) => [...command, "watch", ...args];

  Deno.test({
    name:
      `watch writes time, topic, value, unit and flags of each message into a pipe (${form})`,
    ...requires("mosquitto"),
    fn: async () => {
      await using broker = await startMosquitto();
      await using others = await publisher(broker.url);
      await using set = await setUp(broker.url);
      await others.publish("iiot/node1/temperature", "27.6", true);
      await using run = new Running(watch("--config", set.config));
      await run.until(() => run.lines.length === 1);
      await others.publish("iiot/hall/node1/humidity", "54", false);
      await others.publish("iiot/x", "\x1b[2J\ttab\nline");
      await others.publish("elsewhere", "1");
      await run.until(() => run.lines.length === 3);
      assert.equal(await run.end("SIGINT"), 0, run.stderr);
      assert.deepEqual(
        run.lines.map((line) =>
          line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z\t/, "")
        ),
        [
          "iiot/node1/temperature\t27.6\tcelsius\tretained,stored",
          "iiot/hall/node1/humidity\t54\tpercent",
          "iiot/x\t\\u{1b}[2J\\u{9}tab\\u{a}line",
        ],
      );
      assert.equal(
        run.stderr,
        `Watches iiot/# at 127.0.0.1:${broker.port}, MQTT 5\n`,
      );
    },
  });

  Deno.test({
    name:
      `watch --json writes an object a line, of the filters' topics alone (${form})`,
    ...requires("mosquitto"),
    fn: async () => {
      await using broker = await startMosquitto();
      await using others = await publisher(broker.url);
      await using set = await setUp(broker.url);
      await others.publish(
        "iiot/history/node1/temperature",
        '{"time":"2026-11-23T10:00:00.000000Z","value":27.6}',
        true,
      );
      await others.publish("iiot/node2/pressure", "1013", true);
      await others.publish("iiot/gateway/state", "online", true);
      await using run = new Running(
        watch("--json", "-c", set.config, "+/state", "iiot/history/#"),
      );
      await run.until(() => run.lines.length === 2);
      assert.equal(await run.end("SIGTERM"), 0, run.stderr);
      const objects = run.lines.map((line) => {
        const { time, ...rest } = JSON.parse(line);
        assert.match(time, /^\d{4}-/);
        return rest;
      }).sort((a, b) => a.topic < b.topic ? -1 : 1);
      const flags = { retained: true, stored: true };
      assert.deepEqual(objects, [
        {
          topic: "iiot/gateway/state",
          value: "online",
          unit: null,
          ...flags,
          historical: false,
        },
        {
          topic: "iiot/history/node1/temperature",
          value: 27.6,
          unit: "celsius",
          ...flags,
          historical: true,
          happened: "2026-11-23T10:00:00.000000Z",
        },
      ]);
    },
  });

  Deno.test(`watch reads from the embedded broker, and of one board (${form})`, async () => {
    const port = freePort();
    const url = `mqtt://127.0.0.1:${port}`;
    await using _broker = await startBroker({ host: "127.0.0.1", port });
    await using others = await publisher(url, 4);
    await using set = await setUp(
      `mqtt://127.0.0.1:${DEAD_PORT}`,
      `[broker]
port = ${port}
[gateway]
chip = "x"
[[board]]
name = "hall"
command = ["a"]
[[board]]
name = "yard"
command = ["b"]`,
    );
    await others.publish("iiot/yard/node1/temperature", "1", true);
    await others.publish("iiot/hall/node1/temperature", "2", true);
    await using run = new Running(
      watch("--embedded-broker", "-c", set.config, "--board", "hall"),
    );
    await run.until(() => run.lines.length === 1);
    assert.match(run.lines[0] ?? "", /\tiiot\/hall\/node1\/temperature\t2\t/);
    assert.equal(await run.end("SIGINT"), 0);
    const { code, stderr } = await runToEnd(
      watch("-c", set.config, "--board", "hell"),
    );
    assert.equal(code, 2);
    assert.match(stderr, /no board "hell": it has "hall", "yard"/);
  });

  Deno.test({
    name: `watch says what is wrong with the broker and what to do (${form})`,
    ...requires("mosquitto"),
    fn: async () => {
      await using broker = await startMosquitto({
        conf: ["allow_anonymous false"],
      });
      {
        await using set = await setUp(
          broker.url,
          'username = "u"\npassword = "not-this-one"',
        );
        const { code, stdout, stderr } = await runToEnd(
          watch("-c", set.config),
        );
        assert.deepEqual([code, stdout], [1, ""], stderr);
        assert.match(
          stderr,
          /^Error: .* refuses the connection: "Not authorized".*\. To do: Correct "mqtt\.username" and "mqtt\.password"/,
        );
        assert.doesNotMatch(stderr, /not-this-one|start the gateway again/);
      }
      const cases: [url: string, message: RegExp][] = [
        [
          `mqtt://127.0.0.1:${DEAD_PORT}`,
          /nothing listens there\. To do: Start the broker, or correct "mqtt\.broker_url"/,
        ],
        [
          "mqtt://no-such-host.invalid",
          /no-such-host\.invalid:1883: .*\. To do: /,
        ],
      ];
      for (const [url, message] of cases) {
        await using set = await setUp(url);
        await using run = new Running(watch("-c", set.config));
        await run.until(() => run.stderr.includes("\n"));
        assert.equal(await run.end("SIGINT"), 0);
        assert.match(run.stderr, message);
        assert.equal(run.stderr.split("\n").length, 2, run.stderr);
      }
    },
  });

  Deno.test(`watch needs a broker in the configuration, and filters that are some (${form})`, async () => {
    await using set = await setUp("mqtt://127.0.0.1");
    const filter = await runToEnd(watch("-c", set.config, "a/#/b"));
    assert.equal(filter.code, 2);
    assert.match(filter.stderr, /^Error: "a\/#\/b" is no topic filter: /);
    const alone = `${set.config}.alone`;
    const text = await Deno.readTextFile(set.config);
    await Deno.writeTextFile(alone, text.slice(text.indexOf("[influxdb]")));
    const none = await runToEnd(watch("-c", alone));
    assert.equal(none.code, 2);
    assert.match(none.stderr, /has no table \[mqtt\]/);
  });

  Deno.test({
    name: `watch ends well when its reader has seen enough (${form})`,
    ...requires("mosquitto"),
    fn: async () => {
      await using broker = await startMosquitto();
      await using others = await publisher(broker.url);
      await using set = await setUp(broker.url);
      for (let i = 0; i < 50; i++) await others.publish(`iiot/${i}`, "1", true);
      const line = watch("-c", set.config).map((one) => `'${one}'`).join(" ");
      const shell = new Running([
        "sh",
        "-c",
        `(${line}; echo "exit $?" >&2) | head -n 2`,
      ]);
      await using run = shell;
      await run.until(() => run.lines.length === 2);
      // It notices at its next line.
      const feeding = setInterval(() => void others.publish("iiot/0", "2"), 50);
      await run.until(() => /exit \d/.test(run.stderr)).finally(() =>
        clearInterval(feeding)
      );
      assert.match(run.stderr, /exit 0/);
      assert.doesNotMatch(run.stderr, /Error/);
    },
  });

  Deno.test({
    name:
      `watch shows a table at a terminal, writes over it and leaves it there (${form})`,
    ...requires("mosquitto", "script"),
    fn: async () => {
      await using broker = await startMosquitto();
      await using others = await publisher(broker.url);
      await using set = await setUp(broker.url);
      await others.publish("iiot/evil", "\x1b[2J\x1b[?1049h\x07", true);
      await using session = new TerminalSession(watch("-c", set.config), {
        columns: 90,
        rows: 12,
      });
      const { terminal } = session;
      await session.until(() => session.shows(/^evil .*stored/));
      for (const value of ["20", "21", "22", "23", "24", "25"]) {
        await others.publish("iiot/node1/temperature", value);
      }
      await session.until(() =>
        session.shows(/^node1\/temperature +\S.* 25 °C {2}▁▂▄▅▇█ .*↗$/)
      );
      assert.equal(terminal.isCursorShown, false);
      for (let i = 0; i < 30; i++) await others.publish(`iiot/t${i}`, "1");
      await session.until(() => session.shows(/^… and 24 more: /));
      assert.equal(
        terminal.screen.filter((one) => /^TOPIC/.test(one)).length,
        1,
      );
      await session.type("q");
      assert.equal(await session.end(), 0);
      assert.equal(terminal.isCursorShown, true);
      for (const one of ["\x1b[?1049", "\x1b[2J", "\x07"]) {
        assert.ok(!session.all.includes(one), JSON.stringify(one));
      }
      assert.ok(session.shows(/^node1\/temperature/));
      assert.ok(session.all.endsWith("\r\n\x1b[?25h"), session.all.slice(-20));
    },
  });

  Deno.test({
    name:
      `watch says at a terminal that the broker is gone, and shows it again (${form})`,
    ...requires("mosquitto", "script"),
    fn: async () => {
      await using broker = await startMosquitto();
      await using set = await setUp(broker.url);
      await using session = new TerminalSession(watch("-c", set.config), {
        columns: 120,
        rows: 12,
      });
      await session.until(() =>
        session.shows(/^Nothing has come yet: waits for iiot\/#/)
      );
      assert.ok(session.shows(/status --config .*whether the gateway runs/));
      await broker.stop();
      await session.until(() =>
        session.shows(/^Cannot connect .*nothing listens there/) &&
        session.shows(/^To do: Start the broker.* Tries again/)
      );
      await broker.start();
      await session.until(() => session.shows(/^iiot\/# at .*Ctrl-C ends it/));
      await session.type("\x03");
      assert.equal(await session.end(), 0);
      assert.equal(session.terminal.isCursorShown, true);
    },
  });
}
