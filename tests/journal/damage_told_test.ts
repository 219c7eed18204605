import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../../lib/journal/database.ts";
import { checkJournal } from "../../lib/journal/folder.ts";
import { formatStatus, readStatus } from "../../lib/monitor/status.ts";
import {
  makeImage,
  NOW_MS,
  STAMP,
  watchedDisk,
  writeImage,
} from "./damaged.ts";
import { makeFolder, openJournal } from "./world.ts";

const LATER = {
  now: NOW_MS * 1000,
  ask: () => Promise.reject(new Error("No gateway runs")),
};

async function findings(folder: string): Promise<string[]> {
  const found = await Array.fromAsync(
    checkJournal(folder, { maxBytes: 8e6, reserve: false }),
  );
  return found.filter(({ subject }) => subject === "Journal")
    .map(({ level, detail }) => `${level}: ${detail.replaceAll(folder, ".")}`);
}

Deno.test("Check and status say what a start will do with a damaged journal, and what lies aside", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  await Deno.writeTextFile(path, "no database ".repeat(100));
  assert.deepEqual(await findings(folder.path), [
    'ok: "." can be written',
    "warning: it is damaged: file is not a database",
  ]);
  assert.match(
    (await readStatus(folder.path, LATER)).summary,
    /the journal cannot be used as it is: file is not a database. A start puts it aside/,
  );
  {
    await using _journal = await openJournal(folder.path, {
      disk: watchedDisk(),
    });
  }
  const aside = `./journal-${STAMP}.damaged.db`;
  assert.deepEqual(await findings(folder.path), [
    'ok: "." can be written',
    `warning: a damaged one was put aside: "${aside}" (0.0 MB)`,
  ]);
  const status = await readStatus(folder.path, LATER);
  assert.equal(status.journal.fault, null);
  assert.match(formatStatus(status), /Damaged one +.*damaged\.db, 0\.0 MB/);
});

Deno.test("Check and status name a newer version's journal", async () => {
  await using folder = await makeFolder();
  await writeImage(folder.path, await makeImage());
  {
    using db = openDatabase(join(folder.path, "journal.db"));
    db.exec("CREATE TABLE novelties (id); PRAGMA user_version=99");
  }
  assert.deepEqual(
    (await findings(folder.path))[1],
    "warning: a newer version of this program wrote it (99)",
  );
  const { journal, sinks } = await readStatus(folder.path, LATER);
  assert.match(String(journal.fault), /newer version/);
  assert.equal(sinks.length, 2);
  {
    await using _journal = await openJournal(folder.path, {
      disk: watchedDisk(),
    });
  }
  assert.match(
    (await findings(folder.path))[1]!,
    /one of a newer version waits: ".\/journal-.*newer\.db"/,
  );
});
