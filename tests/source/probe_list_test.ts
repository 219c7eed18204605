import assert from "node:assert/strict";
import {
  adviseProbe,
  type DebugProbe,
  freeProbes,
  listProbes,
  namesInterface,
  normalizeSelector,
  parseProbeList,
  selectProbes,
} from "../../lib/source/probe_list.ts";
import { ask } from "../../lib/source/question.ts";
import { findProgram, requires } from "../servers.ts";

const TESTDATA = new URL("../testdata/probe_list/", import.meta.url);

for await (const { name } of Deno.readDir(TESTDATA)) {
  if (!name.endsWith(".txt")) continue;
  const read = (file: string) => Deno.readTextFile(new URL(file, TESTDATA));
  Deno.test(`parseProbeList reads the probes of ${name}`, async () => {
    const probes = parseProbeList((await read(name)).split("\n"));
    const expected = await read(name.replace(".txt", ".json"));
    assert.deepEqual(probes, JSON.parse(expected));
  });
}

function probe(id: string, name = "STLink"): DebugProbe {
  return { id, name, inaccessible: false };
}

const SELECTORS: readonly [id: string, own: string, means: boolean][] = [
  ["0483:374b", "0483:374b:066D", true],
  ["0483:374B", "0483:374b:066D", true],
  ["483:374b", "0483:374b:066D", true],
  ["0483:374b:066D", "0483:374b:066D", true],
  ["0483:374b:066d", "0483:374b:066D", false],
  ["0483:374b:066", "0483:374b:066D", false],
  ["0483:374c:066D", "0483:374b:066D", false],
  ["0484:374b:066D", "0483:374b:066D", false],
  ["303a:1001:DC:54:75:C0", "303a:1001:DC:54:75:C0", true],
  ["303a:1001:DC:54", "303a:1001:DC:54:75:C0", false],
  ["2e8a:000c:", "2e8a:000c", true],
  ["2e8a:000c:", "2e8a:000c:1", false],
  ["1d50:6018-2:7A", "1d50:6018-2:7A", true],
  ["1d50:6018-02:7A", "1d50:6018-2:7A", true],
  ["1d50:6018-:7A", "1d50:6018-2:7A", true],
  ["1d50:6018:7A", "1d50:6018-2:7A", true],
  ["1d50:6018-1:7A", "1d50:6018-2:7A", false],
  // FTDI's channels are listed as one probe.
  ["0403:6010-1:FT", "0403:6010:FT", true],
];

for (const [id, own, means] of SELECTORS) {
  Deno.test(`${id} ${means ? "means" : "does not mean"} ${own}`, () => {
    const probes = [probe(own)];
    assert.deepEqual(selectProbes(probes, id), means ? probes : []);
  });
}

Deno.test("normalizeSelector gives the same for what reads the same, and leaves what is no selector", () => {
  for (const id of ["483:374B:Ab", "0483:374b-:Ab"]) {
    assert.equal(normalizeSelector(id), "0483:374b:Ab");
  }
  assert.equal(normalizeSelector("0483:374b-01"), "0483:374b-1");
  assert.equal(normalizeSelector("0483:374b:"), "0483:374b:");
  assert.equal(normalizeSelector("the one"), "the one");
});

Deno.test("namesInterface tells what only 0.31 and later take", () => {
  assert.ok(namesInterface("0403:6010-1:FT"));
  assert.ok(namesInterface("0403:6010-"));
  assert.ok(!namesInterface("0403:6010:FT-1"));
});

Deno.test("adviseProbe has nothing to say where one probe is meant, or none is there", () => {
  const [one, other] = [probe("0483:374b:1"), probe("0483:374b:2")];
  assert.equal(adviseProbe([one], undefined), undefined);
  assert.equal(adviseProbe([one, other], "0483:374b:2"), undefined);
  assert.equal(adviseProbe([], "0483:374b:2"), undefined);
});

Deno.test("adviseProbe gives the line of each probe that may be meant, as TOML reads it", () => {
  const probes = [
    probe("0483:374b:1"),
    { ...probe('1366:0101:a"\\', "J-Link"), inaccessible: true },
  ];
  const lines =
    'probe_id = "0483:374b:1" (STLink) or probe_id = "1366:0101:a\\"\\\\" (J-Link, which this user may not open)';
  const put = "put the line of the right probe under its board in config.toml";
  assert.equal(adviseProbe(probes, undefined), `${put}: ${lines}`);
  assert.equal(
    adviseProbe(probes, "0483:374b:3"),
    `plug the probe "0483:374b:3" in, or ${put}: ${lines}`,
  );
});

Deno.test("freeProbes leaves out what other boards mean", () => {
  const [one, other] = [probe("0483:374b:1"), probe("0483:374b:2")];
  assert.deepEqual(freeProbes([one, other], ["0483:374B:1", "1:2"]), [other]);
  assert.deepEqual(freeProbes([one, other], ["0483:374b"]), []);
  assert.deepEqual(freeProbes([one, other]), [one, other]);
});

Deno.test({
  name: "The real probe-rs lists probes in a way that is understood",
  ...requires("probe-rs"),
  async fn() {
    const options = { env: {}, signal: AbortSignal.timeout(30_000) };
    const program = findProgram("probe-rs");
    const probes = await listProbes(program, options);
    assert.ok(Array.isArray(probes), `${probes}`);
    const { lines } = await ask(program, ["list"], options);
    // A head line stands before those that are connected, and another one where none is.
    assert.equal(lines.length - 1, probes.length, lines.join("\n"));
  },
});

Deno.test("adviseProbe names the first ten of very many", () => {
  const probes = Array.from({ length: 12 }, (_, i) => probe(`0483:374b:${i}`));
  const advice = adviseProbe(probes, undefined) ?? "";
  assert.equal(advice.match(/probe_id = /g)?.length, 10);
  assert.ok(advice.endsWith(" or one of 2 more"));
});
