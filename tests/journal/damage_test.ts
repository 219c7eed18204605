import assert from "node:assert/strict";
import fc from "fast-check";
import {
  examine,
  type Image,
  makeImage,
  watchedDisk,
  writeImage,
} from "./damaged.ts";
import { balanced, makeFolder, openJournal } from "./world.ts";

/** By hand: `DAMAGE_RUNS=2000 deno test -A tests/journal/damage_test.ts`. */
const RUNS = Number(Deno.env.get("DAMAGE_RUNS") ?? 100);

const images: readonly Image[] = [
  await makeImage(),
  await makeImage({ crashed: true }),
  await makeImage({ maxBytes: 40 * 1024, packets: 900 }),
  await makeImage({ maxBytes: 40 * 1024, packets: 900, crashed: true }),
];

/** Places are parts of a file's length, so that a case shrinks to a small one. */
const damage = fc.record({
  file: fc.constantFrom("", "", "-wal", "-copy"),
  kind: fc.constantFrom("flip", "zero", "noise", "cut"),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  bytes: fc.integer({ min: 1, max: 9000 }),
  bit: fc.integer({ min: 0, max: 7 }),
});

function apply(
  bytes: Uint8Array,
  { kind, at, bytes: length, bit }: {
    kind: string;
    at: number;
    bytes: number;
    bit: number;
  },
): Uint8Array {
  const place = Math.floor(at * bytes.length);
  if (kind === "cut") return bytes.slice(0, place);
  if (kind === "flip" && bytes.length > 0) bytes[place]! ^= 1 << bit;
  if (kind === "zero") bytes.fill(0, place, place + length);
  if (kind === "noise") {
    for (let i = place; i < Math.min(place + length, bytes.length); i++) {
      bytes[i] = (i * 197 + bit * 31) & 0xff;
    }
  }
  return bytes;
}

Deno.test("A journal opens whatever happened to its files, invents nothing and books what is missing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(images.length - 1),
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      async (which, damages) => {
        const image = images[which]!;
        await using folder = await makeFolder();
        await writeImage(
          folder.path,
          image,
          (bytes, suffix) =>
            damages.filter(({ file }) => file === suffix).reduce(apply, bytes),
        );
        const { given, goesOn } = await examine(folder.path, image);
        const copyIsWhole = damages.every(({ file }) => file !== "-copy");
        // A log that is cut short, or gone together with the copy, tells nobody how far it went.
        if (damages.every(({ file }) => file === "")) {
          assert.ok(goesOn, "no number is given twice");
        }
        for (const { unknown, name } of given) {
          assert.ok(unknown >= 0, name);
          // Closed in order, the copy knows where the journal ended.
          if (image.closed && copyIsWhole) assert.equal(unknown, 0, name);
        }
        const disk = watchedDisk();
        await using journal = await openJournal(folder.path, { disk });
        balanced(journal);
        assert.deepEqual(disk.recoveries, [], "once is enough");
      },
    ),
    { numRuns: RUNS },
  );
});
