import assert from "node:assert/strict";
import { join } from "node:path";
import {
  FlashMemory,
  type ProgrammedFirmware,
  readFlash,
} from "../../lib/source/flash_memory.ts";
import { captureLog } from "./log_capture.ts";

const FIRMWARE: ProgrammedFirmware = {
  sha256: "ab".repeat(32),
  chip: "STM32F446RETx",
  probe_id: "0483:374b:0671",
};
const NOTHING = { firmware: null, cyclesAtMost: 0, likelyNone: 0 };

async function withFolder(
  use: (folder: string, path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder, join(folder, "flash.json"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function program(folder: string, board = ""): Promise<void> {
  const flash = (await FlashMemory.open(folder)).board(board);
  await flash.begin({ likelyNone: false });
  await flash.succeed(FIRMWARE);
}

async function warnings(folder: string): Promise<string[]> {
  await using log = await captureLog();
  const memory = await FlashMemory.open(folder);
  const flash = memory.board("");
  for (let run = 0; run < 2; run++) {
    await flash.begin({ likelyNone: false });
    await flash.succeed(FIRMWARE);
  }
  assert.deepEqual(flash.programmed, FIRMWARE);
  return log.lines.filter((line) => line.includes(" warning: "));
}

Deno.test("FlashMemory begins with nothing, and keeps each board's record over a restart", async () => {
  await withFolder(async (folder) => {
    const memory = await FlashMemory.open(join(folder, "journal"));
    assert.deepEqual(memory.board("").report, NOTHING);
    await program(join(folder, "journal"), "press");
    await program(join(folder, "journal"), "constructor");
    assert.deepEqual(await readFlash(join(folder, "journal")), {
      press: { firmware: FIRMWARE.sha256, cyclesAtMost: 1, likelyNone: 0 },
      constructor: {
        firmware: FIRMWARE.sha256,
        cyclesAtMost: 1,
        likelyNone: 0,
      },
    });
  });
});

Deno.test("FlashMemory replaces its file whole: another one lies there after each write, and no rest beside it", async () => {
  await withFolder(async (folder, path) => {
    await program(folder);
    const { ino } = await Deno.stat(path);
    // Held open, so that its number is not given to another file.
    using _held = await Deno.open(path);
    const before = await Deno.readTextFile(path);
    await program(folder);
    assert.notEqual((await Deno.stat(path)).ino, ino);
    assert.notEqual(await Deno.readTextFile(path), before);
    assert.deepEqual(
      (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name),
      ["flash.json"],
    );
  });
});

Deno.test("FlashMemory is not misled by a write that a power cut ended", async () => {
  await withFolder(async (folder, path) => {
    await program(folder);
    await Deno.writeTextFile(`${path}.tmp`, '{"version":1,"boa');
    await program(folder);
    assert.equal((await readFlash(folder))[""]?.cyclesAtMost, 2);
  });
});

const UNUSABLE: readonly [name: string, content: string, what: RegExp][] = [
  ["is empty", "", /is damaged/],
  ["is cut", '{"version":1,"boards":{"":{"programmed":', /is damaged/],
  ["is no JSON", "\u0000\u0000", /is damaged/],
  [
    "counts below nothing",
    '{"version":1,"boards":{"":{"programmed":null,"begun":false,"cycles":-1,"likely_none":0}}}',
    /is damaged/,
  ],
  [
    "holds no hash",
    '{"version":1,"boards":{"":{"programmed":{"sha256":"x","chip":"c","probe_id":null},"begun":false,"cycles":1,"likely_none":0}}}',
    /is damaged/,
  ],
  ["is a newer one", '{"version":2,"boards":[]}', /by a newer version/],
];

for (const [name, content, what] of UNUSABLE) {
  Deno.test(`A memory that ${name} is as none, is said once, and is replaced by a whole one`, async () => {
    await withFolder(async (folder, path) => {
      await Deno.writeTextFile(path, content);
      const said = await warnings(folder);
      assert.equal(said.length, 1);
      assert.match(said[0] ?? "", what);
      assert.ok(said[0]?.includes(path));
      assert.equal((await readFlash(folder))[""]?.cyclesAtMost, 2);
    });
  });
}

Deno.test("A rollback keeps what a newer version has added to the file", async () => {
  await withFolder(async (folder, path) => {
    await Deno.writeTextFile(
      path,
      JSON.stringify({
        version: 1,
        since: 5,
        boards: {
          "": {
            programmed: null,
            begun: false,
            cycles: 7,
            likely_none: 2,
            wear: 0.5,
          },
        },
      }),
    );
    await program(folder);
    const content = JSON.parse(await Deno.readTextFile(path));
    assert.equal(content.since, 5);
    assert.equal(content.boards[""].wear, 0.5);
    assert.equal(content.boards[""].cycles, 8);
  });
});

Deno.test("A disk that cannot be written keeps nothing from being remembered in memory, and is said once", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "no_folder");
    await Deno.writeTextFile(file, "");
    const said = await warnings(file);
    assert.match(said.at(-1) ?? "", /Cannot write ".*flash\.json": /);
    assert.equal(
      said.filter((line) => line.includes("Cannot write")).length,
      1,
    );
  });
});

Deno.test("A disk that is written again gets all that was remembered meanwhile", async () => {
  await using _log = await captureLog();
  await withFolder(async (folder) => {
    const place = join(folder, "journal");
    await Deno.writeTextFile(place, "");
    {
      await using memory = await FlashMemory.open(place);
      const flash = memory.board("");
      await flash.begin({ likelyNone: true });
      await flash.succeed(FIRMWARE);
      await Deno.remove(place);
    }
    assert.deepEqual(await readFlash(place), {
      "": { firmware: FIRMWARE.sha256, cyclesAtMost: 1, likelyNone: 1 },
    });
  });
});

Deno.test("A disk that comes only after the start brings its counts, and what was done since goes on top", async () => {
  await withFolder(async (folder) => {
    const place = join(folder, "journal");
    await program(place);
    await program(place, "oven");
    await Deno.rename(place, `${place}.away`);
    await using memory = await FlashMemory.open(place);
    const flash = memory.board("");
    assert.deepEqual(flash.report, NOTHING);
    await Deno.rename(`${place}.away`, place);
    await flash.begin({ likelyNone: false });
    const counts = { cyclesAtMost: 2, likelyNone: 0 };
    assert.deepEqual(flash.report, { firmware: null, ...counts });
    await flash.succeed(FIRMWARE);
    assert.deepEqual(await readFlash(place), {
      "": { firmware: FIRMWARE.sha256, ...counts },
      oven: { firmware: FIRMWARE.sha256, cyclesAtMost: 1, likelyNone: 0 },
    });
  });
});

Deno.test("Runs that end before they program write the disk once, and the truth comes with the end", async () => {
  await withFolder(async (folder, path) => {
    {
      await using memory = await FlashMemory.open(folder);
      const flash = memory.board("");
      await flash.begin({ likelyNone: false });
      using _held = await Deno.open(path);
      const { ino } = await Deno.stat(path);
      for (let run = 0; run < 5; run++) {
        flash.spare();
        assert.deepEqual(flash.report, NOTHING);
        await flash.begin({ likelyNone: false });
      }
      assert.equal((await Deno.stat(path)).ino, ino);
      assert.equal((await readFlash(folder))[""]?.cyclesAtMost, 1);
      flash.spare();
    }
    assert.deepEqual((await readFlash(folder))[""], NOTHING);
  });
});

Deno.test("A memory that was only read writes nothing", async () => {
  await withFolder(async (folder, path) => {
    await Deno.writeTextFile(path, "damaged");
    await using log = await captureLog();
    await (await FlashMemory.open(folder))[Symbol.asyncDispose]();
    assert.equal(await Deno.readTextFile(path), "damaged");
    assert.equal(log.lines.length, 1);
  });
});
