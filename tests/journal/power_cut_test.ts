import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { requires } from "../servers.ts";
import { valuesOf } from "./busy_journal.ts";
import { examine, makeImage, watchedDisk, writeImage } from "./damaged.ts";
import { record, RecordedDisk } from "./recorded_disk.ts";
import { balanced, makeFolder, openJournal } from "./world.ts";

/** By hand: `POWER_CUTS=5000 POWER_CUT_SEED=7 deno test -A tests/journal/power_cut_test.ts`. */
const CUTS = Number(Deno.env.get("POWER_CUTS") ?? 200);
const SEED = Number(Deno.env.get("POWER_CUT_SEED") ?? 1);

/** Mulberry32: numbers from 0 to 1, the same ones for the same seed. */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What had been said when the power went. */
interface Promised {
  committed: number;
  readonly delivered: Record<string, number>;
}

/** Opens what a power cut left, and compares it with what had been said. */
async function check(folder: string, promised: Promised): Promise<string[]> {
  const disk = watchedDisk();
  await using journal = await openJournal(folder, { disk });
  balanced(journal);
  for (const { name, ledger } of journal.standings()) {
    assert.equal(ledger.dropped.corrupt, undefined, `${name} lost nothing`);
    const cursor = journal.cursor(name);
    assert.ok(
      cursor.seq <= (promised.delivered[name] ?? 0),
      "no row is skipped",
    );
    let seq = cursor.seq;
    // What the small journal had given up is booked: everything else has to be there.
    let missing = ledger.ahead / 3;
    for (let rows; (rows = await cursor.next(1000)).length > 0;) {
      for (const row of rows) {
        missing -= row.seq - seq - 1;
        seq = row.seq;
        const readings = row.readings.map(({ path, value }) => [path, value]);
        assert.deepEqual(Object.fromEntries(readings), valuesOf(seq));
        assert.equal(row.total, seq * 3);
      }
    }
    assert.equal(missing, 0, "no row is missing");
    assert.ok(
      seq >= promised.committed,
      `${promised.committed} were on the disk, ${seq} are there`,
    );
  }
  for (const { missing } of disk.recoveries) {
    assert.ok(Object.values(missing).every((count) => count === 0));
  }
  return disk.recoveries.map(({ kind }) => kind);
}

Deno.test({
  name:
    "A power cut at any moment loses nothing that was said to be on the disk, and invents nothing",
  ...requires("strace"),
  fn: async () => {
    await using work = await makeFolder();
    const script = fileURLToPath(new URL("busy_journal.ts", import.meta.url));
    const steps = await record(work.path, [
      ...[Deno.execPath(), "run", "-A", "--no-check", script, work.path],
    ]);
    const syncs = steps.filter(({ kind }) => kind === "sync").length;
    assert.ok(syncs > 100, `${syncs} syncs`);
    const random = seeded(SEED);
    const disk = new RecordedDisk();
    const promised: Promised = { committed: 0, delivered: {} };
    const recoveries: string[] = [];
    const chance = Math.max(0, CUTS - syncs) / steps.length;
    for (const [i, step] of steps.entries()) {
      const cuts = (step.kind === "sync" && random() < CUTS / syncs ? 1 : 0) +
        Math.floor(chance + random());
      for (let cut = 0; cut < cuts; cut++) {
        await using folder = await makeFolder();
        await disk.cut(folder.path, random);
        try {
          recoveries.push(...await check(folder.path, promised));
        } catch (error) {
          throw new Error(`Seed ${SEED}, step ${i} (${step.kind})`, {
            cause: error,
          });
        }
      }
      disk.apply(step);
      if (step.kind !== "say") continue;
      const [what, ...rest] = step.line.split(" ");
      if (what === "committed") promised.committed = Number(rest[0]);
      if (what === "delivered") promised.delivered[rest[0]!] = Number(rest[1]);
    }
    assert.equal(promised.committed, 1200);
    assert.ok(!recoveries.includes("damaged"), "SQLite alone is enough");
  },
});

Deno.test("A log that is cut anywhere gives every commit that is whole", async () => {
  const image = await makeImage({ crashed: true, packets: 15 });
  const { length } = image.files.get("-wal")!;
  let newest = 0;
  for (let size = 0; size <= length; size += 512) {
    await using folder = await makeFolder();
    await writeImage(
      folder.path,
      image,
      (bytes, suffix) => suffix === "-wal" ? bytes.slice(0, size) : bytes,
    );
    const { given } = await examine(folder.path, image);
    const last = given[1]!.seqs.at(-1) ?? 0;
    assert.ok(last >= newest, "a longer log never gives less");
    newest = last;
  }
  assert.equal(newest, 15);
});
