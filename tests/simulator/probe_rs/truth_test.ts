import assert from "node:assert/strict";
import { runToEnd } from "../../cli/program.ts";
import { findProgram, requires } from "../../servers.ts";
import { BenchFolder } from "./bench_folder.ts";

/** What both answer without a probe. */
const CALLS = [
  "--version",
  "mi meta",
  "mi",
  "mi bogus",
  "list",
  "list extra",
  "chip info STM32F446RETx",
  "chip info nrf52840_xxaa",
  "chip info NOPE",
  "chip info",
  "run --chip STM32F446RETx none.bin",
  "attach --chip STM32F446RETx none.bin",
  "run --chip STM32F446RETx fw.elf",
  "run --chip NOPE fw.elf",
  "attach --chip STM32F446RETx fw.elf",
  "attach --chip NOPE fw.elf",
  "run --probe 0483:374b:066DFF fw.elf",
  "run --probe zzz fw.elf",
  "run --probe zz:yy fw.elf",
  "attach --probe :1 fw.elf",
  "attach --probe 1:2-x fw.elf",
  "run --bogus fw.elf",
  "run",
  "run --chip",
  "run --chip a --chip b fw.elf",
  "run --rtt-scan-memory fw.elf",
  "attach --preverify fw.elf",
  "attach --disable-progressbars fw.elf",
  "attach fw.elf extra",
  "run --chip STM32F446RETx --preverify --disable-progressbars --non-interactive --no-catch-reset --no-catch-hardfault --no-timestamps fw.elf",
  "attach --chip STM32F446RETx --non-interactive --no-catch-reset --no-catch-hardfault --no-timestamps fw.elf",
  "bogus",
  "--bogus",
];

Deno.test({
  name:
    "The stand-in answers as the real probe-rs does, wherever that needs no board",
  ...requires("probe-rs"),
  async fn() {
    const real = findProgram("probe-rs");
    const { stdout } = await runToEnd([real, "--version"]);
    const version = /\d+\.\d+\.\d+/.exec(stdout)?.[0];
    await using bench = await BenchFolder.create(
      `version = "${version}"\nprobe = []\n`,
    );
    const bin = await bench.install();
    const env = {
      PROBE_RS_DISABLE_SETUP_HINTS: "1",
      RUST_LOG: "error",
      RUST_BACKTRACE: "0",
    };
    for (const call of CALLS) {
      const args = call.split(" ").map((word) =>
        word === "fw.elf" ? bench.path(word) : word
      );
      const [one, other] = await Promise.all(
        [real, `${bin}/probe-rs`].map((program) =>
          runToEnd([program, ...args], { env })
        ),
      );
      assert.deepEqual(decisive(other!), decisive(one!), `${real} ${call}`);
    }
  },
});

/** The exit code, all of stdout, and the error with its causes. */
function decisive(
  { code, stdout, stderr }: Awaited<ReturnType<typeof runToEnd>>,
) {
  const lines = stderr.split("\n").filter((line) =>
    // Suggestions are clap's art, and help is long.
    /^(?:error|Error|Usage): /i.test(line) || /^ {4}\S/.test(line)
  );
  const first = lines.findIndex((line) => /^error: /i.test(line));
  return {
    code,
    stdout,
    error: first < 0
      ? undefined
      : lines.slice(first).filter((line) => !line.startsWith("Usage: ")),
  };
}
