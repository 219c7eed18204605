import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  FirmwareFile,
  type FirmwareFileOptions,
} from "../../lib/source/firmware_file.ts";

const never = new AbortController().signal;

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Calls `use` with a path; while the file waits to settle, each of `steps` is done in turn. */
async function withFile(
  use: (
    path: string,
    open: (options?: FirmwareFileOptions) => FirmwareFile,
    waits: number[],
  ) => Promise<void>,
  steps: ((path: string) => Promise<void>)[] = [],
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "fw.elf");
  const waits: number[] = [];
  try {
    await use(path, (options) =>
      new FirmwareFile(path, {
        wait: async (ms) => {
          waits.push(ms);
          await steps.shift()?.(path);
        },
        ...options,
      }), waits);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A clock by which every file is old. */
const LATER = { now: () => Date.now() + 3_600_000 };

Deno.test("FirmwareFile reads an old file at once, and again only when it was touched", async () => {
  await withFile(async (path, open, waits) => {
    await Deno.writeTextFile(path, "one");
    const file = open(LATER);
    const first = await file.read(never);
    assert.equal("sha256" in first && first.sha256, hash("one"));
    assert.equal(await file.read(never), first, "it is the very same");
    await Deno.writeTextFile(path, "another");
    const second = await file.read(never);
    assert.equal("sha256" in second && second.sha256, hash("another"));
    assert.deepEqual(waits, []);
  });
});

Deno.test("FirmwareFile notices another file of the same size and time in the place of the first", async () => {
  await withFile(async (path, open) => {
    await Deno.writeTextFile(path, "one");
    const time = new Date(2020, 1, 1);
    await Deno.utime(path, time, time);
    const file = open(LATER);
    await file.read(never);
    await Deno.writeTextFile(`${path}.new`, "two");
    await Deno.utime(`${path}.new`, time, time);
    await Deno.rename(`${path}.new`, path);
    const read = await file.read(never);
    assert.equal("sha256" in read && read.sha256, hash("two"));
  });
});

Deno.test("FirmwareFile waits until a file that is being written stays as it is", async () => {
  const append = (text: string) => (path: string) =>
    Deno.writeTextFile(path, text, { append: true });
  await withFile(
    async (path, open, waits) => {
      await Deno.writeTextFile(path, "a");
      const read = await open().read(never);
      assert.equal("sha256" in read && read.sha256, hash("abc"));
      assert.deepEqual(waits, [1000, 1000, 1000]);
    },
    [append("b"), append("c")],
  );
});

Deno.test("FirmwareFile gives up a file that never stays as it is, and one that is not there", async () => {
  let size = 0;
  await withFile(async (path, open) => {
    await Deno.writeTextFile(path, "");
    const file = open({
      wait: () => Deno.writeTextFile(path, "x".repeat(++size)),
    });
    const read = await file.read(never);
    assert.ok("kind" in read);
    assert.equal(read.kind, "firmware missing");
    assert.match(read.error ?? "", /it is still being written$/);
    await Deno.remove(path);
    const gone = await file.read(never);
    assert.ok("kind" in gone);
    assert.match(
      gone.error ?? "",
      /^Failed to read firmware from ".*": No such/,
    );
    assert.match(gone.todo, /build the firmware or correct/);
  });
});

Deno.test("FirmwareFile tells whether it is still the one that was read", async () => {
  await withFile(async (path, open) => {
    await Deno.writeTextFile(path, "one");
    const file = open(LATER);
    const read = await file.read(never);
    assert.ok("identity" in read);
    assert.ok(await file.isStill(read.identity));
    await Deno.writeTextFile(path, "two!");
    assert.ok(!await file.isStill(read.identity));
    await Deno.remove(path);
    assert.ok(!await file.isStill(read.identity));
  });
});

Deno.test("FirmwareFile stops waiting when it is told to", async () => {
  await withFile(async (path, open) => {
    await Deno.writeTextFile(path, "one");
    const read = await open().read(AbortSignal.abort());
    assert.ok("kind" in read);
  });
});
