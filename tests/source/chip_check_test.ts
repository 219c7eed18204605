import assert from "node:assert/strict";
import { dirname } from "node:path";
import { checkChip } from "../../lib/source/chip_check.ts";
import { findProgram, requires } from "../servers.ts";
import { BenchFolder } from "../simulator/probe_rs/bench_folder.ts";

/** What `check` asks with, and an environment in which it finds `program`. */
function asking(program: string) {
  return {
    env: { PATH: dirname(program), NO_COLOR: "1", RUST_LOG: "error" },
    signal: new AbortController().signal,
  };
}

Deno.test({
  name:
    "The real probe-rs knows a chip and its core, or the chip that was meant",
  ...requires("probe-rs"),
  async fn() {
    const program = findProgram("probe-rs");
    const check = (chip: string) => checkChip(program, chip, asking(program));
    const known = await check("STM32F446RETx");
    assert.equal(known.finding.level, "ok");
    assert.deepEqual(known.cores, ["Armv7em"]);
    assert.deepEqual((await check("esp32c3")).cores, ["Riscv"]);
    const { finding, cores } = await check("STM32F446RET6X");
    assert.equal(finding.level, "failed");
    assert.match(
      finding.detail,
      /^probe-rs knows no chip "STM32F446RET6X" \(E/,
    );
    assert.deepEqual(finding.fix, ['chip = "STM32F446RE"']);
    assert.deepEqual(cores, []);
    assert.equal((await check("8051")).finding.fix, undefined);
  },
});

Deno.test("The stand-in for probe-rs offers its own chips", async () => {
  await using bench = await BenchFolder.create();
  const program = `${await bench.install()}/probe-rs`;
  const { finding } = await checkChip(program, "STM32F464RETx", {
    ...asking(program),
    env: { PATH: "/usr/bin:/bin" },
  });
  assert.equal(finding.level, "failed");
  assert.deepEqual(finding.fix, ['chip = "STM32F446RETx"']);
});
