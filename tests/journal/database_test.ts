import assert from "node:assert/strict";
import { join } from "node:path";
import {
  migrate,
  openDatabase,
  readVersion,
} from "../../lib/journal/database.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "../../lib/journal/schema.ts";
import { makeFolder } from "./world.ts";

Deno.test("An older file takes all of the steps that it lacks, or none, and says the same of its fault again", async () => {
  await using folder = await makeFolder();
  using db = openDatabase(join(folder.path, "journal.db"));
  db.exec(`${MIGRATIONS[0]}; PRAGMA user_version=1`);
  const columns = () => db.prepare("PRAGMA table_info(sinks)").all().length;
  const before = columns();
  // The last step would add it; those before have nothing against it.
  db.exec("ALTER TABLE boards ADD COLUMN clock TEXT");
  for (const _attempt of ["first", "second"]) {
    assert.throws(() => migrate(db), /duplicate column name: clock/);
    assert.equal(readVersion(db), 1);
    assert.equal(columns(), before);
  }
  db.exec("ALTER TABLE boards DROP COLUMN clock");
  migrate(db);
  assert.equal(readVersion(db), SCHEMA_VERSION);
  assert.notEqual(columns(), before);
});
