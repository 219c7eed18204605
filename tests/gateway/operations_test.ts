import assert from "node:assert/strict";
import { createOperations, readingOf } from "../../lib/gateway/operations.ts";
import { INFLUXDB, load } from "../config/load.ts";
import { makeFolder, openJournal, Writer } from "../journal/world.ts";

const board = (name: string, marker: string) =>
  `[[board]]\nname = "${name}"\ncommand = ["cat", "${name}"]\nmarker = "${marker}"\n`;
const [HALL, YARD] = [board("hall", "H: "), board("yard", "Y: ")];

Deno.test("Rejected lines are read again with the marker of their own board", async () => {
  const config = await load(INFLUXDB + HALL + YARD);
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const counts = { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 };
  const lines: [board: string, line: string][] = [
    ["hall", 'H: {"n1":{"t":1}}'],
    ["yard", 'Y: {"n1":{"t":2}}'],
    // That of another board is as strange to it as it was.
    ["yard", 'H: {"n1":{"t":3}}'],
    // A board that is not there any more is read as the first one.
    ["tower", 'H: {"n1":{"t":4}}'],
  ];
  for (const [board, line] of lines) {
    journal.board(board, counts).reject(line, "was not readable");
  }
  await journal.flush();
  const { perform } = createOperations(config, journal);
  const resent = await perform(
    { do: "resend", reading: readingOf(config) },
    {
      signal: new AbortController().signal,
      onProgress: () => {},
      onPart: () => Promise.resolve(),
    },
  );
  assert.deepEqual(resent, {
    packets: 3,
    readings: 3,
    returned: {},
    unusable: 1,
    strange: 0,
    noRoom: 0,
  });
  const rows = await journal.cursor("mqtt").next(10);
  assert.deepEqual(
    rows.map(({ board, readings }) => [board, readings[0]?.value]),
    [["hall", 1], ["yard", 2], ["tower", 4]],
  );
});

Deno.test("Of two fields with one series the one that was sent before wins in what is read again, too", async () => {
  const config = await load(
    `${INFLUXDB}\n[gateway]\ncommand = ["cat"]\nmarker = ""\nunknown_fields = "publish"\n`,
  );
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  await writer.append({ "a[1].b": 1 });
  journal.board("", writer.counts).reject(
    '{"a":{"b":[2,3]}}',
    "was not readable",
  );
  await journal.flush();
  const { perform } = createOperations(config, journal);
  await perform(
    { do: "resend", reading: readingOf(config) },
    {
      signal: new AbortController().signal,
      onProgress: () => {},
      onPart: () => Promise.resolve(),
    },
  );
  const rows = await journal.cursor("mqtt").next(10);
  assert.deepEqual(
    rows.flatMap(({ readings }) => readings.map(({ path }) => path)),
    ["a[1].b", "a.b[0]"],
  );
});

Deno.test("Two configurations read lines alike if each board has the same marker, in any order", async () => {
  const reading = async (boards: string) =>
    readingOf(await load(INFLUXDB + boards));
  assert.equal(await reading(HALL + YARD), await reading(YARD + HALL));
  assert.notEqual(
    await reading(HALL + YARD),
    await reading(board("hall", "Y: ") + board("yard", "H: ")),
  );
  assert.notEqual(await reading(HALL + YARD), await reading(HALL));
});
