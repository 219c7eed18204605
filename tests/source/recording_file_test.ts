import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RecordingEntry } from "../../lib/source/recording.ts";
import { RecordingFile } from "../../lib/source/recording_file.ts";
import {
  type PlacedEntry,
  readRecording,
  readRecordingFile,
} from "../../lib/source/recording_reader.ts";
import { requiresRoot } from "../servers.ts";
import { HEADER } from "./recording_header.ts";

const MAX_BYTES = 20_000;

async function makeFolder() {
  const path = await Deno.makeTempDir();
  return {
    file: join(path, "board.recording"),
    older: join(path, "board.recording.1"),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** `count` chunks with a number each, a second apart. */
function numbers(from: number, count: number): RecordingEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: "out",
    ms: 1000 * (from + i),
    bytes: new TextEncoder().encode(`${from + i}\n`),
  }));
}

function numbersOf(entries: readonly PlacedEntry[]): number[] {
  const text = entries.map((one) =>
    one.kind === "out" ? new TextDecoder().decode(one.bytes) : ""
  ).join("");
  return text.split("\n").slice(0, -1).map(Number);
}

function read(path: string): Promise<PlacedEntry[]> {
  return Array.fromAsync(readRecordingFile(path));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

Deno.test("RecordingFile keeps the newest within its bound, in two files that can be read alone and together", async () => {
  await using folder = await makeFolder();
  {
    using file = new RecordingFile(folder.file, { maxBytes: MAX_BYTES });
    await file.write([
      HEADER,
      { kind: "start", ms: 0, pid: 7, command: ["cat"] },
    ]);
    for (let i = 0; i < 2000; i += 50) await file.write(numbers(i, 50));
  }
  const sizes = await Promise.all(
    [folder.file, folder.older].map(async (path) =>
      (await Deno.stat(path)).size
    ),
  );
  assert.ok(sizes[0]! + sizes[1]! <= MAX_BYTES, String(sizes));
  assert.ok(sizes[1]! > 0.9 * MAX_BYTES / 2, String(sizes));

  const newer = await read(folder.file);
  const older = await read(folder.older);
  const [header] = newer;
  assert.ok(header?.kind === "header");
  assert.deepEqual(header.running, { pid: 7, command: ["cat"] });
  const first = numbersOf(newer)[0]!;
  assert.equal(
    header.time,
    new Date(Date.parse(HEADER.time) + 1000 * first).toISOString(),
  );
  assert.deepEqual(numbersOf(newer), range(first, 1999));
  assert.equal(numbersOf(older).at(-1), first - 1);

  const both = await Promise.all(
    [folder.older, folder.file].map((path) => Deno.readFile(path)),
  );
  const whole = await Array.fromAsync(
    readRecording(new Blob(both).stream()),
  );
  assert.deepEqual(numbersOf(whole), range(numbersOf(older)[0]!, 1999));
  assert.deepEqual(new Set(whole.map(({ run }) => run)), new Set([0]));
});

Deno.test("RecordingFile goes on with what an earlier run has left, and with what a power cut has left of it", async () => {
  await using folder = await makeFolder();
  for (let i = 0; i < 3; i++) {
    using file = new RecordingFile(folder.file, { maxBytes: MAX_BYTES });
    await file.write([HEADER, ...numbers(10 * i, 5)]);
    const { size } = await Deno.stat(folder.file);
    await Deno.truncate(folder.file, size - 3);
  }
  const entries = await read(folder.file);
  // The last line of each was cut.
  assert.deepEqual(
    numbersOf(entries),
    [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23],
  );
  assert.equal(entries.filter(({ kind }) => kind === "header").length, 3);
});

Deno.test("RecordingFile never touches what is no recording", async () => {
  await using folder = await makeFolder();
  await Deno.writeTextFile(folder.file, "precious\n");
  {
    using file = new RecordingFile(folder.file, { maxBytes: MAX_BYTES });
    await assert.rejects(
      file.write([HEADER, ...numbers(0, 5)]),
      /is there and is no recording, so it is left alone/,
    );
  }
  assert.equal(await Deno.readTextFile(folder.file), "precious\n");

  await Deno.rename(folder.file, folder.older);
  using file = new RecordingFile(folder.file, { maxBytes: MAX_BYTES });
  await assert.rejects(
    file.write([HEADER, ...numbers(0, 500)]),
    /\.1" is there and is no recording/,
  );
  assert.equal(await Deno.readTextFile(folder.older), "precious\n");
});

Deno.test("RecordingFile that has to be new overwrites neither of its two files", async () => {
  await using folder = await makeFolder();
  for (const path of [folder.file, folder.older]) {
    using _there = await Deno.create(path);
    using file = new RecordingFile(folder.file, {
      maxBytes: MAX_BYTES,
      isNew: true,
    });
    await assert.rejects(file.open(), Deno.errors.AlreadyExists);
    await Deno.remove(path);
  }
  using file = new RecordingFile(folder.file, {
    maxBytes: MAX_BYTES,
    isNew: true,
  });
  // Its own it may replace.
  await file.write([HEADER, ...numbers(0, 2000)]);
  assert.equal(numbersOf(await read(folder.file)).at(-1), 1999);
});

Deno.test("RecordingFile begins again with a header when its folder comes back", async () => {
  await using folder = await makeFolder();
  const path = join(folder.file, "board.recording");
  using file = new RecordingFile(path, { maxBytes: MAX_BYTES });
  await assert.rejects(
    file.write([HEADER, { kind: "start", ms: 1, pid: 7, command: ["cat"] }]),
    Deno.errors.NotFound,
  );
  await Deno.mkdir(folder.file);
  await file.write(numbers(3, 1));
  const [header, number] = await read(path);
  assert.ok(header?.kind === "header");
  assert.equal(header.time, "2026-11-23T10:00:03.000Z");
  assert.deepEqual(header.running, { pid: 7, command: ["cat"] });
  assert.equal(number?.kind, "out");
});

Deno.test({
  name:
    "A full disk leaves a gap of so many bytes in the recording, and no broken line",
  ...requiresRoot("unshare", "mount"),
  fn: async () => {
    await using folder = await makeFolder();
    await Deno.mkdir(folder.file);
    const mount =
      'mount -t tmpfs -o size=256k none "$0" && "$@"; code=$?; umount "$0"; exit $code';
    const script = fileURLToPath(new URL("full_disk.ts", import.meta.url));
    const { code, stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["-m", "sh", "-c", mount, folder.file],
        ...[Deno.execPath(), "run", "-A", "--no-prompt", script, folder.file],
      ],
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.equal(code, 0, decode(stderr));
    const report = JSON.parse(decode(stdout));
    assert.equal(report.damaged, 0);
    assert.ok(report.missing > 100_000, decode(stdout));
    assert.equal(report.here + report.missing, report.printed);
    assert.equal(report.isLastHere, true);
  },
});
