import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { hideSecrets } from "../lib/log_line.ts";
import { configureLog, type ConfigureLogOptions } from "../lib/log.ts";

const DECODER = new TextDecoder();

/** What is logged while `act` runs, a string per line. */
async function logged(
  options: Partial<ConfigureLogOptions>,
  act: () => void,
): Promise<string[]> {
  const lines: string[] = [];
  const log = await configureLog({
    level: "info",
    format: "text",
    secrets: [],
    write: (line) => {
      lines.push(DECODER.decode(line));
      return Promise.resolve();
    },
    ...options,
  });
  act();
  await log[Symbol.asyncDispose]();
  return lines;
}

function withoutTime(line: string | undefined): string | undefined {
  return line?.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /, "");
}

Deno.test("configureLog writes local time, level, room and message", async () => {
  const [line] = await logged({}, () => {
    getLogger(["gateway", "mqtt"]).info("Connected to {broker}", {
      broker: "a:1883",
    });
  });
  const now = new Date();
  const midnight = `${now.getFullYear()}-${
    String(now.getMonth() + 1).padStart(2, "0")
  }-`;
  assert.ok(line?.startsWith(midnight), `${line}`);
  assert.equal(withoutTime(line), "INFO  mqtt     Connected to a:1883\n");
});

Deno.test("configureLog appends only the properties that the message leaves out", async () => {
  const [line] = await logged({}, () => {
    getLogger("mqtt").warn("Lost {broker}", {
      broker: "a",
      attempt: 3,
      why: { code: 135 },
      board: undefined,
    });
  });
  assert.equal(
    withoutTime(line),
    'WARN  mqtt     Lost a attempt=3 why={"code":135}\n',
  );
});

Deno.test("configureLog writes JSON lines on request", async () => {
  const [line] = await logged({ format: "json" }, () => {
    getLogger(["source", "probe-rs"])
      .error("Ended with {code}", { code: 1n, board: undefined });
  });
  const { time, ...rest } = JSON.parse(line!);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    level: "error",
    category: "source.probe-rs",
    message: "Ended with 1",
    properties: { code: "1" },
  });
});

Deno.test("configureLog leaves out what is below its level", async () => {
  const lines = await logged({ level: "warning" }, () => {
    getLogger("a").info("no");
    getLogger("a").warn("yes");
  });
  assert.deepEqual(lines.map(withoutTime), ["WARN  a        yes\n"]);
});

for (const format of ["text", "json"] as const) {
  Deno.test(`configureLog keeps hostile text in one harmless line (${format})`, async () => {
    const hostile =
      "a\nFAKE\r\x1b[2J\x00\x7f\x9b31m\u202Eb\u2028c\u200Bd\uFEFFe\uD800f\u{E0041}";
    const lines = await logged({ format }, () => {
      getLogger("device").info("{line}", { line: hostile, [hostile]: hostile });
    });
    assert.equal(lines.length, 1);
    const line = lines[0]!;
    assert.ok(line.endsWith("\n"));
    assert.doesNotMatch(
      line.slice(0, -1),
      /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u,
    );
    if (format === "json") {
      assert.equal(JSON.parse(line).message, hostile);
    } else {
      assert.ok(
        line.includes(
          "a\\nFAKE\\r\\u001b[2J\\u0000\\u007f\\u009b31m\\u202eb\\u2028c\\u200bd\\ufeffe\\ud800f\\udb40\\udc41",
        ),
        line,
      );
    }
  });

  Deno.test(`configureLog hides secrets in messages, properties, errors and URLs (${format})`, async () => {
    const secrets = ["s3cr3t", 'p"a/s\\s$&', "s3cr3t-longer", ""];
    const lines = await logged({ format, secrets, level: "debug" }, () => {
      const logger = getLogger("mqtt");
      logger.info("Token s3cr3t-longer and {token}", { token: "xs3cr3ty" });
      logger.info("At {urls}", {
        urls: [`mqtt://u:${encodeURIComponent(secrets[1]!)}@host`],
        deep: { er: { still: 'is p"a/s\\s$& here' } },
      });
      logger.error("Failed: {error}", {
        error: new Error("no s3cr3t", { cause: new Error('p"a/s\\s$&') }),
        nested: { error: new Error("s3cr3t") },
      });
    });
    const all = lines.join("");
    assert.equal(lines.length, 3);
    assert.doesNotMatch(all, /s3cr3t|longer|p\\*"a|%22a/);
    assert.ok(all.includes("Token [hidden] and x[hidden]y"), all);
    assert.ok(all.includes("mqtt://u:[hidden]@host"), all);
    if (format === "json") lines.forEach((line) => JSON.parse(line));
  });
}

Deno.test("A secret of fewer than four characters is not hidden: what is missing would tell it", async () => {
  const secrets = ["t", "abc", "abcd", "ü/ü"];
  const [line] = await logged({ secrets }, () => {
    getLogger("a").info("the token: abc, abcd, ü/ü");
  });
  assert.match(line!, / the token: abc, \[hidden\], ü\/ü\n$/);
  assert.equal(hideSecrets("what abcd is", secrets), "what [hidden] is");
});

Deno.test("configureLog shows an error with its causes, and its stack at debug only", async () => {
  const cause = new Error("connection refused", { cause: "ECONNREFUSED" });
  const error = new Error("Cannot publish", { cause });
  cause.cause = error;
  const act = () => getLogger("a").error("Failed: {error}", { error });
  const [atInfo] = await logged({}, act);
  assert.equal(
    withoutTime(atInfo),
    "ERROR a        Failed: Cannot publish: connection refused\n",
  );
  const [atDebug] = await logged({ level: "debug" }, act);
  assert.match(atDebug!, /connection refused\\n {4}at .*log_test\.ts/);
});

Deno.test("configureLog survives values that JSON cannot hold", async () => {
  const self: Record<string, unknown> = {};
  self.self = self;
  const lines = await logged({}, () => {
    getLogger("a").info("{undefined} {symbol} {self}", {
      symbol: Symbol("s"),
      self,
    });
  });
  assert.equal(lines.length, 1);
});

Deno.test("configureLog drops lines while nobody reads, and says how many", async () => {
  const lines: string[] = [];
  let release = () => {};
  let stalled = new Promise<void>((resolve) => release = resolve);
  const log = await configureLog({
    level: "info",
    format: "text",
    secrets: [],
    write: async (line) => {
      await stalled;
      lines.push(DECODER.decode(line));
    },
  });
  for (let i = 0; i < 5000; i++) getLogger("a").info("line {i}", { i });
  stalled = Promise.resolve();
  release();
  await log[Symbol.asyncDispose]();
  const said = lines.filter((line) => line.includes("Dropped"));
  assert.equal(said.length, 1);
  const count = Number(/Dropped (\d+) lines/.exec(said[0]!)?.[1]);
  assert.ok(count > 2000, `${count}`);
  assert.equal(lines.length - 1 + count, 5000);
});

Deno.test("configureLog ends within its deadline when nobody reads", async () => {
  const { promise: stalled, resolve: release } = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const log = await configureLog({
    level: "info",
    format: "text",
    secrets: [],
    deadlineMs: 50,
    write: () => stalled.then(written.resolve),
  });
  getLogger("a").info("late");
  await log[Symbol.asyncDispose]();
  release();
  await written.promise;
});

Deno.test("configureLog does not mind that stderr is gone", async () => {
  const lines = await logged({
    write: () => Promise.reject(new Deno.errors.BrokenPipe("gone")),
  }, () => getLogger("a").info("to nobody"));
  assert.deepEqual(lines, []);
});

Deno.test("configureLog hides a secret that it is told of later, from the next line on", async () => {
  const lines: string[] = [];
  const log = await configureLog({
    level: "info",
    format: "text",
    secrets: ["first"],
    write: (line) => {
      lines.push(DECODER.decode(line));
      return Promise.resolve();
    },
  });
  log.hide("first-and-more");
  getLogger(["gateway", "mqtt"]).info("{words}", {
    words: "first-and-more first",
  });
  await log[Symbol.asyncDispose]();
  assert.match(lines[0]!, /mqtt {5}\[hidden\] \[hidden\]\n$/);
});

Deno.test("configureLog writes texts to copy below the line, harmless and without secrets", async () => {
  const act = () =>
    getLogger(["gateway", "source"]).info("Paste {what}", {
      what: "this",
      lines: ["a = 1", "b = \u001b[2J", "c = hunter2"],
    });
  const [text] = await logged({ secrets: ["hunter2"] }, act);
  assert.equal(
    withoutTime(text),
    "INFO  source   Paste this\n    a = 1\n    b = \\u001b[2J\n    c = [hidden]\n",
  );
  const [json] = await logged({ format: "json" }, act);
  assert.deepEqual(JSON.parse(json!).properties.lines[0], "a = 1");
});
