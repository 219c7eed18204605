import assert from "node:assert/strict";
import { fullRows, influxdbSink, NOW_US, open, row } from "./given.ts";
import { errorAnswer, startScriptedInfluxdb } from "./scripted_influxdb.ts";

const ALL_OK = { rejected: [], parked: [] };

Deno.test("InfluxdbSink names server, organization and bucket as its target", () => {
  assert.equal(
    influxdbSink("http://db.example:8086").target,
    "db.example:8086/my-org/telemetry",
  );
  assert.equal(
    influxdbSink("https://x.org/influx").target,
    "x.org/influx/my-org/telemetry",
  );
});

Deno.test("InfluxdbSink sends microseconds, token, organization and bucket", async () => {
  await using server = startScriptedInfluxdb();
  await using session = await open(
    influxdbSink(server.url, { tags: { site: "north" } }),
  );
  const outcome = await session.deliver([
    row(1, { "n1.t": 27.6 }, { timeUs: NOW_US }),
  ]);
  assert.deepEqual(outcome, { done: 1, ...ALL_OK });
  const [request] = server.requests;
  assert.deepEqual(request!.lines, [
    `temperature,node=node1,site=north,unit=celsius value=27.6 ${NOW_US}`,
  ]);
  assert.equal(request!.query.get("precision"), "us");
  assert.equal(request!.query.get("org"), "my-org");
  assert.equal(request!.query.get("bucket"), "telemetry");
  assert.equal(request!.headers.get("authorization"), "Token secret-token");
  assert.equal(request!.headers.get("content-encoding"), null);
});

Deno.test("InfluxdbSink compresses what is worth it", async () => {
  await using server = startScriptedInfluxdb();
  await using session = await open(influxdbSink(server.url));
  assert.equal((await session.deliver(fullRows(1, 500))).done, 500);
  const { headers, lines } = server.requests[0]!;
  assert.equal(lines.length, 4_500);
  assert.equal(headers.get("content-encoding"), "gzip");
  assert.ok(
    Number(headers.get("content-length")) < lines.join("\n").length / 5,
  );
});

Deno.test("InfluxdbSink takes as many lines as the configuration says, one request at a time", async () => {
  await using server = startScriptedInfluxdb();
  await using session = await open(
    influxdbSink(server.url, { max_lines: 1_234 }),
  );
  assert.equal(session.maxReadings, 1_234);
  assert.equal(session.maxBatches, 1);
});

Deno.test("InfluxdbSink sends nothing when no reading has a metric", async () => {
  await using server = startScriptedInfluxdb();
  await using session = await open(influxdbSink(server.url));
  const { done, rejected } = await session.deliver([
    row(1, { "x.y": 1 }),
    row(2, {}),
  ]);
  assert.equal(done, 2);
  assert.deepEqual(rejected.map(({ reason }) => reason), [
    'No metric for path "x.y"',
  ]);
  assert.equal(server.requests.length, 0);
});

Deno.test("InfluxdbSink quarantines the line that the server quotes, and stores all others", async () => {
  await using server = startScriptedInfluxdb({
    badLine: (line) =>
      line.includes("value=-2 ") ? "invalid field format" : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const rows = fullRows(1, 20);
  const { done, rejected, failure } = await session.deliver(rows);
  assert.equal(done, 20);
  assert.equal(failure, undefined);
  assert.equal(server.stored.size, 20 * 9 - 1);
  assert.deepEqual(
    rejected.map(({ row, reading }) => [row.seq, reading.path]),
    [[2, "sig.rssi"]],
  );
  assert.match(rejected[0]!.reason, /^unable to parse 'rssi,node=signal/);
  assert.equal(server.requests.length, 4);
});

Deno.test("InfluxdbSink finds a bad line that the server does not quote whole", async () => {
  await using server = startScriptedInfluxdb({
    answer: ({ lines }) =>
      lines.some((line) => line.includes("value=-7 "))
        ? errorAnswer(
          400,
          "invalid",
          "unable to parse 'rssi,node=…': invalid number",
        )
        : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected } = await session.deliver(fullRows(1, 20));
  assert.equal(done, 20);
  assert.deepEqual(
    rejected.map(({ row, reading }) => [row.seq, reading.path]),
    [[7, "sig.rssi"]],
  );
  assert.equal(server.stored.size, 20 * 9 - 1);
  assert.ok(server.requests.length < 20);
});

Deno.test("InfluxdbSink finds the lines of InfluxDB 3's partial write", async () => {
  await using server = startScriptedInfluxdb({
    answer: ({ lines }) =>
      lines.some((line) => line.startsWith("rssi"))
        ? Response.json({
          error: "partial write of line protocol occurred",
          data: [],
        }, {
          status: 400,
        })
        : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected } = await session.deliver(fullRows(1, 3));
  assert.equal(done, 3);
  assert.deepEqual(
    rejected.map(({ reading }) => reading.path),
    Array(3).fill("sig.rssi"),
  );
});

Deno.test("InfluxdbSink finds bad lines all over a batch without calling them a fault of the server", async () => {
  await using server = startScriptedInfluxdb({
    badLine: (line) =>
      line.startsWith("rssi") ? "invalid field format" : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected, failure } = await session.deliver(fullRows(1, 100));
  assert.equal(failure, undefined);
  assert.equal(done, 100);
  assert.equal(rejected.length, 100);
  assert.equal(server.stored.size, 800);
});

Deno.test("InfluxdbSink keeps a refused line until another one is accepted", async () => {
  await using server = startScriptedInfluxdb({
    badLine: (line) =>
      line.startsWith("rssi") ? "invalid field format" : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const alone = row(1, { "sig.rssi": -30 });
  const first = await session.deliver([alone]);
  assert.equal(first.done, 0);
  assert.deepEqual(first.rejected, []);
  assert.equal(first.failure?.kind, "retry");
  const second = await session.deliver([alone, row(2, { "n1.t": 20 })]);
  assert.equal(second.done, 2);
  assert.equal(second.rejected.length, 1);
});

Deno.test("InfluxdbSink blames the server after twenty refusals without one acceptance", async () => {
  await using server = startScriptedInfluxdb({
    badLine: () => "invalid field format",
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected, failure } = await session.deliver(fullRows(1, 100));
  assert.equal(done, 0);
  assert.deepEqual(rejected, []);
  assert.ok(failure?.kind === "blocked");
  assert.match(failure.message, /refuses 20 lines and accepts none/);
  assert.ok(server.requests.length <= 40);
});

Deno.test("InfluxdbSink caps the words of a refusal", async () => {
  await using server = startScriptedInfluxdb({
    badLine: (line) => line.startsWith("rssi") ? "x".repeat(10_000) : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const { rejected } = await session.deliver(fullRows(1, 1));
  assert.equal(rejected[0]!.reason.length, 500);
});

Deno.test("InfluxdbSink halves a request that is too large", async () => {
  await using server = startScriptedInfluxdb({
    answer: ({ lines }) =>
      lines.length > 100 ? new Response("large", { status: 413 }) : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const outcome = await session.deliver(fullRows(1, 100));
  assert.deepEqual(outcome, { done: 100, ...ALL_OK });
  assert.equal(server.stored.size, 900);
});

Deno.test("InfluxdbSink keeps all when even one line is too large for the server", async () => {
  await using server = startScriptedInfluxdb({
    answer: () => new Response("large", { status: 413 }),
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected, failure } = await session.deliver(fullRows(1, 100));
  assert.equal(done, 0);
  assert.deepEqual(rejected, []);
  assert.equal(failure?.kind, "blocked");
});

Deno.test("InfluxdbSink finds the points whose field has another type", async () => {
  await using server = startScriptedInfluxdb({
    conflicts: (line) => line.startsWith("pressure"),
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected, failure } = await session.deliver(fullRows(1, 30));
  assert.equal(failure, undefined);
  assert.equal(done, 30);
  assert.deepEqual(
    rejected.map(({ reading }) => reading.path),
    Array(30).fill("n2.p"),
  );
  assert.match(rejected[0]!.reason, /field type conflict/);
  assert.equal(server.stored.size, 30 * 8);
});

Deno.test("InfluxdbSink keeps all when every point has another type than before", async () => {
  await using server = startScriptedInfluxdb({ conflicts: () => true });
  await using session = await open(influxdbSink(server.url));
  const { done, failure } = await session.deliver(fullRows(1, 30));
  assert.equal(done, 0);
  assert.equal(failure?.kind, "blocked");
});

Deno.test("InfluxdbSink gives up what is older than the bucket keeps, by the server's duration", async () => {
  const oldestUs = NOW_US - 3_600e6;
  await using server = startScriptedInfluxdb({ oldestUs });
  await using session = await open(influxdbSink(server.url));
  const rows = [oldestUs - 2e6, oldestUs - 1e6, oldestUs + 1e6, NOW_US].map((
    timeUs,
    index,
  ) => row(index + 1, { "n1.t": 20, "n1.h": 50 }, { timeUs }));
  const { done, rejected, failure } = await session.deliver(rows);
  assert.equal(failure, undefined);
  assert.equal(done, 4);
  assert.deepEqual(rejected.map(({ row }) => row.seq), [1, 1, 2, 2]);
  assert.match(
    rejected[0]!.reason,
    /outside retention policy of duration 1h0m0s/,
  );
  assert.equal(server.stored.size, 4);
  assert.equal(server.requests.length, 3);
});

Deno.test("InfluxdbSink gets past a batch that is all too old", async () => {
  await using server = startScriptedInfluxdb({ oldestUs: NOW_US - 3_600e6 });
  await using session = await open(influxdbSink(server.url));
  const rows = [1, 2].map((seq) =>
    row(seq, { "n1.t": 20 }, { timeUs: NOW_US - 7_200e6 })
  );
  const { done, rejected, failure } = await session.deliver(rows);
  assert.equal(failure, undefined);
  assert.equal(done, 2);
  assert.equal(rejected.length, 2);
});

Deno.test("InfluxdbSink ends where its clock and the server's disagree on what is too old", async () => {
  await using server = startScriptedInfluxdb({ oldestUs: NOW_US - 60e6 });
  await using session = await open(influxdbSink(server.url));
  const rows = [-120e6, -90e6, -30e6, 0].map((offset, index) =>
    row(index + 1, { "n1.t": 20 }, { timeUs: NOW_US + offset })
  );
  const { done, rejected, failure } = await session.deliver(rows);
  assert.equal(failure, undefined);
  assert.equal(done, 4);
  assert.deepEqual(rejected.map(({ row }) => row.seq), [1, 2]);
  assert.ok(server.requests.length < 10);
});

Deno.test("InfluxdbSink counts the rows that were stored before the server failed", async () => {
  let requests = 0;
  await using server = startScriptedInfluxdb({
    answer: ({ lines }) => {
      if (lines.length > 450) return new Response(null, { status: 413 });
      return ++requests === 2
        ? errorAnswer(503, "unavailable", "busy")
        : undefined;
    },
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected, failure } = await session.deliver(fullRows(1, 100));
  assert.equal(done, 50);
  assert.deepEqual(rejected, []);
  assert.equal(failure?.kind, "retry");
});

Deno.test("InfluxdbSink leaves refusals of rows that stay to the next time", async () => {
  await using server = startScriptedInfluxdb({
    answer: ({ lines }) =>
      lines.length === 1 && lines[0]!.includes("value=9 ")
        ? errorAnswer(503, "unavailable", "busy")
        : undefined,
    badLine: (line) =>
      line.startsWith("rssi") ? "invalid field format" : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected, failure } = await session.deliver([
    row(1, { "n1.t": 1, "sig.rssi": -1 }),
    row(2, { "n1.t": 2, "sig.rssi": -2, "n1.h": 9 }),
  ]);
  assert.equal(done, 1);
  assert.deepEqual(rejected.map(({ row }) => row.seq), [1]);
  assert.equal(failure?.kind, "retry");
});

for (const wrongByS of [-86_400, 86_400, NaN]) {
  Deno.test(`InfluxdbSink gives up no young point where the server's Date is wrong by ${wrongByS} s`, async () => {
    const clockUs = NOW_US + wrongByS * 1e6;
    await using server = startScriptedInfluxdb({
      oldestUs: NOW_US - 3_600e6,
      clockUs,
    });
    await using session = await open(influxdbSink(server.url));
    const rows = Array.from(
      { length: 400 },
      (_, index) =>
        row(index + 1, { "n1.t": 20 }, {
          timeUs: NOW_US - 3_600e6 + (index - 150) * 1e6,
        }),
    );
    const { done, rejected, failure } = await session.deliver(rows);
    assert.equal(failure, undefined);
    assert.equal(done, 400);
    assert.equal(server.stored.size, 250);
    assert.deepEqual(
      rejected.map(({ row }) => row.seq),
      rows.slice(0, 150).map(({ seq }) => seq),
    );
    assert.ok(
      server.requests.length <= 40,
      `${server.requests.length} requests`,
    );
  });
}

Deno.test("InfluxdbSink gets past twenty bad lines at the head of a batch", async () => {
  await using server = startScriptedInfluxdb({
    conflicts: (line) => line.startsWith("rssi"),
  });
  await using session = await open(influxdbSink(server.url));
  const rows = [
    ...Array.from({ length: 60 }, (_, i) => row(i + 1, { "sig.rssi": -i })),
    ...Array.from({ length: 60 }, (_, i) => row(i + 61, { "n1.t": i })),
  ];
  const { done, rejected, failure } = await session.deliver(rows);
  assert.equal(failure, undefined);
  assert.equal(done, 120);
  assert.equal(rejected.length, 60);
  assert.equal(server.stored.size, 60);
});

Deno.test("InfluxdbSink finds a line that is quoted in full, a megabyte long", async () => {
  await using server = startScriptedInfluxdb({
    badLine: (line) =>
      line.includes("value=250 ") ? "invalid field format" : undefined,
  });
  await using session = await open(
    influxdbSink(server.url, { tags: { site: "x".repeat(1_000_000) } }),
  );
  const { done, rejected } = await session.deliver(
    [1, 250, 3].map((value, i) => row(i + 1, { "n1.g": value })),
  );
  assert.equal(done, 3);
  assert.deepEqual(rejected.map(({ row }) => row.seq), [2]);
  assert.equal(rejected[0]!.reason.length, 500);
});

Deno.test("InfluxdbSink sorts out the lines that InfluxDB 3 names in two requests more", async () => {
  const bad = (line: string) => line.startsWith("rssi");
  await using server = startScriptedInfluxdb({
    answer: ({ lines }) => {
      const data = lines.flatMap((line, index) =>
        bad(line)
          ? [{
            original_line: line.slice(0, 20),
            line_number: index + 1,
            error_message: "invalid column type for column 'value'",
          }]
          : []
      ).slice(0, 100);
      return data.length === 0 ? undefined : Response.json({
        error: "partial write of line protocol occurred",
        data,
      }, { status: 400 });
    },
  });
  await using session = await open(influxdbSink(server.url));
  const { done, rejected } = await session.deliver(fullRows(1, 90));
  assert.equal(done, 90);
  assert.equal(rejected.length, 90);
  assert.equal(rejected[0]!.reason, "invalid column type for column 'value'");
  assert.equal(server.stored.size, 720);
  assert.equal(server.requests.length, 3);
});

Deno.test("InfluxdbSink blames no line for what the server refused before it took anything", async () => {
  let requests = 0;
  await using server = startScriptedInfluxdb({
    badLine: () => ++requests <= 7 ? "not now" : undefined,
  });
  await using session = await open(influxdbSink(server.url));
  const outcome = await session.deliver(fullRows(1, 20));
  assert.deepEqual(outcome, { done: 20, ...ALL_OK });
  assert.equal(server.stored.size, 180);
});

Deno.test("InfluxdbSink gives a refused line up though a request may hold only one", async () => {
  await using server = startScriptedInfluxdb({
    badLine: (line) => line.includes("value=2 ") ? "invalid number" : undefined,
  });
  await using session = await open(influxdbSink(server.url, { max_lines: 1 }));
  const rows = [1, 2, 3].map((seq) => row(seq, { "n1.t": seq }));
  const outcome = await session.deliver(rows);
  assert.equal(outcome.done, 3);
  assert.deepEqual(outcome.rejected.map(({ row }) => row.seq), [2]);
  assert.ok(server.requests.every(({ lines }) => lines.length === 1));
  assert.ok(session.maxReadings > 1);
});
