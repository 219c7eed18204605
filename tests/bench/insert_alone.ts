/**
 * Bare SQLite in a process of its own: inserts rows into the journal's table, one a commit, each synced,
 * and prints how many milliseconds each took, as JSON.
 *
 *     insert_alone.ts FILE COMMITS
 *
 * @module
 */

import { migrate, openDatabase } from "../../lib/journal/database.ts";

if (import.meta.main) {
  const [path = "", commits = "0"] = Deno.args;
  using db = openDatabase(path);
  db.exec("PRAGMA synchronous=FULL");
  migrate(db);
  const insert = db.prepare(
    "INSERT INTO packets VALUES (?, 1, 1, ?, ?, 9, ?, ?, 0)",
  );
  const body = JSON.stringify({ "n1.t": 27.6, "n1.h": 54.1, "n1.p": 1003.2 });
  const tookMs: number[] = [];
  for (let seq = 1; seq <= Number(commits); seq++) {
    const before = performance.now();
    insert.run(seq, seq * 1000, seq, seq * 9, body);
    tookMs.push(performance.now() - before);
  }
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(tookMs)));
}
