import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EMPTY_REPORT, readReport } from "../../lib/journal/report.ts";

Deno.test("readReport tells of nothing while the journal is only just being made", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "journal.db");
    using db = new DatabaseSync(path);
    assert.deepEqual(readReport(path), EMPTY_REPORT);
    db.exec("PRAGMA journal_mode=WAL");
    assert.deepEqual(readReport(path), EMPTY_REPORT);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
