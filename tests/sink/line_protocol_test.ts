import assert from "node:assert/strict";
import { createCatalogue, type Metric } from "../../lib/catalogue.ts";
import type { Value } from "../../lib/model.ts";
import { LineProtocol } from "../../lib/sink/line_protocol.ts";
import { retentionSeconds } from "../../lib/sink/retention_message.ts";
import { row } from "./given.ts";

const TIME = { timeUs: 1_700_000_000_000_000 };

function line(
  path: string,
  value: Value,
  { board = "", tags = {}, own = [] }: {
    board?: string;
    tags?: Record<string, string>;
    own?: Metric[];
  } = {},
): string | undefined {
  const given = row(1, { [path]: value }, { ...TIME, board });
  return new LineProtocol(createCatalogue(own), tags).line(
    given,
    given.readings[0]!,
  );
}

Deno.test("LineProtocol writes the guide's line", () => {
  assert.equal(
    line("n1.t", 27.6),
    "temperature,node=node1,unit=celsius value=27.6 1700000000000000",
  );
});

Deno.test("LineProtocol leaves out the unit of a counter", () => {
  assert.equal(
    line("sts.rx", 42),
    "packets_received,node=stats value=42 1700000000000000",
  );
});

Deno.test("LineProtocol marks points whose time is only estimated, and no others of the series", () => {
  const lines = new LineProtocol(createCatalogue(), {});
  const written = (["known", "estimated", "known"] as const).map(
    (timeQuality) => {
      const given = row(1, { "sts.rx": 1 }, { ...TIME, timeQuality });
      return lines.line(given, given.readings[0]!)?.split(" ")[0];
    },
  );
  assert.deepEqual(written, [
    "packets_received,node=stats",
    "packets_received,clock=estimated,node=stats",
    "packets_received,node=stats",
  ]);
});

Deno.test("LineProtocol adds the tags of the configuration and the board's name", () => {
  assert.equal(
    line("n1.t", 1, { board: "press 3", tags: { site: "north, hall=2" } }),
    "temperature,board=press\\ 3,node=node1,site=north\\,\\ hall\\=2,unit=celsius value=1 1700000000000000",
  );
});

Deno.test("LineProtocol writes every value as a float that reads back the same", () => {
  const values = [
    0,
    -0,
    27,
    -39,
    0.1,
    1e21,
    1.5e-7,
    4_294_967_295,
    Number.MAX_VALUE,
    5e-324,
  ];
  for (const value of values) {
    const text = / value=(\S+) /.exec(line("n1.t", value)!)![1]!;
    assert.doesNotMatch(text, /i$/);
    assert.equal(Number(text), value === 0 ? 0 : value);
  }
});

Deno.test("LineProtocol escapes what a [[metric]] table names", () => {
  const own: Metric = {
    path: "a.b",
    node: "n",
    name: "x",
    measurement: "my, measure",
    unit: "m/s",
    retain: false,
    range: null,
  };
  assert.equal(
    line("a.b", 1, { own: [own] }),
    "my\\,\\ measure,node=n,unit=m/s value=1 1700000000000000",
  );
});

Deno.test("LineProtocol has no line for a path that the catalogue does not know", () => {
  assert.equal(line("x.y", 1), undefined);
});

Deno.test("LineProtocol marks its test line as one", () => {
  assert.equal(
    LineProtocol.testLine({ site: "north" }, 5),
    "iiot_gateway_check,check=true,site=north value=1 5",
  );
});

Deno.test("retentionSeconds reads the duration that InfluxDB names", () => {
  const message = (duration: string) =>
    `failure writing points to database: partial write: dropped 1 points outside retention policy of duration ${duration} - oldest point …`;
  assert.equal(retentionSeconds(message("1h0m0s")), 3_600);
  assert.equal(retentionSeconds(message("168h0m0s")), 604_800);
  assert.equal(retentionSeconds(message("1m30.5s")), 90.5);
  assert.equal(
    retentionSeconds("partial write: field type conflict"),
    undefined,
  );
});

const OWN: Metric = {
  path: "x",
  node: "n",
  name: "x",
  measurement: "x",
  unit: null,
  retain: true,
  range: null,
};

const FIELDS: [
  own: Partial<Metric>,
  value: Value,
  field: string | undefined,
][] = [
  [{}, 27, "27"],
  [{}, "27", undefined],
  [{}, true, undefined],
  [{ scale: 0.1 }, 271, "27.1"],
  [{ scale: 0.1, offset: -273.15 }, 2731, "-0.05"],
  [{ type: "integer" }, 27, "27i"],
  [{ type: "integer" }, 27.5, undefined],
  [{ type: "integer" }, 2 ** 53, undefined],
  [{ type: "integer", scale: 10 }, 2.7, "27i"],
  [{ type: "boolean" }, true, "true"],
  [{ type: "boolean" }, false, "false"],
  [{ type: "boolean" }, 1, undefined],
  [{ type: "string" }, "run", '"run"'],
  [{ type: "string" }, 'a "b" \\ c=d,e', '"a \\"b\\" \\\\ c=d,e"'],
  [{ type: "string" }, 12, undefined],
];

Deno.test("LineProtocol writes a value as its metric's type wants it, and none of another type", () => {
  for (const [own, value, field] of FIELDS) {
    assert.equal(
      line("x", value, { own: [{ ...OWN, ...own }] }),
      field === undefined
        ? undefined
        : `x,node=n value=${field} ${TIME.timeUs}`,
      JSON.stringify([own, value]),
    );
  }
});

Deno.test("LineProtocol tells the type of a field that no metric names by the field's name, so that none conflicts", () => {
  const named: Metric[] = [
    { ...OWN, path: "on", node: "pump", measurement: "on", type: "boolean" },
    { ...OWN, path: "n", node: "pump", measurement: "n", type: "integer" },
  ];
  const lines = new LineProtocol(
    createCatalogue(named, { hasFields: true }),
    {},
  );
  const of = (path: string, value: Value) => {
    const given = row(1, { [path]: value }, TIME);
    const line = lines.line(given, given.readings[0]!);
    assert.equal(lines.lines([given]), line);
    return line?.split(" ").slice(0, -1).join(" ");
  };
  assert.deepEqual(
    [
      of("door.state", true),
      of("motor.state", "run"),
      of("motor.state", 3),
      of("x.temperature", "hot"),
      of("x.temperature", 21.5),
      of("on", true),
      of("fan.on", false),
      of("fan.on", 1),
      of("n", 7),
      of("fan.n", 7),
    ],
    [
      "state,node=door value_bool=true",
      'state,node=motor value_text="run"',
      "state,node=motor value=3",
      'temperature,node=x value_text="hot"',
      "temperature,node=x value=21.5",
      "on,node=pump value=true",
      "on,node=fan value_bool=false",
      "on,node=fan value_number=1",
      "n,node=pump value=7i",
      "n,node=fan value_number=7",
    ],
  );
});

Deno.test("LineProtocol says why it has no line for a value", () => {
  const lines = new LineProtocol(createCatalogue([OWN]), {});
  assert.equal(
    lines.whyNone({ path: "y", value: 1 }),
    'No metric for path "y"',
  );
  assert.equal(
    lines.whyNone({ path: "x", value: "run" }),
    'The metric of path "x" has the type "number", and the value is "run"',
  );
});
