import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase, readState } from "../../lib/journal/database.ts";
import { digest, readSeals } from "../../lib/journal/seal.ts";
import { directDisk, makeFolder, openJournal, Writer } from "./world.ts";

Deno.test("The checksum that a seal goes on with from commit to commit is that of the tables", async () => {
  await using folder = await makeFolder();
  for (let run = 0; run < 2; run++) {
    await using journal = await openJournal(folder.path);
    const writers = ["", "hall-3", "yard"].map((name) =>
      new Writer(journal, name)
    );
    for (const [i, writer] of [...writers, ...writers].entries()) {
      await writer.append({ "n1.t": i, [`n${i}.h`]: 54.1 });
      using db = openDatabase(join(folder.path, "journal.db"), {
        readOnly: true,
      });
      const seals = readSeals(db, readState(db).sinks);
      assert.equal(seals.length, 2);
      for (const seal of seals) {
        assert.equal(seal.digest, digest((sql) => db.prepare(sql)));
      }
    }
  }
});

Deno.test("A commit brings the boards that have changed, and no other", async () => {
  await using folder = await makeFolder();
  const given: string[][] = [];
  const disk = directDisk();
  await using journal = await openJournal(folder.path, {
    disk: {
      ...disk,
      commit: (commit) => {
        given.push(commit.boards.map(({ name }) => name));
        return disk.commit(commit);
      },
    },
  });
  const writers = ["hall-3", "yard"].map((name) => new Writer(journal, name));
  for (const writer of writers) await writer.append({ "n1.t": 1 });
  given.length = 0;
  await writers[1]?.append({ "n1.t": 2 });
  await journal.flush();
  writers[0]!.counts.lines++;
  writers[0]!.counts.other++;
  await journal.flush();
  assert.deepEqual(given, [["yard"], [], ["hall-3"]]);
});
