import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Catalogue,
  createCatalogue,
  type Metric,
} from "../../lib/catalogue.ts";
import { readFirmwareText } from "../../lib/source/firmware_text.ts";
import { PacketShapes } from "../../lib/source/packet_shape.ts";
import { type ParsedLine, parseLine } from "../../lib/source/telemetry.ts";
import cases from "../testdata/source/lines.json" with { type: "json" };

interface Case {
  name: string;
  line: string;
  truncated?: boolean;
  boardTs?: number | null;
  readings?: Record<string, number>;
  dropped?: string[];
  reject?: string;
  level?: string;
  text?: string;
  location?: string;
}

const MARKER = "JSON sent via VCP: ";

function parse(
  text: string,
  catalogue: Catalogue = createCatalogue(),
): ParsedLine {
  return parseLine({ text, truncated: false }, { marker: MARKER, catalogue });
}

function metric(path: string, range: Metric["range"] = null): Metric {
  return {
    path,
    node: "n",
    name: "x",
    measurement: "x",
    unit: null,
    retain: true,
    range,
  };
}

for (const one of cases as Case[]) {
  Deno.test(`parseLine knows ${one.name}`, () => {
    const parsed = parseLine({
      text: one.line,
      truncated: one.truncated ?? false,
    }, {
      marker: MARKER,
      catalogue: createCatalogue(),
    });
    if (one.reject !== undefined) {
      assert.equal(parsed.kind, "reject", JSON.stringify(parsed));
      assert.ok(parsed.reason.includes(one.reject), parsed.reason);
    } else if (one.readings) {
      assert.equal(parsed.kind, "packet", JSON.stringify(parsed));
      const { boardTs, readings, dropped } = parsed.packet;
      assert.deepEqual(
        { boardTs, readings: readings.map(({ path, value }) => [path, value]) },
        { boardTs: one.boardTs, readings: Object.entries(one.readings) },
      );
      assert.deepEqual(
        dropped.map(({ path, value, reason }) => `${path} ${value} ${reason}`),
        one.dropped ?? [],
      );
    } else {
      assert.equal(parsed.kind, "other", JSON.stringify(parsed));
      const { level, text, location } = parsed.said;
      assert.deepEqual(
        { level, text, location },
        { level: one.level, text: one.text, location: one.location },
      );
    }
  });
}

Deno.test("parseLine keeps a number that is too large only where no range forbids it", () => {
  const catalogue = createCatalogue([metric("a"), metric("b")]);
  const parsed = parse(`${MARKER}{"a":1e300,"b":-1e999}`, catalogue);
  assert.equal(parsed.kind, "packet");
  assert.deepEqual(parsed.packet.readings, [{ path: "a", value: 1e300 }]);
  assert.deepEqual(parsed.packet.dropped, [
    { path: "b", value: "-1e999", reason: "not_a_number" },
  ]);
});

Deno.test("parseLine knows metrics of any depth, also where one path goes through another", () => {
  const catalogue = createCatalogue([
    metric("a.b"),
    metric("a.b.c"),
    metric("a"),
    metric("ts"),
  ]);
  const readings = (text: string) => {
    const parsed = parse(MARKER + text, catalogue);
    assert.equal(parsed.kind, "packet", JSON.stringify(parsed));
    return parsed.packet.readings.map(({ path, value }) => `${path} ${value}`);
  };
  assert.deepEqual(readings('{"a":{"b":{"c":1}},"ts":7}'), ["a.b.c 1", "ts 7"]);
  assert.deepEqual(readings('{"a":{"b":2}}'), ["a.b 2"]);
  assert.deepEqual(readings('{"a":3}'), ["a 3"]);
});

Deno.test("parseLine takes sixteen objects within each other and no more", () => {
  const nested = (depth: number) =>
    `${MARKER}{"n1":{"t":1},"x":${"[".repeat(depth - 1)}${
      "]".repeat(depth - 1)
    }}`;
  assert.equal(parse(nested(16)).kind, "packet");
  assert.deepEqual(parse(nested(17)), {
    kind: "reject",
    reason: "Nested deeper than 16",
    isOpen: false,
  });
  assert.deepEqual(parse(nested(4000)), {
    kind: "reject",
    reason: "Nested deeper than 16",
    isOpen: false,
  });
  assert.deepEqual(parse(MARKER + '{"a":'.repeat(1600)), {
    kind: "reject",
    reason: "Nested deeper than 16",
    isOpen: false,
  });
});

Deno.test("parseLine does not write to the prototypes of anything", () => {
  parse(
    `${MARKER}{"__proto__":{"t":5,"polluted":1},"n1":{"__proto__":{"polluted":1},"t":1}}`,
  );
  assert.equal(Reflect.get({}, "polluted"), undefined);
  const parsed = parse(
    `${MARKER}{"__proto__":{"t":1}}`,
    createCatalogue([metric("__proto__.t")]),
  );
  assert.equal(parsed.kind, "packet");
});

Deno.test("parseLine gives a reason of bounded length without tricks", () => {
  for (
    const value of [
      `"${"x".repeat(5000)}"`,
      `"\u202e${"\\n".repeat(900)}"`,
      "x".repeat(5000),
    ]
  ) {
    for (
      const key of ['"ts"', '"id"', '"n1"', '"n1":{"t"', `${"k".repeat(5000)}`]
    ) {
      const parsed = parse(`${MARKER}{${key}:${value}}}`);
      const [said] = parsed.kind === "reject"
        ? [parsed.reason]
        : parsed.kind === "packet"
        ? parsed.packet.dropped.map(({ value }) => value)
        : [];
      assert.ok(said !== undefined && said.length < 200, String(said));
      assert.doesNotMatch(said, /[\p{Cc}\p{Cf}]/u);
    }
  }
});

Deno.test("parseLine stays linear on a hostile line", () => {
  const size = 100_000;
  const started = performance.now();
  for (
    const part of [
      "[a] ",
      " (",
      "1",
      "1.",
      "\u001b[",
      "\u001b]",
      "\\u0041",
      '\\"',
      '"',
      " ",
    ]
  ) {
    parse(part.repeat(size));
    parse(`[INFO ] ${part.repeat(size)})`);
    parse(MARKER + '{"' + part.repeat(size));
  }
  const keys = Array.from({ length: size }, (_, i) => `"${i}":1`).join(",");
  assert.equal(parse(`${MARKER}{${keys}}`).kind, "reject");
  assert.ok(performance.now() - started < 10_000);
});

Deno.test("parseLine agrees with JSON.parse on what is JSON", () => {
  const key = fc.constantFrom("n1", "t", "h", "x", "", "é", 'q"', "__proto__");
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.oneof(
        fc.double(),
        fc.integer(),
        fc.string(),
        fc.boolean(),
        fc.constant(null),
      ),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    ),
  }));
  const json = fc.tuple(value, fc.constantFrom(undefined, 1, "\t"))
    .map(([one, indent]) =>
      `{"known":1,"x":${JSON.stringify(one, null, indent)}}`
    );
  const broken = fc.tuple(
    json,
    fc.nat(),
    fc.nat(2),
    fc.constantFrom(...'{}[],:"\\0e-. u\t'),
  )
    .map(([text, at, removed, inserted]) => {
      const start = 1 + at % text.length;
      return text.slice(0, start) + inserted + text.slice(start + removed);
    });
  const catalogue = createCatalogue([metric("known")]);
  fc.assert(
    fc.property(fc.oneof(json, broken), (text) => {
      const parsed = parse(MARKER + text, catalogue);
      const reason = parsed.kind === "reject" ? parsed.reason : "";
      // Two things are stricter here on purpose, and what stands behind the object is not read.
      if (/^(Duplicate key|"known" must|"ts"|"id"|No metric)/.test(reason)) {
        return;
      }
      const agreed = parsed.kind === "packet"
        ? prefixIsJson(text)
        : !isJson(text);
      assert.ok(agreed, `${JSON.stringify(parsed)} for ${text}`);
    }),
    { numRuns: 3000 },
  );
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether `text` up to one of its closing braces is JSON, or would be without its NaN. */
function prefixIsJson(text: string): boolean {
  for (
    let end = text.indexOf("}");
    end >= 0;
    end = text.indexOf("}", end + 1)
  ) {
    if (isJson(text.slice(0, end + 1))) return true;
  }
  return false;
}

Deno.test("parseLine reads a packet like one before it as it would alone", () => {
  const plain = fc.tuple(fc.nat(60), fc.constantFrom("", ".0", ".7", ".25"))
    .map((parts) => parts.join(""));
  const any = fc.oneof(
    fc.nat(5_000_000_000).map(String),
    fc.double({ min: -200, max: 2_000 }).map(String),
    fc.tuple(fc.integer({ min: -1e6, max: 1e6 }), fc.nat(16))
      .map(([value, decimals]) => (value / 1_000).toFixed(decimals)),
    fc.constantFrom(
      ..."0 -0 -0.0 00 01 -1 -00.5 1. .5 - 1.2.3 1e3 1E-400 1e400".split(" "),
      ..."4294967295 4294967296 -0.04 999999999999999 9007199254740993".split(
        " ",
      ),
      ...'0.1234567890123456789 NaN -inf null true {} [] "7"'.split(" "),
    ),
  );
  const number = fc.oneof(
    { weight: 6, arbitrary: plain },
    { weight: 1, arbitrary: any },
  );
  const packet = fc.tuple(
    fc.constantFrom(
      '{"ts":1#,"id":"N1","n1":{"t":#,"h":#},"x":[#,#]}',
      '{"n1":{"t":#, "h": #},"ts":#}',
      '{"known":#}',
      '{"ts":#,"known":#',
      '{"known":#,"known":#}',
      '{"known":#}} JSON sent via VCP: {"known":#}',
    ),
    fc.array(number, { minLength: 5, maxLength: 5 }),
  ).map(([shape, numbers]) => {
    let at = 0;
    return MARKER + shape.replace(/#/g, () => numbers[at++]!);
  });
  const catalogue = createCatalogue([metric("known"), metric("ts")]);
  const known = { marker: MARKER, catalogue };
  let like = 0;
  fc.assert(
    fc.property(fc.array(packet, { minLength: 20, maxLength: 40 }), (lines) => {
      const shapes = new PacketShapes();
      for (const text of lines) {
        if (shapes.read(text, text.indexOf("{"))) like++;
        const line = { text, truncated: false };
        const alone = parseLine(line, known);
        // What no metric names is told of the first packet of a shape alone.
        const told = alone.kind === "packet"
          ? { kind: alone.kind, packet: alone.packet }
          : alone;
        const parsed = parseLine(line, { ...known, shapes });
        assert.deepEqual(
          parsed.kind === "packet"
            ? { kind: parsed.kind, packet: parsed.packet }
            : parsed,
          told,
        );
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(like > 1000, `${like} packets were like one before them`);
});

Deno.test("PacketShapes keeps the shape of every node, however often a packet of one has to be read with care", () => {
  const known = { marker: MARKER, catalogue: createCatalogue([metric("a")]) };
  const shapes = new PacketShapes();
  const packet = (node: number, value: string) =>
    `{"id":"N${node}","a":${value}}`;
  const nodes = [1, 2, 3, 4, 5, 6, 7, 8];
  const texts = [
    ...nodes.map((node) => packet(node, "1")),
    ...Array(10).fill(packet(8, "1e1")),
  ];
  for (const text of texts) {
    parseLine({ text: MARKER + text, truncated: false }, { ...known, shapes });
  }
  const missing = nodes.filter((node) => !shapes.read(packet(node, "2"), 0));
  assert.deepEqual(missing, []);
});

Deno.test("parseLine finds a packet whatever stands before and behind it", () => {
  const around = fc.string({ unit: "binary", maxLength: 30 })
    .filter((text) => !text.includes(MARKER) && !text.includes("\u001b"));
  fc.assert(
    fc.property(around, around, (before, behind) => {
      const parsed = parse(`${before}${MARKER}{"n1":{"t":27.6}}${behind}`);
      assert.deepEqual(parsed.kind === "packet" && parsed.packet.readings, [
        { path: "n1.t", value: 27.6 },
      ]);
    }),
  );
});

Deno.test("readFirmwareText lets nothing through that a terminal could obey", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(
        readFirmwareText(text).text,
        /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u,
      );
    }),
  );
});
