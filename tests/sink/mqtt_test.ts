import { makeCertificates } from "../certificates.ts";
import assert from "node:assert/strict";
import { createCatalogue, type Metric } from "../../lib/catalogue.ts";
import type { MqttConfig } from "../../lib/config/schema.ts";
import { SinkError } from "../../lib/sink/sink.ts";
import {
  DEAD_PORT,
  findProgram,
  requires,
  startMosquitto,
  subscribe,
} from "../servers.ts";
import { findings, fullRows, mqttSink, NOW_US, open, row } from "./given.ts";

function test(
  name: string,
  fn: () => Promise<void>,
  ...programs: string[]
): void {
  Deno.test({
    name: `MqttSink ${name}`,
    ...requires("mosquitto", ...programs),
    fn,
  });
}

Deno.test("MqttSink names the first broker and the prefix as its target, and no secret", () => {
  const urls = ["mqtt://user:secret@broker.example:1883", "mqtts://other:8883"];
  assert.equal(
    mqttSink(urls, { topic_prefix: "plant/7" }).target,
    "broker.example:1883/plant/7",
  );
  assert.equal(mqttSink("mqtt://[::1]:1883").target, "[::1]:1883/iiot");
});

test("publishes each reading to its topic in its shortest exact form", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  await using session = await open(mqttSink(broker.url));
  assert.match(
    session.description,
    /^MQTT client connected successfully: 127\.0\.0\.1:\d+, MQTT 5$/,
  );
  await session.deliver([
    row(1, {
      "n1.t": 27.6,
      "n1.h": 27,
      "sig.rssi": -39,
      "sts.rx": 4_294_967_295,
      "sig.snr": -0,
    }),
  ]);
  const messages = await heard.waitFor(5);
  assert.deepEqual(messages.map(({ topic, payload }) => [topic, payload]), [
    ["iiot/node1/temperature", "27.6"],
    ["iiot/node1/humidity", "27"],
    ["iiot/signal/rssi", "-39"],
    ["iiot/stats/packets_received", "4294967295"],
    ["iiot/signal/snr", "0"],
  ]);
  for (const { qos, retain, userProperties } of messages) {
    assert.deepEqual({ qos, retain, userProperties }, {
      qos: 1,
      retain: false,
      userProperties: {},
    });
  }
});

test("puts the board's name into the topic where there is one", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  await using session = await open(
    mqttSink(broker.url, { topic_prefix: "plant/7" }),
  );
  await session.deliver([row(1, { "n1.t": 20 }, { board: "press" })]);
  assert.equal(
    (await heard.waitFor(1))[0]!.topic,
    "plant/7/press/node1/temperature",
  );
});

for (const qos of [0, 1, 2] as const) {
  test(`delivers at QoS ${qos}`, async () => {
    await using broker = await startMosquitto();
    await using heard = await subscribe(
      broker.url,
      "iiot/stats/packets_received",
    );
    await using session = await open(mqttSink(broker.url, { qos }));
    assert.deepEqual(await session.deliver(fullRows(1, 2_000)), {
      done: 2_000,
      rejected: [],
      parked: [],
    });
    const messages = await heard.waitFor(2_000);
    assert.deepEqual(
      messages.map(({ payload }) => Number(payload)),
      Array.from({ length: 2_000 }, (_, index) => index + 1),
    );
    assert.equal(messages[0]!.qos, Math.min(qos, 1));
  });
}

test("retains the newest value of a sensor, and nothing else", async () => {
  await using broker = await startMosquitto();
  const newest = (seq: number) => seq === 3;
  const sink = mqttSink(broker.url, {}, { isNewest: ({ seq }) => newest(seq) });
  await using session = await open(sink);
  await session.deliver(fullRows(1, 3));
  await using heard = await subscribe(broker.url, "#");
  const kept = await heard.waitFor(5);
  assert.deepEqual(
    kept.map(({ topic, payload }) => `${topic} ${payload}`).sort(),
    [
      "iiot/node1/gas_resistance 3",
      "iiot/node1/humidity 0.3",
      "iiot/node1/temperature 0.3",
      "iiot/node2/pressure 0.3",
      "iiot/node2/temperature 0.3",
    ],
  );
});

test("retains nothing with retain = false, nor where the broker forbids it", async () => {
  for (const forbids of [true, false]) {
    await using broker = await startMosquitto({
      conf: forbids ? ["retain_available false"] : [],
    });
    const latest = [{ seq: 0, board: "", path: "n1.t", value: 19, timeUs: 0 }];
    const options = { isNewest: () => true, latest: () => latest };
    await using session = await open(
      mqttSink(broker.url, { retain: forbids }, options),
    );
    assert.equal((await session.deliver(fullRows(1, 3))).done, 3);
    await using heard = await subscribe(broker.url, "#");
    // The next message is the first that a later subscriber hears.
    await session.deliver([row(4, { "n1.t": 4 })]);
    assert.equal((await heard.waitFor(1))[0]!.payload, "4");
  }
});

test("restates the retained values that are delivered, before any row", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  const timeUs = NOW_US - 3_600e6;
  const latest = [
    { seq: 7, board: "", path: "n1.t", value: 21.5, timeUs },
    { seq: 8, board: "", path: "n1.h", value: 55, timeUs: NOW_US },
    { seq: 8, board: "", path: "sts.rx", value: 8, timeUs },
    { seq: 9, board: "", path: "n1.g", value: 9, timeUs },
    { seq: 8, board: "", path: "x.y", value: 9, timeUs },
    { seq: 8, board: "", path: "n2.t", value: "warm", timeUs },
  ];
  const sink = mqttSink(broker.url, {}, { latest: () => latest });
  await using session = await open(sink, { deliveredTo: 8 });
  await session.deliver([row(9, { "n1.t": 22 }, { timeUs: NOW_US })]);
  assert.deepEqual(
    (await heard.waitFor(3)).map(({ topic, payload }) => [topic, payload]),
    [
      ["iiot/node1/temperature", "21.5"],
      ["iiot/node1/humidity", "55"],
      ["iiot/node1/temperature", "22"],
    ],
  );
  assert.equal(heard.messages[0]!.userProperties.historical, "true");
  assert.deepEqual(heard.messages[1]!.userProperties, {});
  await using later = await subscribe(broker.url, "#");
  const kept = await later.waitFor(2);
  assert.deepEqual(kept.map(({ payload }) => payload).sort(), ["21.5", "55"]);
});

test("restates what was delivered ahead of older rows behind these, if it is still the newest", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  const timeUs = NOW_US;
  const latest = [
    { seq: 7, board: "", path: "n1.t", value: 21, timeUs },
    { seq: 7, board: "", path: "n1.h", value: 55, timeUs },
  ];
  const sink = mqttSink(broker.url, {}, { latest: () => latest });
  await using session = await open(sink, {
    deliveredTo: 5,
    isDone: (seq) => seq === 7,
  });
  await session.deliver([row(6, { "n1.t": 20 })]);
  latest[1] = { seq: 8, board: "", path: "n1.h", value: 56, timeUs };
  for (let i = 0; i < 3; i++) session.caughtUp?.();
  await session.deliver([row(8, { "n1.h": 56 })]);
  assert.deepEqual(
    (await heard.waitFor(3)).map(({ topic, payload }) => [topic, payload]),
    [
      ["iiot/node1/temperature", "20"],
      ["iiot/node1/temperature", "21"],
      ["iiot/node1/humidity", "56"],
    ],
  );
  await using later = await subscribe(broker.url, "#");
  assert.equal((await later.waitFor(1))[0]!.payload, "21");
});

test("sends truths, words and scaled numbers, and rejects what is not of its metric's type", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  const own = (path: string, more: Partial<Metric>): Metric => ({
    ...{ path, node: "n", name: path, measurement: path, unit: null },
    ...{ retain: true, range: null, ...more },
  });
  const catalogue = createCatalogue([
    own("on", { type: "boolean" }),
    own("mode", { type: "string" }),
    own("t", { scale: 0.1 }),
  ]);
  const sink = mqttSink(broker.url, {}, { catalogue });
  await using session = await open(sink);
  const good = { on: false, mode: "läuft", t: 271 };
  const outcome = await session.deliver([
    row(1, good, { timeUs: NOW_US }),
    row(2, { on: 1, mode: true, t: "x" }, { timeUs: NOW_US }),
  ]);
  assert.deepEqual(
    (await heard.waitFor(3)).map(({ topic, payload }) => [topic, payload]),
    [["iiot/n/on", "false"], ["iiot/n/mode", "läuft"], ["iiot/n/t", "27.1"]],
  );
  assert.equal(outcome.done, 2);
  assert.deepEqual(
    outcome.rejected.map(({ row, reading: { path }, reason }) => [
      ...[row.seq, path, reason],
    ]),
    [
      [
        2,
        "on",
        'The metric of path "on" has the type "boolean", and the value is 1',
      ],
      [
        2,
        "mode",
        'The metric of path "mode" has the type "string", and the value is true',
      ],
      [
        2,
        "t",
        'The metric of path "t" has the type "number", and the value is "x"',
      ],
    ],
  );
});

test("marks what is no longer live with its time, and nothing that is", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  await using session = await open(mqttSink(broker.url, { live_within_s: 60 }));
  await session.deliver([
    row(1, { "n1.t": 1 }, { timeUs: NOW_US - 60e6 - 7 }),
    row(2, { "n1.t": 2 }, { timeUs: NOW_US - 60e6 }),
  ]);
  const [old, live] = await heard.waitFor(2);
  assert.deepEqual(old!.userProperties, {
    historical: "true",
    time: "2023-11-14T22:12:19.999993Z",
  });
  assert.deepEqual(live!.userProperties, {});
});

test("sends the past to topics of its own, with its time and never retained", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  const sink = mqttSink(broker.url, { replay: "live_first" }, {
    isNewest: () => true,
  });
  assert.equal(sink.liveWithinS, 60);
  await using session = await open(sink);
  const given = { board: "press", timeUs: NOW_US - 3_600e6 - 7 };
  const late = row(1, { "n1.t": 27.6, "x.y": 1 }, given);
  const { done, rejected } = await session.deliver([late], { past: true });
  assert.deepEqual([done, rejected.map(({ reading }) => reading.path)], [
    1,
    ["x.y"],
  ]);
  const [message] = await heard.waitFor(1);
  assert.deepEqual(message, {
    topic: "iiot/history/press/node1/temperature",
    payload: '{"time":"2023-11-14T21:13:19.999993Z","value":27.6}',
    retain: false,
    qos: 1,
    duplicate: false,
    userProperties: {},
  });
  await using later = await subscribe(broker.url, "#");
  await session.deliver([row(2, { "sts.rx": 2 })]);
  assert.equal((await later.waitFor(1))[0]!.payload, "2");
});

test("sends the newest of what is older with replay latest, and counts the rest", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  const old = { timeUs: NOW_US - 61e6 };
  const sink = mqttSink(broker.url, { replay: "latest" }, {
    isNewest: ({ seq }, path) => seq === (path === "n1.h" ? 1 : 4),
  });
  await using session = await open(sink);
  const outcome = await session.deliver([
    row(1, { "n1.t": 1, "n1.h": 1 }, old),
    row(2, { "n1.t": 2 }, old),
    row(3, { "n1.t": 3 }, { timeUs: NOW_US - 59e6 }),
    row(4, { "n1.t": 4 }, { timeUs: NOW_US }),
  ]);
  assert.deepEqual(outcome, {
    done: 4,
    rejected: [],
    parked: [],
    superseded: 2,
  });
  assert.deepEqual(
    (await heard.waitFor(3)).map(({ topic, payload }) => `${topic} ${payload}`),
    [
      "iiot/node1/humidity 1",
      "iiot/node1/temperature 3",
      "iiot/node1/temperature 4",
    ],
  );
});

test("leaves out a time that is not known, says where one is estimated, and goes by the age", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  const sink = mqttSink(broker.url, { live_within_s: 60 }, {
    // The clock is wrong; how long ago a row happened is known all the same.
    ageUs: ({ monoUs = 0 }) => 100e6 - monoUs,
  });
  await using session = await open(sink);
  const timeUs = NOW_US;
  await session.deliver([
    row(1, { "n1.t": 1 }, { timeUs, monoUs: 1e6, timeQuality: "unknown" }),
    row(2, { "n1.t": 2 }, { timeUs, monoUs: 2e6, timeQuality: "estimated" }),
    row(3, { "n1.t": 3 }, { timeUs: 0, monoUs: 99e6, timeQuality: "unknown" }),
  ]);
  const marks = (await heard.waitFor(3)).map((message) => ({
    ...message.userProperties,
  }));
  assert.deepEqual(marks, [
    { historical: "true" },
    {
      historical: "true",
      time: "2023-11-14T22:13:20.000000Z",
      clock: "estimated",
    },
    {},
  ]);
});

test("sends no more than max_messages_per_s", async () => {
  await using broker = await startMosquitto();
  await using session = await open(
    mqttSink(broker.url, { max_messages_per_s: 200 }),
  );
  const start = performance.now();
  assert.equal((await session.deliver(fullRows(1, 10))).done, 10);
  // 20 of the 90 may go at once.
  const tookMs = performance.now() - start;
  assert.ok(tookMs > 340 && tookMs < 2_000, `${tookMs} ms`);
});

test("parks what the broker's rules forbid and delivers the rest", async () => {
  const rules = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(rules, "topic readwrite iiot/node1/#\n");
    await using broker = await startMosquitto({ conf: [`acl_file ${rules}`] });
    await using session = await open(mqttSink(broker.url));
    const { done, rejected, parked, failure } = await session.deliver(
      fullRows(1, 1),
    );
    assert.equal(done, 1);
    assert.deepEqual(rejected, []);
    assert.deepEqual(parked.map(({ reading }) => reading.path), [
      "n2.t",
      "n2.p",
      "sig.rssi",
      "sig.snr",
      "sts.rx",
      "sts.err",
    ]);
    assert.equal(failure, undefined);
    const nothing = await session.deliver([row(2, { "sts.rx": 1 })]);
    assert.equal(nothing.done, 0);
    assert.equal(nothing.failure?.kind, "blocked");
  } finally {
    await Deno.remove(rules);
  }
});

test("logs in by the keys, which win over the URL", async () => {
  const passwords = await Deno.makeTempFile();
  try {
    const { success } = await new Deno.Command(
      findProgram("mosquitto_passwd"),
      {
        args: ["-b", passwords, "gateway", "p@ss:word"],
      },
    ).output();
    assert.ok(success);
    await using broker = await startMosquitto({
      conf: ["allow_anonymous false", `password_file ${passwords}`],
    });
    const at = (userInfo: string) => broker.url.replace("//", `//${userInfo}`);
    for (
      const sink of [
        mqttSink(at("gateway:p%40ss%3Aword@")),
        mqttSink(broker.url, { username: "gateway", password: "p@ss:word" }),
        mqttSink(at("gateway:wrong@"), { password: "p@ss:word" }),
      ]
    ) {
      await using session = await open(sink);
      assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
    }
    await assert.rejects(
      open(mqttSink(at("gateway:wrong@"))),
      (error: unknown) => {
        assert.ok(error instanceof SinkError);
        assert.ok(error.failure.kind === "blocked");
        assert.match(error.failure.hint, /"mqtt\.password"/);
        assert.doesNotMatch(JSON.stringify(error.failure), /wrong/);
        return true;
      },
    );
  } finally {
    await Deno.remove(passwords);
  }
}, "mosquitto_passwd");

test("goes to the next broker of the list when the first does not answer", async () => {
  await using broker = await startMosquitto();
  const dead = `mqtt://127.0.0.1:${DEAD_PORT}`;
  await using session = await open(mqttSink([dead, broker.url]));
  assert.match(session.description, new RegExp(`:${broker.port},`));
});

Deno.test("MqttSink names every broker of the list when none answers", async () => {
  const ports = [DEAD_PORT, DEAD_PORT + 1];
  const sink = mqttSink(ports.map((port) => `mqtt://127.0.0.1:${port}`));
  await assert.rejects(open(sink), (error: unknown) => {
    assert.ok(error instanceof SinkError);
    assert.equal(error.failure.kind, "retry");
    for (const port of ports) {
      assert.match(error.message, new RegExp(`:${port}: nothing listens`));
    }
    return true;
  });
});

Deno.test("MqttSink says that a host name is not known", async () => {
  await assert.rejects(
    open(mqttSink("mqtt://no-such-host.invalid:1883")),
    /no-such-host\.invalid:1883: (this host name is not known|the name server does not answer)$/,
  );
});

Deno.test("MqttSink does not take a web server for a broker", async () => {
  const web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("hello"),
  );
  await assert.rejects(
    open(mqttSink(`mqtt://127.0.0.1:${web.addr.port}`)),
    SinkError,
  );
  await web.shutdown();
});

test("loses its session when another client takes its id, and no reading", async () => {
  await using broker = await startMosquitto();
  await using session = await open(mqttSink(broker.url));
  await using _other = await open(mqttSink(broker.url));
  assert.match(
    (await session.closed).message,
    /is lost|same client id|ended the session/,
  );
  const { done, failure } = await session.deliver(fullRows(1, 1));
  assert.equal(done, 0);
  assert.deepEqual(failure, await session.closed);
});

test(
  "speaks TLS with a broker whose authority it is told, and with no other",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      await makeCertificates(folder);
      await using broker = await startMosquitto({
        conf: [`certfile ${folder}/server.crt`, `keyfile ${folder}/server.key`],
      });
      const url = `mqtts://localhost:${broker.port}`;
      await using session = await open(
        mqttSink(url, { ca_file: `${folder}/ca.crt` }),
      );
      assert.equal((await session.deliver(fullRows(1, 10))).done, 10);

      await assert.rejects(open(mqttSink(url)), (error: unknown) => {
        assert.ok(error instanceof SinkError);
        assert.ok(error.failure.kind === "blocked");
        assert.match(error.failure.hint, /"mqtt\.ca_file"/);
        return true;
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
  "openssl",
);

Deno.test("MqttSink names the key of a certificate that it cannot read", async () => {
  const sink = mqttSink("mqtts://127.0.0.1:8883", {
    ca_file: "/no/such/file.pem",
  });
  await assert.rejects(open(sink), (error: unknown) => {
    assert.ok(error instanceof SinkError);
    assert.ok(error.failure.kind === "blocked");
    assert.match(error.message, /"mqtt\.ca_file"/);
    return true;
  });
});

test("checks a broker without disturbing the gateway that runs", async () => {
  await using broker = await startMosquitto();
  await using heard = await subscribe(broker.url, "#");
  await using session = await open(mqttSink(broker.url));
  assert.deepEqual(await findings(mqttSink(broker.url)), [
    {
      level: "ok",
      subject: "MQTT broker",
      detail: `Connected to 127.0.0.1:${broker.port} with MQTT 5`,
    },
    {
      level: "ok",
      subject: "MQTT broker",
      detail: 'May publish to "iiot/check"',
    },
  ]);
  assert.equal((await session.deliver(fullRows(1, 1))).done, 1);
  const [check] = await heard.waitFor(1);
  assert.deepEqual([check!.topic, check!.payload, check!.retain], [
    "iiot/check",
    "",
    false,
  ]);
});

test("says in a check where a broker takes few messages at once, and what to do", async () => {
  await using broker = await startMosquitto({
    conf: ["max_inflight_messages 20"],
  });
  const warnings = async (config: Partial<MqttConfig>) =>
    (await findings(mqttSink(broker.url, config)))
      .filter(({ level }) => level === "warning");
  const [warning] = await warnings({});
  assert.match(warning?.detail ?? "", / takes 20 unconfirmed messages at once/);
  assert.match(warning?.hint ?? "", /"max_inflight_messages 1000"/);
  assert.deepEqual(await warnings({ max_inflight: 20 }), []);
  assert.deepEqual(await warnings({ qos: 0 }), []);
});
