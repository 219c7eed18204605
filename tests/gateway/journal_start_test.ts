import assert from "node:assert/strict";
import { JournalStart } from "../../lib/gateway/journal_start.ts";
import { logBytesOf } from "../../lib/journal/disk.ts";
import { journalPath } from "../../lib/journal/folder.ts";
import { lockOwner } from "../../lib/journal/lock.ts";
import { makeFolder } from "../journal/world.ts";

const begin = (folder: string) =>
  JournalStart.begin({
    journal: { folder, max_megabytes: 100, history_s: 60, reserve: false },
  });

Deno.test("A journal that was begun and that nobody opens is closed, and its folder given back", async () => {
  await using folder = await makeFolder();
  {
    await using start = await begin(folder.path);
    // On a slow disk it is still under way.
    await start.folder.take();
    assert.equal(await lockOwner(folder.path), Deno.pid);
  }
  assert.equal(await lockOwner(folder.path), null);
  // A file that was closed in order has no log beside it.
  const names = (await Array.fromAsync(Deno.readDir(folder.path)))
    .map(({ name }) => name)
    .filter((name) => name.startsWith("journal.db"));
  // Where the folder came late nothing was opened any more.
  assert.ok(names.length === 0 || names.join() === "journal.db", names.join());
});

Deno.test("The disk of a journal that was begun is closed by whoever has taken it, and by nobody else", async () => {
  await using folder = await makeFolder();
  const start = await begin(folder.path);
  const disk = start.takeDisk();
  try {
    await disk.open(journalPath(folder.path), logBytesOf(100e6));
    await start[Symbol.asyncDispose]();
    assert.deepEqual(await disk.read(0, 1), []);
  } finally {
    await disk.close();
  }
});
