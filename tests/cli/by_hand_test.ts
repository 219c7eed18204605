import assert from "node:assert/strict";
import { join } from "node:path";
import { sayResent } from "../../lib/cli/rejects.ts";
import { sayRewind } from "../../lib/cli/rewind.ts";
import { ask } from "../../lib/control/client.ts";
import { Operations } from "../../lib/control/operations.ts";
import { ControlServer } from "../../lib/control/server.ts";
import { lockFolder } from "../../lib/journal/lock.ts";
import {
  delivered,
  makeFolder,
  openJournal,
  START_US,
  Writer,
} from "../journal/world.ts";
import { PROGRAMS, runToEnd } from "./program.ts";

const [source] = PROGRAMS;
assert.ok(source);

const CONFIG = `
[mqtt]
broker_url = "mqtt://127.0.0.1:4"
client_id = "test"
topic_prefix = "iiot"
[gateway]
command = ["true"]
[journal]
folder = "."
`;

Deno.test("A command beside a gateway that does not answer says whose the journal is, and what to do", async () => {
  await using folder = await makeFolder();
  await Deno.writeTextFile(join(folder.path, "config.toml"), CONFIG);
  const run = (...args: string[]) =>
    runToEnd([...source.command, ...args], { cwd: folder.path });
  const rewind = ["rewind", "--sink", "mqtt", "--to", "1h", "--yes"];
  const none = await run(...rewind);
  assert.equal(none.code, 1);
  assert.match(
    none.stderr,
    /^Error: Cannot find the journal .*journal\.folder/,
  );

  await (await openJournal(folder.path)).close();
  using _lock = await lockFolder(folder.path);
  const { code, stderr } = await run(...rewind);
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(
      `in use by a gateway \\(process ${Deno.pid}\\) that does not answer\\. Try again, or stop it`,
    ),
  );
  assert.doesNotMatch(stderr, /\n {4}at /);
});

Deno.test("Commands that log in nowhere need no secret", async () => {
  await using folder = await makeFolder();
  // As where only the service's environment holds the token.
  await Deno.writeTextFile(
    join(folder.path, "config.toml"),
    `${CONFIG}
[influxdb]
url = "http://127.0.0.1:4"
org = "o"
bucket = "b"
`,
  );
  await (await openJournal(folder.path)).close();
  const run = (...args: string[]) =>
    runToEnd([...source.command, ...args], { cwd: folder.path });
  for (
    const command of [
      "export",
      "rejects list",
      "rejects export",
      "rejects resend",
      "rejects clear --yes",
      "rewind --sink influxdb --to 1h --yes",
    ]
  ) {
    const { code, stderr } = await run(...command.split(" "));
    assert.equal(code, 0, `${command}: ${stderr}`);
  }
  // It would record until it is stopped, but for this.
  const record = await run("record", "--output", "config.toml");
  assert.match(record.stderr, /"config\.toml" is there already/);
  const check = await run("check");
  assert.equal(check.code, 2);
  assert.match(check.stderr, /INFLUXDB_TOKEN/);
});

Deno.test("Operations change one thing at a time, and tell how things stand meanwhile", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  await writer.append({ a: 1 }, { a: 2 });
  for (const name of ["mqtt", "influxdb"]) {
    const cursor = journal.cursor(name);
    cursor.settle(await cursor.next(10), delivered(2));
  }
  const { perform } = new Operations({
    journal,
    links: () => ({}),
    boards: {},
    readAgain: () => ({
      packet: {
        boardTs: null,
        readings: [{ path: "a", value: 3 }],
        dropped: [],
      },
      counted: false,
      reasons: [],
    }),
    reading: "this",
    taps: {},
  });
  await using _server = await ControlServer.open(folder.path, { perform });
  const rewind = {
    do: "rewind",
    sink: "mqtt",
    toUs: null,
    dryRun: false,
  } as const;
  const [one, other, status] = await Promise.all([
    ask(folder.path, rewind),
    ask(folder.path, rewind),
    ask(folder.path, { do: "status" }),
  ]);
  // The second finds nothing that the first has not taken back already.
  assert.deepEqual([one.packets, other.packets].sort(), [0, 2]);
  assert.equal(status.process, Deno.pid);
  assert.equal(journal.standings()[0]?.ledger.requeued, 2);
  assert.equal(journal.standings()[0]?.imbalance, 0);

  writer.board.reject("a line", "No metric");
  const resend = { do: "resend", reading: "this" } as const;
  const options = {
    signal: new AbortController().signal,
    onProgress() {},
    onPart: () => Promise.resolve(),
  };
  const sent = await Promise.all([
    perform(resend, options),
    perform(resend, options),
  ]) as { packets: number }[];
  assert.deepEqual(sent.map(({ packets }) => packets), [1, 0]);
  await assert.rejects(
    ask(folder.path, { ...resend, reading: "other" }),
    /reads lines by another configuration/,
  );
  await assert.rejects(
    ask(folder.path, { ...rewind, sink: "nobody" }),
    /knows no sink "nobody"/,
  );
  assert.deepEqual(await ask(folder.path, { do: "clear" }), { cleared: 0 });
});

Deno.test("rewind says what goes out again, and what the journal no longer has", () => {
  const done = {
    from: 9,
    to: 4,
    packets: 5,
    readings: 45,
    firstUs: START_US,
    oldestUs: START_US,
  };
  assert.equal(
    sayRewind("mqtt", START_US, done, "go"),
    "mqtt: 5 packets with 45 readings go out again, the first of 2023-11-14T22:13:20.000000Z (back from packet 9 to 4).",
  );
  assert.match(
    sayRewind("mqtt", START_US - 1, done, "would go"),
    /would go out.*\nThe journal begins at 2023-11-14T22:13:20\.000000Z: what happened before is deleted/,
  );
  assert.doesNotMatch(sayRewind("mqtt", -Infinity, done, "go"), /begins/);
  assert.match(
    sayRewind("mqtt", 0, { ...done, oldestUs: null }, "go"),
    /is empty/,
  );
  assert.match(
    sayRewind("mqtt", START_US, { ...done, packets: 0, firstUs: null }, "go"),
    /^mqtt has had nothing of that time yet/,
  );
});

Deno.test("rejects resend says what became of each", () => {
  const none = {
    packets: 0,
    readings: 0,
    returned: {},
    unusable: 0,
    strange: 0,
    noRoom: 0,
  };
  assert.equal(sayResent(none), "There are no such rejects.");
  assert.deepEqual(
    sayResent({
      packets: 2,
      readings: 9,
      returned: { mqtt: 3 },
      unusable: 4,
      strange: 5,
      noRoom: 6,
    }).split("\n").map((line) => line.slice(0, 20)),
    [
      "2 lines are packets ",
      "3 readings go to mqt",
      "4 lines are as unusa",
      "5 are of sinks that ",
      "6 stay for now, beca",
    ],
  );
});
