import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../../lib/journal/database.ts";
import { EMPTY_COMMIT } from "../../lib/journal/disk.ts";
import { describeRecovery } from "../../lib/journal/recovery.ts";
import { Store } from "../../lib/journal/store.ts";
import { captureLog } from "../source/log_capture.ts";
import {
  examine,
  type Image,
  makeImage,
  NOW_MS,
  STAMP,
  watchedDisk,
  writeImage,
} from "./damaged.ts";
import { balanced, delivered, makeFolder, openJournal } from "./world.ts";

const PAGE = 4096;

const closed = await makeImage();
const crashed = await makeImage({ crashed: true });
/** Large enough for a tree with many leaves. */
const large = await makeImage({ packets: 3000 });
/** Has had to give up rows; their images still stand in freed pages. */
const full = await makeImage({ maxBytes: 40 * 1024, packets: 900 });

/** Has just given up most of its rows, undelivered: their images still stand in freed pages. */
const trimmed = await trim(large);

async function trim(image: Image): Promise<Image> {
  await using folder = await makeFolder();
  await writeImage(folder.path, image);
  const path = join(folder.path, "journal.db");
  {
    await using journal = await openJournal(folder.path, {
      maxBytes: 160 * 1024,
    });
    while (journal.standings()[1]?.ledger.dropped.evicted === undefined) {
      await journal.flush();
    }
    await journal.flush();
  }
  const files = new Map<string, Uint8Array>();
  for (const end of ["", "-copy"]) {
    files.set(end, await Deno.readFile(path + end));
  }
  return { ...image, files };
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(folder));
  return names.map(({ name }) => name).sort();
}

/** What the sinks get of a journal that nothing has happened to. */
async function undamaged(image: Image) {
  await using folder = await makeFolder();
  await writeImage(folder.path, image);
  const { recoveries, given } = await examine(folder.path, image);
  assert.deepEqual(recoveries, []);
  return given;
}

/** What they get after `change`. */
async function damaged(
  image: Image,
  change: (bytes: Uint8Array, suffix: string) => Uint8Array,
) {
  await using folder = await makeFolder();
  await writeImage(folder.path, image, change);
  const result = await examine(folder.path, image);
  return { ...result, names: await namesIn(folder.path) };
}

Deno.test("A journal whose first page is destroyed is salvaged whole: rows, cursors, ledgers, and nothing that was given up", async () => {
  for (const image of [closed, crashed, full, large, trimmed]) {
    const { recoveries, given, names } = await damaged(
      image,
      (bytes, suffix) => suffix === "" ? bytes.fill(0, 0, PAGE) : bytes,
    );
    assert.deepEqual(given, await undamaged(image));
    // Where the log has the first page, nothing is to be done.
    if (!image.closed) continue;
    assert.deepEqual(recoveries.map(({ kind }) => kind), ["damaged"]);
    assert.ok(names.includes(`journal-${STAMP}.damaged.db`));
    assert.ok(names.includes(`journal-${STAMP}.damaged.db-copy`));
  }
});

Deno.test("A journal is salvaged without its safety copy too", async () => {
  for (const image of [closed, full, trimmed]) {
    const { given } = await damaged(
      image,
      (bytes, suffix) =>
        suffix === "" ? bytes.fill(0, 0, PAGE) : new Uint8Array(),
    );
    assert.deepEqual(given, await undamaged(image));
  }
});

Deno.test("A journal that is no database any more keeps its ledgers, and books what waited as corrupt", async () => {
  const image = closed;
  const before = await undamaged(image);
  const { recoveries, given } = await damaged(
    image,
    (bytes, suffix) =>
      suffix === "" ? new TextEncoder().encode("not a database\n") : bytes,
  );
  for (const [i, { name, seqs, corrupt, unknown }] of given.entries()) {
    const parked = name === "mqtt" ? 3 : 0;
    assert.deepEqual({ seqs, unknown }, { seqs: [], unknown: 0 });
    assert.equal(corrupt, before[i]!.seqs.length * 3 + parked);
    assert.equal(recoveries[0]?.missing[name], corrupt);
  }
});

Deno.test("A journal whose page of sinks is destroyed gets cursors and ledgers from the safety copy", async () => {
  const image = closed;
  const text = new TextEncoder().encode("server/bucket");
  const { given } = await damaged(image, (bytes, suffix) => {
    if (suffix !== "") return bytes;
    for (let at = 0; at < bytes.length; at += PAGE) {
      const page = bytes.subarray(at, at + PAGE);
      if (indexOf(page, text) >= 0) page.fill(0);
    }
    return bytes;
  });
  assert.deepEqual(given, await undamaged(image));
});

Deno.test("A journal without one of its tables, or of whatever else a file can be, is replaced", async () => {
  const image = closed;
  for (
    const sql of [
      "DROP TABLE sinks",
      "DROP TABLE epochs",
      "DROP TABLE adopted",
      "PRAGMA user_version=0",
      "PRAGMA user_version=77",
      "UPDATE epochs SET offset_us = offset_us + 1000000",
      "UPDATE sinks SET delivered = delivered + 1",
      "UPDATE sinks SET seq = seq + 10",
      "DELETE FROM packets WHERE seq = (SELECT max(seq) FROM packets)",
      "UPDATE packets SET body = '{}' WHERE seq = 300",
    ]
  ) {
    await using folder = await makeFolder();
    await writeImage(folder.path, image);
    {
      using db = openDatabase(join(folder.path, "journal.db"));
      db.exec(sql);
    }
    const { recoveries, goesOn, given } = await examine(folder.path, image);
    assert.deepEqual(recoveries.map(({ kind }) => kind), ["damaged"], sql);
    assert.ok(goesOn, sql);
    assert.ok(given.every(({ seqs }) => seqs.length > 90), sql);
  }
});

Deno.test("A journal whose file is gone is made anew from its log", async () => {
  const image = crashed;
  for (const content of [undefined, new Uint8Array()]) {
    await using folder = await makeFolder();
    await writeImage(folder.path, image);
    const path = join(folder.path, "journal.db");
    if (content === undefined) await Deno.remove(path);
    else await Deno.writeFile(path, content);
    const { given, recoveries } = await examine(folder.path, image);
    assert.deepEqual(recoveries.map(({ kind }) => kind), ["damaged"]);
    assert.ok(given.every(({ seqs }) => seqs.includes(300)));
    assert.ok(
      (await namesIn(folder.path)).includes(`journal-${STAMP}.damaged.db-wal`),
    );
  }
});

Deno.test("A safety copy of the last close does not tell where a journal ended that was opened since", async () => {
  await using folder = await makeFolder();
  await writeImage(folder.path, closed);
  const path = join(folder.path, "journal.db");
  const store = new Store();
  const { newest, sinks } = store.open(path, 1e6);
  const { seq, total, ...row } = newest!;
  const readings = Array.from({ length: 20 }, (_, i) => row.readings * (i + 1));
  const totals = readings.map((more) => total + more);
  for (const [i, total] of totals.entries()) {
    store.commit({
      ...EMPTY_COMMIT,
      rows: [{ ...row, seq: seq + i + 1, total }],
      sinks: sinks.map(({ ledger, ...sink }) => ({
        ...{ ...sink, seenTotal: total },
        ledger: { ...ledger, received: ledger.received + readings[i]! },
      })),
    });
    // All is in the file, and the next commit begins the log anew.
    using db = openDatabase(path);
    db.exec("PRAGMA wal_checkpoint(RESTART)");
  }
  const reject = { timeUs: 0, board: "", origin: "", reason: "", body: "" };
  store.commit({ ...EMPTY_COMMIT, rejects: [reject] });
  const log = await Deno.readFile(`${path}-wal`);
  const copy = await Deno.readFile(`${path}-copy`);
  store.close();
  for (const kept of [log, log.subarray(0, 32 + 24 + PAGE)]) {
    await Deno.writeFile(path, new Uint8Array());
    await Deno.writeFile(`${path}-wal`, kept);
    await Deno.writeFile(`${path}-copy`, copy);
    const again = new Store();
    const known = again.open(path, 1e6).newest;
    again.close();
    assert.ok(known !== null && known.seq >= seq + 20, String(known?.seq));
    if (kept === log) assert.equal(known.total, totals.at(-1));
  }
});

Deno.test("A log that SQLite does not read to its end is read all the same", async () => {
  const image = crashed;
  const { recoveries, given } = await damaged(image, (bytes, suffix) => {
    if (suffix === "-wal") bytes[0]! ^= 1;
    return bytes;
  });
  assert.deepEqual(recoveries.map(({ kind }) => kind), ["rescued"]);
  assert.deepEqual(given, await undamaged(image));
});

Deno.test("At most three damaged journals are kept, the newest, and what is removed is said", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const removed: string[] = [];
  for (let i = 0; i < 5; i++) {
    await Deno.writeTextFile(path, `damage ${i} `.repeat(100));
    const disk = watchedDisk(
      new Store({ now: () => NOW_MS + (i >> 1) * 1000 }),
    );
    await using _journal = await openJournal(folder.path, { disk });
    removed.push(...disk.recoveries.flatMap((one) => one.removed));
    assert.match(String(disk.recoveries[0]?.fault), /not a database/);
  }
  const stem = (end: string) => join(folder.path, `journal-20261123T10${end}`);
  assert.deepEqual(removed, [
    stem("1500Z.damaged.db"),
    stem("1500Z-2.damaged.db"),
  ]);
  const kept = (await namesIn(folder.path)).filter((one) =>
    one.endsWith(".damaged.db")
  );
  assert.deepEqual(kept.map((name) => join(folder.path, name)), [
    stem("1501Z-2.damaged.db"),
    stem("1501Z.damaged.db"),
    stem("1502Z.damaged.db"),
  ]);
  assert.match(await Deno.readTextFile(stem("1502Z.damaged.db")), /^damage 4/);
});

Deno.test("A salvage that a crash interrupted is taken up where it was", async () => {
  const image = closed;
  const before = await undamaged(image);
  for (const moved of [[], [""], ["", "-wal", "-copy"]]) {
    await using folder = await makeFolder();
    // The new journal is whole; of the old one's files so many have been moved.
    await writeImage(folder.path, image);
    const path = join(folder.path, "journal.db");
    const stem = join(folder.path, `journal-${STAMP}`);
    await Deno.rename(path, `${stem}.rebuilt.db`);
    await Deno.remove(`${path}-copy`);
    await Deno.writeTextFile(`${stem}.rebuilding.db-wal`, "unfinished");
    for (const suffix of ["", "-wal", "-copy"]) {
      const old = moved.includes(suffix) ? `${stem}.damaged.db` : path;
      await Deno.writeTextFile(old + suffix, "the old one");
    }
    const { recoveries, given } = await examine(folder.path, image);
    assert.deepEqual(recoveries, []);
    assert.deepEqual(given, before);
    assert.deepEqual(await namesIn(folder.path), [
      `journal-${STAMP}.damaged.db`,
      `journal-${STAMP}.damaged.db-copy`,
      `journal-${STAMP}.damaged.db-wal`,
      "journal.db",
      "journal.db-copy",
    ]);
  }
});

Deno.test("A packet whose bits have flipped is passed and booked, and said once", async () => {
  const image = large;
  const body = new TextEncoder().encode('"n1.t":1500,');
  const { recoveries, given } = await damaged(image, (bytes, suffix) => {
    const at = suffix === "" ? indexOf(bytes, body) : -1;
    if (at >= 0) bytes[at + 8] = 0x39;
    return bytes;
  });
  const [before] = (await undamaged(image)).slice(1);
  const [, influxdb] = given;
  assert.equal(influxdb?.corrupt, 3);
  assert.deepEqual(
    influxdb?.seqs,
    before?.seqs.filter((seq) => seq !== 1501),
  );
  assert.deepEqual(
    recoveries.map(({ kind, packets }) => ({ kind, packets })),
    [{ kind: "rows", packets: 1 }],
  );
});

Deno.test("A page in the middle that makes SQLite throw is passed: the journal is salvaged while it runs", async () => {
  const image = large;
  const body = new TextEncoder().encode('"n1.t":1500,');
  await using folder = await makeFolder();
  await writeImage(folder.path, image, (bytes, suffix) => {
    const at = suffix === "" ? indexOf(bytes, body) : -1;
    if (at >= 0) bytes.fill(0xff, at - at % PAGE, at - at % PAGE + PAGE);
    return bytes;
  });
  const { recoveries, given } = await examine(folder.path, image);
  const [, influxdb] = given;
  const lost = 3000 - influxdb!.seqs.length;
  assert.ok(lost > 10 && lost < 60, String(lost));
  assert.equal(influxdb?.corrupt, lost * 3);
  assert.deepEqual(recoveries.map(({ kind }) => kind), ["damaged"]);
  assert.match(recoveries[0]!.fault, /malformed/);
});

Deno.test("A commit that meets a broken page is written after a salvage", async () => {
  const image = large;
  await using folder = await makeFolder();
  const reason = new TextEncoder().encode("The braces do not close");
  await writeImage(folder.path, image, (bytes, suffix) => {
    const at = suffix === "" ? indexOf(bytes, reason) : -1;
    if (at >= 0) bytes.fill(0xff, at - at % PAGE, at - at % PAGE + 200);
    return bytes;
  });
  const store = new Store();
  const { boards, sinks, newest } = store.open(
    join(folder.path, "journal.db"),
    1e6,
  );
  const reject = {
    timeUs: 1,
    board: "",
    origin: "source",
    reason: "no",
    body: "a",
  };
  const row = { ...newest!, seq: newest!.seq + 1 };
  const commit = {
    ...EMPTY_COMMIT,
    boards,
    sinks,
    rows: [row],
    rejects: [reject],
  };
  const { recoveries } = store.commit(commit);
  assert.deepEqual(recoveries?.map(({ kind }) => kind), ["damaged"]);
  assert.equal(store.read(newest!.seq, 10).length, 1);
  assert.equal(store.rejects(0, 100).at(-1)?.body, "a");
  store.close();
});

Deno.test("A journal that was not closed is read through while it runs, and what is broken is found", async () => {
  const image = crashed;
  const body = new TextEncoder().encode('"n1.t":40,');
  await using folder = await makeFolder();
  await writeImage(folder.path, image, (bytes, suffix) => {
    // Pages that were split still hold what has moved: every image is hit.
    for (let at; suffix === "" && (at = indexOf(bytes, body)) >= 0;) {
      bytes[at + 8] = 0x39;
    }
    return bytes;
  });
  const disk = watchedDisk();
  await using journal = await openJournal(folder.path, { disk });
  for (let i = 0; i < 1000 && disk.recoveries.length === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await journal.flush();
  }
  assert.deepEqual(disk.recoveries.map(({ kind }) => kind), ["rows"]);
  const cursor = journal.cursor("influxdb");
  for (let rows; (rows = await cursor.next(1000)).length > 0;) {
    cursor.settle(rows, delivered(rows.length));
  }
  assert.equal(cursor.ledger.dropped.corrupt, 3);
  balanced(journal);
});

Deno.test("A damaged journal is an error in the log, in the worker too, and the gateway goes on", async () => {
  await using folder = await makeFolder();
  const damage = (bytes: Uint8Array, suffix: string) =>
    suffix === "" ? bytes.fill(0, 0, PAGE) : bytes;
  await writeImage(folder.path, closed, damage);
  await using log = await captureLog();
  await using journal = await openJournal(folder.path, { worker: true });
  assert.equal(journal.cursor("influxdb").waiting, 900);
  assert.equal(log.lines.length, 1);
  assert.match(
    log.lines[0]!,
    /^journal error: The journal was damaged \(.+\)\. 300 packets were salvaged into a new one, and nothing is missing\. The old files were put aside as .+\.damaged\.db$/,
  );
});

Deno.test("What happened is said in plain words", () => {
  const recovery = {
    kind: "damaged",
    fault: "file is not a database",
    path: "journal-20261123T101500Z.damaged.db",
    packets: 12,
    missing: { mqtt: 0, influxdb: 9 },
    removed: [],
  } as const;
  const { level, text, values } = describeRecovery(recovery);
  assert.equal(level, "error");
  assert.equal(
    text.replace(/\{(\w+)\}/g, (_, name) => String(values[name])),
    "The journal was damaged (file is not a database). 12 packets were salvaged into a new one, " +
      "9 readings are missing for influxdb. The old files were put aside as journal-20261123T101500Z.damaged.db",
  );
});

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  return bytes.findIndex((_, at) =>
    bytes[at] === part[0] && part.every((byte, i) => bytes[at + i] === byte)
  );
}
