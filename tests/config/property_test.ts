import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError } from "../../lib/config/config.ts";
import { KNOWN_KEYS } from "../../lib/config/schema.ts";
import { load } from "./load.ts";

const keys = fc.constantFrom(
  ...Object.keys(KNOWN_KEYS),
  ...Object.values(KNOWN_KEYS).flat(),
  "__proto__",
  "constructor",
  '"\\u001b[2J"',
  "x",
);
const dotted = fc.array(keys, { minLength: 1, maxLength: 3 }).map((parts) =>
  parts.join(".")
);
const scalar = fc.oneof(
  fc.string().map((text) => JSON.stringify(text)),
  fc.constantFrom(
    '"${X}"',
    '"$$"',
    '"${"',
    "''",
    "inf",
    "nan",
    "-0",
    "1e999",
    "0x1f",
    "true",
  ),
  fc.constantFrom(
    "1979-05-27",
    "07:32:00",
    '"mqtt://a:b@c"',
    '"http://a"',
    '"1d"',
    "'''\n\n'''",
  ),
  fc.bigInt().map(String),
  fc.double().map(String),
);
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }).map((all) =>
      `[${all.join(", ")}]`
    ),
    fc.array(fc.tuple(dotted, tie("value")), { maxLength: 3 })
      .map((all) =>
        `{${all.map(([key, one]) => `${key} = ${one}`).join(", ")}}`
      ),
  ),
}));
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(dotted, value).map(([key, one]) => `${key} = ${one}`),
  },
  { weight: 3, arbitrary: dotted.map((key) => `[${key}]`) },
  { weight: 1, arbitrary: dotted.map((key) => `[[${key}]]`) },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
);

Deno.test("loadConfig gives a Config or a ConfigError for whatever stands in the file", async () => {
  let loaded = 0;
  let refused = 0;
  const lines = fc.array(line, { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(lines, fc.boolean(), async (all, simulate) => {
      try {
        // Half of the runs start from a table that is good, so that some also load.
        const start = simulate
          ? 'influxdb = { url = "http://a", org = "b", bucket = "c" }\n'
          : "";
        await load(start + all.join("\n"), {
          simulate,
          env: { INFLUXDB_TOKEN: "t" },
        });
        loaded++;
      } catch (error) {
        assert(error instanceof ConfigError, `Not a ConfigError: ${error}`);
        assert(error.faults.length > 0);
        for (const { line, column, message } of error.faults) {
          assert(line >= 1 && column >= 1 && message !== "");
          // What `wanted` has no words for.
          assert.doesNotMatch(message, /Invalid input/);
          // deno-lint-ignore no-control-regex -- they are what is looked for
          assert.doesNotMatch(message, /[\x00-\x1f]/);
        }
        refused++;
      }
    }),
    {
      numRuns: 2000,
      // Found once: a file's name with line ends in it.
      examples: [[["[mqtt]", "password_file = '''\n\n'''"], false]],
    },
  );
  assert(loaded > 0 && refused > 0);
});

const SECRET = "sesame-open-4711";
const anySecret = fc.constantFrom(
  `["${SECRET}"]`,
  `{ a = "${SECRET}" }`,
  `"${SECRET} \\u0000@\\n"`,
  `"$${"{"}${SECRET}}"`,
  `'''\n${SECRET}\n'''`,
  SECRET,
);
const userInfo = fc.constantFrom(
  `"mqtt://${SECRET}:${SECRET}@localhost:0"`,
  `"http://u:${SECRET}@localhost"`,
  `["//${SECRET}@x", "${SECRET}:${SECRET}@y"]`,
  `{ a = "mqtt://u:${SECRET}@localhost" }`,
  `"mqtt://u:${SECRET}@${"a".repeat(200)}/"`,
);

Deno.test("loadConfig shows neither a password nor a token nor a URL's user in its faults", async () => {
  const pairs = fc.oneof(
    fc.tuple(fc.constantFrom("password", "token"), anySecret),
    fc.tuple(
      fc.constantFrom("broker_url", "url", "client_id", "org"),
      userInfo,
    ),
  );
  await fc.assert(
    fc.asyncProperty(pairs, async ([key, value]) => {
      const text = `[mqtt]\n${key} = ${value}\n[influxdb]\n${key} = ${value}\n`;
      await assert.rejects(load(text), (error) => {
        assert(error instanceof ConfigError);
        assert(!error.message.includes(SECRET), error.message);
        return true;
      });
    }),
  );
});
