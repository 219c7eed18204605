import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatEntry,
  MAX_CHUNK_BYTES,
  MAX_LINE_BYTES,
  parseEntry,
  type RecordingEntry,
  type RecordingHeader,
} from "../../lib/source/recording.ts";
import { readRecording } from "../../lib/source/recording_reader.ts";
import { HEADER } from "./recording_header.ts";

const command = fc.array(fc.string({ unit: "binary" }), { maxLength: 4 });
const ms = fc.nat(1e9).map((us) => us / 1000);
const BYTE_ORDER_MARK = new Uint8Array([0xef, 0xbb, 0xbf, 65]);
const bytes = fc.oneof(
  { weight: 1, arbitrary: fc.constant(BYTE_ORDER_MARK) },
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.string({ unit: "binary", minLength: 1 })
    .map((text) => new TextEncoder().encode(text)),
);
const chunk = fc.record({
  kind: fc.constantFrom("out" as const, "err" as const),
  ms,
  bytes,
});
const entry: fc.Arbitrary<RecordingEntry> = fc.oneof(
  { weight: 5, arbitrary: chunk },
  fc.record({
    kind: fc.constant("start" as const),
    ms,
    pid: fc.nat(),
    command,
  }),
  fc.record({ kind: fc.constant("end" as const), ms, code: fc.nat(255) }),
  fc.record({
    kind: fc.constant("gap" as const),
    ms,
    chunks: fc.nat(),
    bytes: fc.nat(),
  }),
);

/** Reads `text` to its end. */
async function read(text: string | Uint8Array) {
  return await Array.fromAsync(
    readRecording(new Blob([text as BlobPart]).stream()),
  );
}

function write(entries: readonly RecordingEntry[]): string {
  return entries.map((one) => `${formatEntry(one)}\n`).join("");
}

/** All that was printed on one pipe. */
function printed(entries: readonly RecordingEntry[], kind: "out" | "err") {
  return entries.flatMap((one) => one.kind === kind ? [...one.bytes] : []);
}

Deno.test("A recording gives back every entry as it was, each in one line of visible characters", () => {
  fc.assert(fc.property(entry, (one) => {
    const line = formatEntry(one);
    // deno-lint-ignore no-control-regex -- these must not be there
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202e\p{Cf}]/u);
    assert.deepEqual(parseEntry(line), { ...one });
  }));
});

Deno.test("The longest chunk has a line that is read again", async () => {
  const all = new Uint8Array(MAX_CHUNK_BYTES);
  const line = formatEntry({ kind: "out", ms: 1e9, bytes: all });
  assert.ok(line.length < MAX_LINE_BYTES, String(line.length));
  const [, chunk] = await read(`${formatEntry(HEADER)}\n${line}\n`);
  assert.deepEqual(chunk?.kind === "out" && chunk.bytes, all);
});

Deno.test("Whatever is printed comes back, the same bytes in the same order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 20 }), async (entries) => {
      const all = await read(write([HEADER, ...entries]));
      assert.equal(all.length, entries.length + 1);
      for (const pipe of ["out", "err"] as const) {
        assert.deepEqual(printed(all, pipe), printed(entries, pipe));
      }
      const times = all.map(({ ms }) => ms);
      assert.deepEqual(times, times.toSorted((a, b) => a - b));
    }),
    { numRuns: 50 },
  );
});

Deno.test("A recording that was cut anywhere is read up to there", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { minLength: 1, maxLength: 8 }),
      fc.nat(),
      async (entries, at) => {
        const whole = new TextEncoder().encode(write([HEADER, ...entries]));
        const head = write([HEADER]).length - 1;
        const cut = head + at % (whole.length - head);
        const some = await read(whole.subarray(0, cut));
        const lines = whole.subarray(0, cut).filter((byte) => byte === 10);
        assert.ok(some.length >= lines.length);
        const all = await read(whole);
        assert.deepEqual(some, all.slice(0, some.length));
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("A damaged line costs that line", async () => {
  const text = (text: string): RecordingEntry => ({
    kind: "out",
    ms: 1,
    bytes: new TextEncoder().encode(text),
  });
  for (
    const damage of [
      "",
      "[1,",
      '> [1.5,"out","quoted"]',
      '["1","out","a"]',
      '[1,"out",2]',
      '[1,"what","a"]',
      '[1,"start",{"pid":"a"}]',
      '[1,"end",{}]',
      '[1,"gap",{"chunks":-1,"bytes":2}]',
      "null",
      "{}",
    ]
  ) {
    const all = await read(
      `${write([HEADER, text("a")])}${damage}\n${write([text("b")])}`,
    );
    assert.equal(
      new TextDecoder().decode(new Uint8Array(printed(all, "out"))),
      "ab",
      damage,
    );
  }
});

Deno.test("What is no recording, or one of another version, is refused in words", async () => {
  for (const text of ["", "\n", "hello\n", '[1,"out","a"]\n', "{}\n"]) {
    await assert.rejects(
      read(text),
      /It is no recording: "iiot-gateway record"/,
    );
  }
  const newer = write([HEADER]).replace('"version":1', '"version":7');
  await assert.rejects(read(newer), /of version 7, .* reads version 1/);
});

/** The runs of entries, as one letter each. */
async function runsOf(...entries: readonly RecordingEntry[]): Promise<string> {
  const all = await read(write(entries));
  return all.map(({ kind, run }) => `${kind[0]}${run}`).join(" ");
}

const start = (pid: number): RecordingEntry => {
  return { kind: "start", ms: 5, pid, command: ["cat"] };
};
const out: RecordingEntry = { kind: "out", ms: 6, bytes: new Uint8Array([65]) };
const end: RecordingEntry = { kind: "end", ms: 7, code: 1 };
const running = (pid: number): RecordingHeader => {
  return { ...HEADER, ms: 6, running: { pid, command: ["cat"] } };
};

Deno.test("A run of the program goes from its start to its end, whichever of them is there", async () => {
  assert.equal(
    await runsOf(HEADER, start(1), out, end, start(2), out, end),
    "h-1 s0 o0 e0 s1 o1 e1",
  );
  // It ran before the recording began, and no end was seen.
  assert.equal(await runsOf(running(1), out, start(2), out), "h0 o0 s1 o1");
  // The beginning was cut off, or is in a gap.
  assert.equal(await runsOf(HEADER, out, end, out), "h-1 o0 e0 o1");
});

Deno.test("Recordings one behind the other are one recording, and a run goes on across two files", async () => {
  assert.equal(
    await runsOf(HEADER, start(1), out, running(1), out, end),
    "h-1 s0 o0 h0 o0 e0",
  );
  // Of another gateway, which has begun with a child of its own.
  assert.equal(
    await runsOf(HEADER, start(1), out, running(2), out, HEADER, start(3)),
    "h-1 s0 o0 h1 o1 h1 s2",
  );
});

Deno.test("Times of a recording begin at 0 and go on in the one behind it", async () => {
  const at = (ms: number): RecordingEntry => ({ ...out, ms });
  const rotated = { ...running(1), ms: 1000 };
  const times = async (...entries: RecordingEntry[]) =>
    (await read(write(entries))).map(({ ms }) => ms);
  assert.deepEqual(await times(rotated, at(1500)), [0, 500]);
  assert.deepEqual(
    await times(HEADER, at(900), rotated, at(1500)),
    [0, 900, 1000, 1500],
  );
  assert.deepEqual(
    await times(HEADER, at(900), HEADER, at(50)),
    [0, 900, 900, 950],
  );
});
