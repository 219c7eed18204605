import assert from "node:assert/strict";
import {
  ParseColumns,
  ParseFields,
  ParseJson,
} from "../../lib/cli/parse/formats.ts";
import type { ParsedEntry } from "../../lib/cli/parse/parsed_lines.ts";
import { textWidth } from "../../lib/cli/terminal/text_width.ts";

const PACKET: ParsedEntry = {
  kind: "packet",
  line: 'JSON: {"n1":{"t":27.6,"h":180}}',
  boardTs: 12000,
  values: [
    {
      path: "n1.t",
      value: 27.6,
      unit: "celsius",
      message: {
        topic: "iiot/node1/temperature",
        payload: "27.6",
        retain: true,
      },
      point: "temperature,node=node1,unit=celsius value=27.6",
    },
    {
      path: "sts.rx",
      value: 42,
      unit: null,
      message: { topic: "iiot/stats/rx", payload: "42", retain: false },
      point: "rx,node=stats value=42",
    },
    {
      path: "run",
      value: "on",
      unit: null,
      message: null,
      point: null,
      problem: "It is a word",
    },
  ],
  dropped: [
    { path: "n1.h", value: "180", reason: "implausible", range: [0, 100] },
    { path: "n1.g", value: "NaN", reason: "not_a_number", range: null },
  ],
  unknown: [{ path: "co2", value: 415 }],
};
const LOG: ParsedEntry = {
  kind: "log",
  text: "hello",
  level: "info",
  reason: "no marker",
  unknown: [],
};
const EVIL = "\x07a\tb\r\n\u202e\x1b[2J";
const REJECT: ParsedEntry = {
  kind: "reject",
  line: `JSON: {${EVIL}`,
  reason: "Two packets in one line",
  unknown: [],
};

Deno.test("ParseColumns lines up a packet's values, and keeps the columns for the next", () => {
  const columns = new ParseColumns({
    columns: () => 120,
    color: false,
  });
  assert.deepEqual(columns.lines(PACKET), [
    "packet    12000 ms",
    "  iiot/node1/temperature  27.6 °C  retained  temperature,node=node1,unit=celsius value=27.6",
    "  iiot/stats/rx             42               rx,node=stats value=42",
    "  run                       on               It is a word",
    "  dropped                 n1.h = 180, implausible: possible are 0 to 100",
    "  dropped                 n1.g = NaN, not_a_number",
    "  no metric               co2 = 415",
  ]);
  assert.deepEqual(columns.lines(LOG), ["log       no marker  hello"]);
  const [, row] = columns.lines({
    ...PACKET,
    values: PACKET.values.slice(1, 2),
  });
  assert.equal(
    row,
    "  iiot/stats/rx             42               rx,node=stats value=42",
  );
});

Deno.test("ParseColumns puts a point that does not fit on a line of its own, and cuts what is said", () => {
  const columns = new ParseColumns({
    columns: () => 60,
    color: false,
  });
  assert.deepEqual(columns.lines(PACKET).slice(1, 4), [
    "  iiot/node1/temperature  27.6 °C  retained",
    "    temperature,node=node1,unit=celsius value=27.6",
    "  iiot/stats/rx             42",
  ]);
  const long: ParsedEntry = { ...LOG, text: "x".repeat(99) };
  for (const line of [...columns.lines(long), ...columns.lines(REJECT)]) {
    assert.ok(textWidth(line) <= 60, line);
  }
});

Deno.test("ParseColumns colours only on request", () => {
  const columns = new ParseColumns({
    columns: () => 120,
    color: true,
  });
  assert.equal(
    columns.lines(LOG)[0],
    "\x1b[2mlog       no marker  hello\x1b[0m",
  );
  assert.match(columns.lines(PACKET)[0] ?? "", /packet/);
  assert.ok(columns.lines(PACKET)[0]?.startsWith("\x1b[32m"));
});

Deno.test("ParseFields separates fields by tabs, which no field holds", () => {
  const plain = new ParseFields();
  assert.deepEqual(plain.lines(PACKET), [
    'packet\t12000\tJSON: {"n1":{"t":27.6,"h":180}}',
    "value\tiiot/node1/temperature\t27.6\tcelsius\tretained\ttemperature,node=node1,unit=celsius value=27.6",
    "value\tiiot/stats/rx\t42\t\t\trx,node=stats value=42",
    "value\trun\ton\t\t\tIt is a word",
    "dropped\tn1.h\t180\timplausible",
    "dropped\tn1.g\tNaN\tnot_a_number",
    "unknown\tco2\t415",
  ]);
  assert.deepEqual(plain.lines(LOG), ["log\tinfo\tno marker\thello"]);
  assert.deepEqual(plain.lines(REJECT), [
    "reject\tTwo packets in one line\tJSON: {\\u{7}a\\u{9}b\\u{d}\\u{a}\\u{202e}",
  ]);
});

Deno.test("ParseFormats show nothing that a terminal would obey", () => {
  const evil: ParsedEntry[] = [
    REJECT,
    {
      kind: "packet",
      line: EVIL,
      boardTs: null,
      values: [],
      dropped: [],
      unknown: [],
    },
    {
      kind: "packet",
      line: EVIL,
      boardTs: null,
      values: [{
        path: EVIL,
        value: EVIL,
        unit: EVIL,
        message: { topic: EVIL, payload: EVIL, retain: false },
        point: EVIL,
      }],
      dropped: [
        { path: EVIL, value: EVIL, reason: "implausible", range: null },
      ],
      unknown: [{ path: EVIL, value: EVIL }],
    },
  ];
  const columns = new ParseColumns({
    columns: () => 200,
    color: false,
  });
  for (const entry of evil) {
    for (const line of columns.lines(entry)) {
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
    }
    for (const line of new ParseFields().lines(entry)) {
      assert.doesNotMatch(line.replaceAll("\t", ""), /[\p{Cc}\p{Cf}]/u);
    }
    for (const line of new ParseJson("").lines(entry)) {
      assert.doesNotMatch(line, /\p{Cc}/u);
    }
  }
});

Deno.test("ParseJson makes an object of each line", () => {
  const json = new ParseJson("hall");
  const [packet = ""] = json.lines(PACKET);
  const { kind, board, ts, values, dropped } = JSON.parse(packet);
  assert.deepEqual([kind, board, ts], ["packet", "hall", 12000]);
  assert.deepEqual(values[0], {
    path: "n1.t",
    value: 27.6,
    unit: "celsius",
    topic: "iiot/node1/temperature",
    payload: "27.6",
    retain: true,
    point: "temperature,node=node1,unit=celsius value=27.6",
  });
  assert.equal(values[2].topic, null);
  assert.deepEqual(dropped[0].range, [0, 100]);
  assert.deepEqual(JSON.parse(json.lines(LOG)[0] ?? ""), {
    kind: "log",
    text: "hello",
    level: "info",
    reason: "no marker",
    unknown: [],
  });
  assert.equal(JSON.parse(json.lines(REJECT)[0] ?? "").line, `JSON: {${EVIL}`);
});
