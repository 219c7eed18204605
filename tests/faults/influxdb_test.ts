/**
 * What an InfluxDB, and what stands in its place, can answer: where every reading ends, what the log
 * says, and that the gateway recovers without a restart.
 */

import assert from "node:assert/strict";
import { findings, influxdbSink, NOW_US } from "../sink/given.ts";
import {
  errorAnswer,
  type InfluxdbScript,
  type ScriptedInfluxdb,
  startScriptedInfluxdb,
  type WriteRequest,
} from "../sink/scripted_influxdb.ts";
import { type Rig, startRig } from "./rig.ts";

const page = (status: number, headers: Record<string, string> = {}) =>
  new Response("<!DOCTYPE html><html>Log in</html>", {
    status,
    headers: { "content-type": "text/html", ...headers },
  });

interface WrongServer {
  readonly answer: (request: WriteRequest) => Response;
  /** @default {that of a healthy InfluxDB} */
  readonly health?: () => Response;
  /** The line in the log. */
  readonly says: RegExp;
}

/** Nothing of this is the fault of a reading: all are kept, however long it lasts. */
const KEPT: Record<string, WrongServer> = {
  "an unknown token": {
    answer: () => errorAnswer(401, "unauthorized", "unauthorized access"),
    says: /answers 401, "unauthorized access".* Set "influxdb\.token"/,
  },
  "a token that may only read": {
    answer: () =>
      errorAnswer(403, "forbidden", "insufficient permissions for write"),
    says: /answers 403.* the right to write/,
  },
  "an unknown organization": {
    answer: () =>
      errorAnswer(404, "not found", 'organization name "my-org" not found'),
    says: /answers 404.* Set "influxdb\.org"/,
  },
  "an unknown bucket": {
    answer: () => errorAnswer(404, "not found", 'bucket "telemetry" not found'),
    says: /answers 404.* Create the bucket/,
  },
  "a proxy that knows no such page": {
    answer: () => new Response("404 page not found\n", { status: 404 }),
    health: () => new Response("404 page not found\n", { status: 404 }),
    says: /answers 404, "404 page not found".* Correct "influxdb\.url"/,
  },
  "a web server that answers 404 to all": {
    answer: () => page(404),
    health: () => page(404),
    says: /answers 404\..* Correct "influxdb\.url"/,
  },
  "plain HTTP to a TLS server": {
    answer: () =>
      new Response("Client sent an HTTP request to an HTTPS server.\n", {
        status: 400,
      }),
    health: () =>
      new Response("Client sent an HTTP request to an HTTPS server.\n", {
        status: 400,
      }),
    says:
      /answers 400, "Client sent an HTTP.* Begin "influxdb\.url" with https/,
  },
  "plain HTTP to the TLS port of nginx": {
    answer: () =>
      new Response(
        "<html>400 The plain HTTP request was sent to HTTPS port</html>",
        { status: 400 },
      ),
    says: /answers 400\..* Begin "influxdb\.url" with https/,
  },
  "a missing organization": {
    answer: () =>
      errorAnswer(400, "invalid", "must specify either org or orgID"),
    says: /answers 400, "must specify.* "influxdb\.org"/,
  },
  "an unknown precision": {
    answer: () =>
      errorAnswer(
        400,
        "invalid",
        "invalid precision; valid precision units are ns, us, ms, and s",
      ),
    says: /answers 400, "invalid precision/,
  },
  "a 400 with a page": {
    answer: () => page(400),
    says: /answers 400\./,
  },
  "a 400 that quotes a line, but is not InfluxDB's": {
    answer: ({ lines }) =>
      new Response(`unable to parse '${lines[0]}': partial write`, {
        status: 400,
      }),
    says: /answers 400/,
  },
  "a 422 that is no partial write": {
    answer: () => errorAnswer(422, "unprocessable entity", "something else"),
    says: /answers 422, "something else"/,
  },
  "a limit below one line": {
    answer: () => page(413),
    says: /refuses 20 lines and accepts none.* Raise the size of a request/,
  },
  "no line that parses": {
    answer: ({ lines }) =>
      errorAnswer(400, "invalid", `unable to parse '${lines[0]}': no`),
    says: /refuses 20 lines and accepts none: unable to parse/,
  },
  "another type in every field": {
    answer: ({ lines }) =>
      errorAnswer(
        422,
        "unprocessable entity",
        `failure writing points to database: partial write: field type conflict: input field "value" on measurement "t" is type float, already exists as type string dropped=${lines.length}`,
      ),
    says: /refuses 20 lines and accepts none: .*already exists as type string/,
  },
  "too many requests, with a pause in seconds": {
    answer: () =>
      errorAnswer(429, "too many requests", "slow down", {
        "retry-after": "1",
      }),
    says: /answers 429, "slow down"/,
  },
  "an overload, with a pause until a date that has passed": {
    answer: () =>
      errorAnswer(503, "unavailable", "queue is full", {
        "retry-after": new Date(0).toUTCString(),
      }),
    says: /answers 503, "queue is full"/,
  },
  "an overload, with a pause that is nonsense": {
    answer: () =>
      errorAnswer(503, "unavailable", "busy", { "retry-after": "soon" }),
    says: /answers 503/,
  },
  "an overload without a pause": {
    answer: () => errorAnswer(503, "unavailable", "busy"),
    says: /answers 503/,
  },
  "an internal error": {
    answer: () =>
      errorAnswer(500, "internal error", "An internal error has occurred"),
    says: /answers 500/,
  },
  "a proxy whose server is away": {
    answer: () => page(502),
    health: () => page(502),
    says: /answers 502\./,
  },
  "a captive portal's page on writes": {
    answer: () => page(200),
    says: /is not InfluxDB\..* log in to the network/,
  },
  "a captive portal's page on everything": {
    answer: () => page(200),
    health: () => page(200),
    says: /is not InfluxDB\..* log in to the network/,
  },
  "a captive portal's redirect": {
    answer: () => page(302, { location: "https://login.example/?id=7" }),
    health: () => page(302, { location: "https://login.example/?id=7" }),
    says: /answers 302 and sends us to https:\/\/login\.example\..* log in/,
  },
  "a success without a word": {
    answer: () => new Response("OK"),
    says: /is not InfluxDB/,
  },
};

const PACKETS = 30;
const READINGS = PACKETS * 9;

for (const [name, { answer, health, says }] of Object.entries(KEPT)) {
  Deno.test(`Nothing is lost to ${name}`, async () => {
    let wrong = true;
    let attempts = 0;
    await using server = startScriptedInfluxdb({
      answer: (request) => {
        attempts++;
        return wrong ? answer(request) : undefined;
      },
      health: () => {
        attempts++;
        return wrong && health !== undefined
          ? health()
          : Response.json({ status: "pass" });
      },
    });
    await using rig = await startRig({ influxdb: { url: server.url } });
    await rig.appendNumbered(PACKETS);
    await rig.until(() => rig.log.some((line) => line.includes("warning")));
    const before = attempts;
    await rig.until(() => attempts >= before + 3);
    const { waiting, ledger } = rig.standing("influxdb");
    assert.equal(waiting, READINGS);
    assert.deepEqual([ledger.delivered, ledger.dropped], [0, {}]);
    assert.equal(server.stored.size, 0);
    const said = rig.log.filter((line) => line.includes(" warning: "));
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0]!, /^influxdb warning: Cannot deliver: /);
    assert.match(said[0]!, /Readings are kept until it works/);
    assert.match(said[0]!, says);
    assert.doesNotMatch(said[0]!, /secret-token/);

    const found = (await findings(influxdbSink(server.url))).at(-1)!;
    assert.equal(found.level, "failed");
    assert.ok((found.hint ?? "").length > 20, found.detail);

    wrong = false;
    await endsWell(rig, server, { delivered: READINGS, rejected: 0 });
    assert.match(
      rig.log.at(-1)!,
      /^influxdb info: Delivers again after .*: 270 readings kept, all delivered$/,
    );
  });
}

/** All is delivered or rejected, the ledger says so, and the server has what was delivered. */
async function endsWell(
  rig: Rig,
  server: ScriptedInfluxdb,
  { delivered, rejected }: { delivered: number; rejected: number },
): Promise<void> {
  await rig.delivered();
  const { ledger } = rig.standing("influxdb");
  assert.equal(ledger.delivered, delivered);
  assert.deepEqual(ledger.dropped, rejected === 0 ? {} : { rejected });
  assert.equal(server.stored.size, delivered);
}

const has = (value: number) => (line: string) =>
  line.includes(`value=${value} `);
const anyOf = (...tests: ((line: string) => boolean)[]) => (line: string) =>
  tests.some((test) => test(line));
const refuse =
  (bad: (line: string) => boolean, why = "invalid field format") =>
  (
    line: string,
  ) => bad(line) ? why : undefined;

/** The time of the rig's packet `number`, counted from 1: it makes them a millisecond apart. */
const timeOf = (line: string) => Number(line.split(" ").at(-1));
const RIG_FIRST_US = NOW_US - 1_000_000_000;

interface RefusingServer {
  readonly script: InfluxdbScript;
  readonly rejected: number;
  /** The reason, in the log. */
  readonly says: RegExp;
  readonly tags?: Record<string, string>;
  /** @default {30} */
  readonly packets?: number;
}

/** Here a reading is to blame: it alone ends among the rejects. */
const REFUSED: Record<string, RefusingServer> = {
  "a line that does not parse": {
    script: { badLine: refuse(has(-7)) },
    rejected: 1,
    says: /sig\.rssi = -7: unable to parse 'rssi,.*': invalid field format$/,
  },
  "several lines that do not parse, of which the first is quoted": {
    script: { badLine: refuse(anyOf(has(-7), has(-8), has(-30))) },
    rejected: 3,
    says: /sig\.rssi = -7 and 2 more: unable to parse/,
  },
  "a line that is quoted back a megabyte long": {
    script: { badLine: refuse(has(-1)) },
    packets: 1,
    rejected: 1,
    says: /sig\.rssi = -1: unable to parse '.{480}/,
    tags: { site: "x".repeat(1_000_000) },
  },
  "a line that is not quoted whole": {
    script: {
      answer: ({ lines }) =>
        lines.some(has(-7))
          ? errorAnswer(400, "invalid", "unable to parse 'rssi,…': no")
          : undefined,
    },
    rejected: 1,
    says: /sig\.rssi = -7: unable to parse 'rssi,…'/,
  },
  "a time that does not fit": {
    script: {
      badLine: refuse(
        has(-7),
        'strconv.ParseInt: parsing "9e30": value out of range',
      ),
    },
    rejected: 1,
    says: /value out of range/,
  },
  "a field of another type": {
    script: { conflicts: (line) => line.startsWith("pressure") },
    rejected: PACKETS,
    says: /n2\.p = 0\.01 and 29 more: .* field type conflict/,
  },
  "points outside of the retention, fewer counted than there are": {
    script: { oldestUs: RIG_FIRST_US + 11_000 },
    rejected: 90,
    says: /n1\.t = 0\.01 and 9 more: .*outside retention policy/,
  },
  "a conflict and the retention in one batch": {
    script: {
      oldestUs: RIG_FIRST_US + 11_000,
      conflicts: (line) => line.startsWith("pressure"),
    },
    rejected: 90 + 20,
    says: /outside retention policy/,
  },
  "a line that alone is too large": {
    script: {
      answer: ({ lines }) => lines.some(has(-7)) ? page(413) : undefined,
    },
    rejected: 1,
    says: /sig\.rssi = -7: Request too large/,
  },
  "lines that InfluxDB 3 names": {
    script: {
      answer: ({ lines }) => {
        const data = lines.flatMap((line, index) =>
          line.startsWith("pressure")
            ? [{
              original_line: line.slice(0, 30),
              line_number: index + 1,
              error_message: "invalid column type for column 'value'",
            }]
            : []
        );
        return data.length === 0 ? undefined : Response.json({
          error: "partial write of line protocol occurred",
          data,
        }, { status: 400 });
      },
    },
    rejected: PACKETS,
    says: /n2\.p = 0\.01 and 29 more: invalid column type/,
  },
};

for (const [name, wrong] of Object.entries(REFUSED)) {
  const { script, rejected, says, tags, packets = PACKETS } = wrong;
  Deno.test(`Only the reading to blame is refused: ${name}`, async () => {
    await using server = startScriptedInfluxdb({
      clockUs: RIG_FIRST_US + 3_600e6 + 11_000,
      ...script,
    });
    await using rig = await startRig({
      influxdb: { url: server.url, ...(tags && { tags, timeout_s: 20 }) },
    });
    await rig.appendNumbered(packets);
    await endsWell(rig, server, {
      delivered: 9 * packets - rejected,
      rejected,
    });
    const refusals = rig.log.filter((line) => line.includes("Refused"));
    assert.ok(refusals.some((line) => says.test(line)), refusals.join("\n"));
    assert.ok(refusals.length <= 9, "one line for each kind of reading");
    assert.ok(rig.log.every((line) => line.length < 800));
    // What the server refuses it never has, whatever was tried.
    if (script.oldestUs !== undefined) {
      for (const line of server.stored) {
        assert.ok(timeOf(line) >= script.oldestUs);
      }
    }
  });
}

Deno.test("A request that is too large is halved until it fits", async () => {
  await using server = startScriptedInfluxdb({
    answer: ({ lines }) => lines.length > 20 ? page(413) : undefined,
  });
  await using rig = await startRig({ influxdb: { url: server.url } });
  await rig.appendNumbered(PACKETS);
  await endsWell(rig, server, { delivered: READINGS, rejected: 0 });
  assert.ok(!rig.log.some((line) => line.includes("warning")));
});

Deno.test("A reading that is refused alone waits until another one is accepted", async () => {
  await using server = startScriptedInfluxdb({ badLine: refuse(has(-7)) });
  await using rig = await startRig({ influxdb: { url: server.url } });
  await rig.append({ "sig.rssi": -7 });
  await rig.until(() => server.requests.length >= 3);
  assert.equal(rig.standing("influxdb").waiting, 1);
  await rig.append({ "n1.t": 20 });
  await endsWell(rig, server, { delivered: 1, rejected: 1 });
});

Deno.test("A backlog that the bucket keeps no more ends among the rejects, in few requests", async () => {
  await using server = startScriptedInfluxdb({
    oldestUs: NOW_US,
    clockUs: NOW_US + 3_600e6,
  });
  await using rig = await startRig({ influxdb: { url: server.url } });
  await rig.appendNumbered(2_000);
  await endsWell(rig, server, { delivered: 0, rejected: 18_000 });
  assert.ok(server.requests.length <= 12, `${server.requests.length}`);
  assert.equal(rig.log.filter((line) => line.includes("Refused")).length, 9);
});
