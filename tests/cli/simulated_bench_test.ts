import assert from "node:assert/strict";
import { delimiter, join } from "node:path";
import { setUpBench } from "../../lib/cli/simulated_bench.ts";
import { UsageError } from "../../lib/cli/usage_error.ts";
import { makeJournalFolder } from "../../lib/journal/folder.ts";
import { lockFolder } from "../../lib/journal/lock.ts";
import { load } from "../config/load.ts";

const TWO_BOARDS = `
[mqtt]
broker_url = "mqtt://127.0.0.1"
client_id = "test"
topic_prefix = "iiot"
[[board]]
name = "hall"
[[board]]
name = "yard"
`;

const HALL = "0483:374b:AA";
const YARD = "0483:374b:BB";

/** Sets a bench up for two boards; `scenario` is the content of its file. */
async function setUp(scenario?: string) {
  const folder = await Deno.makeTempDir({ prefix: "iiot-bench-" });
  try {
    const config = await load(TWO_BOARDS, {
      simulate: true,
      path: join(folder, "config.toml"),
    });
    const file = join(folder, "scenario.toml");
    if (scenario !== undefined) await Deno.writeTextFile(file, scenario);
    const bench = await setUpBench(config, {
      configPath: join(folder, "config.toml"),
      env: { PATH: "/usr/bin" },
      scenario: scenario === undefined ? undefined : file,
    });
    const [first = ""] = bench.env.PATH?.split(delimiter) ?? [];
    const program = await Deno.readTextFile(join(first, "probe-rs"));
    return { ...bench, file, program };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Each simulated board has a probe of its own", async () => {
  const { config: { boards } } = await setUp();
  const ids = boards.map(({ probe_id }) => probe_id);
  assert.equal(new Set(ids).size, 2);
  for (const id of ids) assert.match(id ?? "", /^0483:374b:/);
});

Deno.test("A scenario of one's own says which probes the simulated boards have", async () => {
  const { config: { boards }, program, file } = await setUp(`
[[probe]]
id = "${HALL}"
[[probe]]
id = "${YARD}"
chip = "nRF52840_xxAA"
[[event]]
at_s = 5
do = "unplug"
`);
  assert.deepEqual(
    boards.map(({ probe_id, chip }) => [probe_id, chip]),
    [[HALL, "STM32F446RETx"], [YARD, "nRF52840_xxAA"]],
  );
  assert.ok(program.includes(`'--scenario' '${file}'`), program);
});

Deno.test("A scenario with fewer probes than there are boards, or with faults, is refused", async () => {
  await assert.rejects(
    setUp("speed = 2"),
    (error) =>
      error instanceof UsageError &&
      /scenario\.toml" has 1 probe, and the configuration 2 boards: give each board a \[\[probe\]\]$/
        .test(error.message),
  );
  await assert.rejects(setUp("sped = 2"), /scenario\.toml:1:1: "sped" is not/);
});

Deno.test("The bench of a gateway that runs is left alone", async () => {
  const folder = await Deno.makeTempDir({ prefix: "iiot-bench-" });
  await using _removed = {
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
  const path = join(folder, "config.toml");
  const config = await load(TWO_BOARDS, { simulate: true, path });
  const options = { configPath: path, env: {} };
  await setUpBench(config, options);
  const used = join(folder, ".dev", "bench", "state");
  await Deno.mkdir(used);
  await makeJournalFolder(config.journal.folder);
  {
    using _held = await lockFolder(config.journal.folder);
    await assert.rejects(setUpBench(config, options), /in use by another/);
    assert.ok((await Deno.stat(used)).isDirectory);
  }
  await setUpBench(config, options);
  await assert.rejects(Deno.stat(used), Deno.errors.NotFound);
});
