import assert from "node:assert/strict";
import { type Failure, SinkError } from "../../lib/sink/sink.ts";
import { findings, fullRows, influxdbSink, NOW_US, open } from "./given.ts";
import {
  errorAnswer,
  type InfluxdbScript,
  startScriptedInfluxdb,
} from "./scripted_influxdb.ts";

/** The failure of a write to a server that answers so; nothing may count as done. */
async function failureOf(script: InfluxdbScript): Promise<Failure> {
  await using server = startScriptedInfluxdb(script);
  await using session = await open(influxdbSink(server.url));
  const { done, rejected, parked, failure } = await session.deliver(
    fullRows(1, 3),
  );
  assert.deepEqual({ done, rejected, parked }, {
    done: 0,
    rejected: [],
    parked: [],
  });
  assert.ok(failure !== undefined);
  assert.doesNotMatch(JSON.stringify(failure), /secret/);
  return failure;
}

const page = (status: number) =>
  new Response("<html>Log in</html>", {
    status,
    headers: { "content-type": "text/html" },
  });

const RETRIED: Record<string, { answer: () => Response; afterMs?: number }> = {
  "429 with a pause in seconds": {
    answer: () =>
      errorAnswer(429, "too many requests", "slow down", {
        "retry-after": "30",
      }),
    afterMs: 30_000,
  },
  "429 with a pause of years": {
    answer: () => errorAnswer(429, "", "", { "retry-after": "9".repeat(400) }),
    afterMs: Infinity,
  },
  "503 with a pause until a date": {
    answer: () =>
      errorAnswer(503, "unavailable", "queue is full", {
        "retry-after": new Date(NOW_US / 1_000 + 90_000).toUTCString(),
      }),
    afterMs: 90_000,
  },
  "503 with a date that has passed": {
    answer: () =>
      errorAnswer(503, "unavailable", "", {
        "retry-after": new Date(0).toUTCString(),
      }),
    afterMs: 0,
  },
  "500": {
    answer: () =>
      errorAnswer(500, "internal error", "An internal error has occurred"),
  },
  "408": { answer: () => page(408) },
  "502 of a proxy": { answer: () => page(502) },
};

for (const [name, { answer, afterMs }] of Object.entries(RETRIED)) {
  Deno.test(`InfluxdbSink tries again after ${name}`, async () => {
    const failure = await failureOf({ answer });
    assert.ok(failure.kind === "retry");
    assert.equal(failure.afterMs, afterMs);
    assert.match(failure.message, new RegExp(`answers ${name.slice(0, 3)}`));
  });
}

Deno.test("InfluxdbSink does not follow a redirect, and says where it leads", async () => {
  let followed = false;
  await using elsewhere = startScriptedInfluxdb({
    answer: () => {
      followed = true;
      return undefined;
    },
  });
  const { host } = new URL(elsewhere.url);
  const location = `http://me:word@${host}/login?token=secret`;
  const failure = await failureOf({
    answer: () => new Response(null, { status: 307, headers: { location } }),
  });
  assert.ok(failure.kind === "blocked");
  assert.match(
    failure.message,
    new RegExp(`answers 307 and sends us to http://${host}$`),
  );
  assert.match(failure.hint, /log in/);
  assert.equal(followed, false);
});

const BLOCKED: Record<string, { answer: () => Response; hint: RegExp }> = {
  "an unknown token": {
    answer: () => errorAnswer(401, "unauthorized", "unauthorized access"),
    hint: /"influxdb\.token"/,
  },
  "a token that may not write": {
    answer: () =>
      errorAnswer(403, "forbidden", "insufficient permissions for write"),
    hint: /right to write/,
  },
  "an unknown bucket": {
    answer: () => errorAnswer(404, "not found", 'bucket "telemetry" not found'),
    hint: /"influxdb\.bucket"/,
  },
  "an unknown organization": {
    answer: () =>
      errorAnswer(404, "not found", 'organization name "my-org" not found'),
    hint: /"influxdb\.org"/,
  },
  "a server without the write API": {
    answer: () => page(404),
    hint: /"influxdb\.url"/,
  },
  "a method that is not allowed": {
    answer: () => page(405),
    hint: /"influxdb\.url"/,
  },
  "a 400 that blames no line": {
    answer: () =>
      errorAnswer(
        400,
        "invalid",
        "invalid precision; valid precision units are …",
      ),
    hint: /"influxdb\.url"/,
  },
  "plain HTTP to a TLS server": {
    answer: () =>
      new Response("Client sent an HTTP request to an HTTPS server.", {
        status: 400,
      }),
    hint: /Begin "influxdb\.url" with https/,
  },
  "a 400 with a page that happens to say it": {
    answer: () =>
      new Response("unable to parse 'x': partial write", { status: 400 }),
    hint: /"influxdb\.url"/,
  },
  "a 422 without a partial write": {
    answer: () => errorAnswer(422, "unprocessable entity", "something else"),
    hint: /"influxdb\.url"/,
  },
  "200, as a captive portal answers": {
    answer: () => page(200),
    hint: /log in/,
  },
  "201": {
    answer: () => new Response(null, { status: 201 }),
    hint: /"influxdb\.url"/,
  },
  "202": {
    answer: () => new Response(null, { status: 202 }),
    hint: /"influxdb\.url"/,
  },
};

for (const [name, { answer, hint }] of Object.entries(BLOCKED)) {
  Deno.test(`InfluxdbSink keeps all and says what to do about ${name}`, async () => {
    const failure = await failureOf({ answer });
    assert.ok(failure.kind === "blocked");
    assert.match(failure.hint, hint);
  });
}

Deno.test("InfluxdbSink caps the words of a server that quotes too much", async () => {
  const failure = await failureOf({
    answer: () => errorAnswer(401, "unauthorized", "x".repeat(100_000)),
  });
  assert.ok(failure.message.length < 600);
});

const HEALTH: Record<
  string,
  { health: () => Response; finding: RegExp; kind?: Failure["kind"] }
> = {
  "passes with a healthy InfluxDB": {
    health: () => Response.json({ name: "influxdb", status: "pass" }),
    finding: /^✅ InfluxDB health check passed!$/,
  },
  "passes with the plain OK of VictoriaMetrics": {
    health: () => new Response("OK"),
    finding: /^✅ InfluxDB health check passed!$/,
  },
  "says nothing where /health is for other rights": {
    health: () => errorAnswer(401, "unauthorized", "unauthorized access"),
    finding: /without a word on its health$/,
  },
  "says nothing where there is no /health": {
    health: () => new Response("Not found", { status: 404 }),
    finding: /without a word on its health$/,
  },
  "fails for now with an InfluxDB that starts": {
    health: () => errorAnswer(503, "unavailable", "starting"),
    finding: /answers 503, "starting"$/,
    kind: "retry",
  },
  "fails for now with one that is not well": {
    health: () =>
      Response.json({ name: "influxdb", status: "fail", message: "disk" }),
    finding: /is not healthy: "fail, disk"$/,
    kind: "retry",
  },
  "fails with the page of a captive portal": {
    health: () => page(200),
    finding: /is not InfluxDB$/,
    kind: "blocked",
  },
  "fails with JSON of something else": {
    health: () => Response.json({ hello: "world" }),
    finding: /is not InfluxDB$/,
    kind: "blocked",
  },
  "fails with broken JSON": {
    health: () =>
      new Response("{", { headers: { "content-type": "application/json" } }),
    finding: /is not InfluxDB$/,
    kind: "blocked",
  },
};

for (const [name, { health, finding, kind }] of Object.entries(HEALTH)) {
  Deno.test(`InfluxdbSink's health check ${name}`, async () => {
    await using server = startScriptedInfluxdb({ health });
    const sink = influxdbSink(server.url);
    const [first] = await findings(sink);
    assert.match(first!.detail, finding);
    assert.equal(first!.level, kind === undefined ? "ok" : "failed");
    assert.equal(
      server.healthHeaders[0]?.get("authorization"),
      "Token secret-token",
    );
    if (kind === undefined) {
      const session = await open(sink);
      assert.equal(
        session.description.includes("health check passed"),
        first!.detail.includes("health check passed"),
      );
      await session[Symbol.asyncDispose]();
    } else {
      await assert.rejects(open(sink), (error: unknown) => {
        assert.ok(error instanceof SinkError);
        assert.equal(error.failure.kind, kind);
        return true;
      });
    }
  });
}

Deno.test("InfluxdbSink's check proves the right to write and writes nothing", async () => {
  await using server = startScriptedInfluxdb();
  assert.deepEqual(await findings(influxdbSink(server.url)), [
    {
      level: "ok",
      subject: "InfluxDB",
      detail: "✅ InfluxDB health check passed!",
    },
    {
      level: "ok",
      subject: "InfluxDB",
      detail: 'May write to bucket "telemetry" of organization "my-org"',
    },
  ]);
  assert.equal(server.requests.length, 1);
  assert.deepEqual(server.requests[0]!.lines, []);
});

Deno.test("InfluxdbSink's check writes one marked point when it is asked to", async () => {
  await using server = startScriptedInfluxdb();
  const found = await findings(influxdbSink(server.url), true);
  assert.equal(found.at(-1)?.detail, "✅ Test data point written!");
  assert.deepEqual([...server.stored], [
    `iiot_gateway_check,check=true value=1 ${NOW_US}`,
  ]);
});

Deno.test("InfluxdbSink's check names what the empty write has found", async () => {
  for (const { answer, hint } of Object.values(BLOCKED)) {
    await using server = startScriptedInfluxdb({ answer });
    const found = await findings(influxdbSink(server.url), true);
    assert.equal(found.length, 2);
    assert.equal(found[1]!.level, "failed");
    assert.match(found[1]!.hint ?? "", hint);
  }
});

Deno.test("InfluxdbSink's check says how to start a server that is not there", async () => {
  const found = await findings(influxdbSink("http://127.0.0.1:1"));
  assert.equal(found.length, 1);
  assert.equal(found[0]!.level, "failed");
  assert.match(found[0]!.hint ?? "", /^Start InfluxDB/);
});
