import assert from "node:assert/strict";
import { join } from "node:path";
import { checkFirmware } from "../../lib/source/firmware_check.ts";
import type { Finding } from "../../lib/model.ts";
import { makeElf, makeFirmware } from "../elf.ts";

const decode = (text: string) => new TextEncoder().encode(text);
const data = new Uint8Array(4);

/** Checks a file with these bytes. */
async function check(
  bytes: Uint8Array,
  { name = "fw", cores = ["Armv7em"] }: { name?: string; cores?: string[] } =
    {},
): Promise<Finding & { path: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, name);
    await Deno.writeFile(path, bytes);
    return { ...await checkFirmware(path, cores), path };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const CASES: readonly {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly name?: string;
  readonly cores?: string[];
  readonly level: Finding["level"];
  readonly detail: RegExp;
  readonly hint?: RegExp;
  readonly fix?: RegExp;
}[] = [
  {
    what: "a firmware that logs by defmt over RTT",
    bytes: makeFirmware(),
    level: "ok",
    detail: /fw \(Arm, logs by defmt over RTT\)$/,
  },
  {
    what: "a firmware that logs by RTT alone",
    bytes: makeFirmware({ defmt: false }),
    level: "ok",
    detail: /fw \(Arm, logs by RTT\)$/,
  },
  {
    what: "a firmware of 64 bits for a chip that has it",
    bytes: makeFirmware({ bits: 64, machine: 183 }),
    cores: ["Armv8a"],
    level: "ok",
    detail: /AArch64/,
  },
  {
    what: "a firmware whose chip is not known",
    bytes: makeFirmware({ machine: 243 }),
    cores: [],
    level: "ok",
    detail: /RISC-V/,
  },
  {
    what: "a program for this PC",
    bytes: makeFirmware({ bits: 64, machine: 62 }),
    level: "failed",
    detail:
      /^".*fw" is a program for a PC \(x86-64\), and the core of the chip is Arm \(Armv7em\)$/,
    hint: /build it for the chip/,
    fix:
      /^cargo build --release --target thumbv7em-none-eabihf\nfirmware_path = "target\/thumbv7em-none-eabihf\/release\/fw"$/,
  },
  {
    what: "a program for this PC, whatever the chip is",
    bytes: makeFirmware({ bits: 64, machine: 62 }),
    cores: [],
    level: "failed",
    detail: /for a PC \(x86-64\), not for a chip$/,
  },
  {
    what: "a firmware for another processor",
    bytes: makeFirmware({ machine: 243 }),
    cores: ["Armv6m"],
    level: "failed",
    detail:
      /is a program for RISC-V processors, and the core of the chip is Arm \(Armv6m\)$/,
    fix: /--target thumbv6m-none-eabi\n/,
  },
  {
    what: "a firmware without RTT",
    bytes: makeFirmware({ rtt: false, defmt: false }),
    level: "failed",
    detail: /has no RTT \(no symbol _SEGGER_RTT\): .* read nothing$/,
    hint: /defmt-rtt or rtt-target, in C with SEGGER_RTT\.c/,
    fix: /^command = \["sh"/,
  },
  {
    what: "a firmware that sends defmt by another way",
    bytes: makeFirmware({ rtt: false }),
    level: "failed",
    detail: /has no RTT, though it logs by defmt/,
    hint: /let it log by defmt-rtt/,
    fix: /^cargo add defmt-rtt$/m,
  },
  {
    what: "a symbol that is used and not defined",
    bytes: makeElf({
      sections: [{ name: ".text", data }],
      symbols: [
        ...[{ name: "x_SEGGER_RTT" }, { name: "_SEGGER_RTT_" }],
        { name: "_SEGGER_RTT", defined: false },
      ],
    }),
    level: "failed",
    detail: /has no RTT/,
  },
  {
    what: "a firmware without defmt's linker script",
    bytes: makeElf({
      sections: [{ name: ".defmt.info.1", data }],
      symbols: [{ name: "_SEGGER_RTT" }],
    }),
    level: "failed",
    detail: /was linked without defmt's linker script/,
    hint: /\.cargo\/config\.toml/,
    fix: /-Tdefmt\.x/,
  },
  {
    what: "a firmware that was stripped",
    bytes: makeElf({ sections: [{ name: ".text", data }] }),
    level: "warning",
    detail: /was stripped of its symbols/,
    fix: /^strip = false$/m,
  },
  {
    what: "an object file",
    bytes: makeFirmware({ type: 1 }),
    level: "failed",
    detail: /is an object file/,
  },
  {
    what: "a file that was cut off",
    bytes: makeFirmware().subarray(0, 100),
    level: "failed",
    detail: /is damaged\. It ends within its section headers: it was cut off/,
    hint: /copy it again/,
  },
  {
    what: "a file of which only the beginning is there",
    bytes: makeFirmware().subarray(0, 20),
    level: "failed",
    detail: /is damaged\. It ends within its header: /,
  },
  {
    what: "an Intel HEX file",
    bytes: decode(":020000040800F2\n:10000000"),
    name: "fw.hex",
    level: "failed",
    detail: /must name an ELF file, .* is an Intel HEX file$/,
    fix: /^firmware_path = ".*\/fw"$/,
  },
  {
    what: "a UF2 file",
    bytes: decode("UF2\n\x57\x51"),
    name: "fw.uf2",
    level: "failed",
    detail: /is a UF2 file$/,
    fix: /^firmware_path = ".*\/fw"$/,
  },
  {
    what: "an empty file",
    bytes: new Uint8Array(),
    level: "failed",
    detail: /is empty$/,
    hint: /target\/TARGET\/release\/NAME/,
  },
  {
    what: "a text",
    bytes: decode("MZ"),
    level: "failed",
    detail: /is none$/,
  },
];

for (const { what, bytes, level, detail, hint, fix, ...given } of CASES) {
  Deno.test(`checkFirmware takes ${what} for what it is`, async () => {
    const finding = await check(bytes, given);
    assert.equal(finding.level, level, finding.detail);
    assert.match(finding.detail, detail);
    if (hint !== undefined) assert.match(finding.hint ?? "", hint);
    if (fix !== undefined) assert.match(finding.fix?.join("\n") ?? "", fix);
    assert.equal(level === "ok", finding.hint === undefined);
  });
}

Deno.test("checkFirmware reads the headers of any file that begins as an ELF file, and says what is wrong", async () => {
  const whole = makeFirmware();
  const seen = new Set<string>();
  for (let at = 4; at < whole.length; at++) {
    const broken = whole.slice();
    broken[at] = 255 - broken[at]!;
    const { level } = await check(broken);
    seen.add(level);
    await check(whole.subarray(0, at));
  }
  assert.ok(seen.has("ok") && seen.has("failed"));
});

Deno.test("checkFirmware names the ELF files that are where one is missing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "deps"));
    await Deno.writeFile(join(folder, "other"), makeFirmware());
    await Deno.writeFile(join(folder, "part.o"), makeFirmware({ type: 1 }));
    await Deno.writeTextFile(join(folder, "notes"), "none");
    // The next check would not take these either.
    await Deno.writeFile(join(folder, "host"), makeFirmware({ machine: 62 }));
    await Deno.writeFile(join(folder, "mute"), makeFirmware({ rtt: false }));
    await Deno.writeFile(join(folder, "cut"), makeFirmware().subarray(0, 60));
    const missing = await checkFirmware(join(folder, "fw"));
    assert.match(missing.detail, /\/fw" is not there$/);
    assert.match(missing.hint ?? "", /one of the ELF files that are beside it/);
    const line = `firmware_path = "${join(folder, "other")}"`;
    assert.deepEqual(missing.fix, [line]);
    const whole = await checkFirmware(folder);
    assert.match(whole.detail, /must name a file: ".*" is a folder$/);
    assert.deepEqual(whole.fix, [line]);
    const forRiscv = await checkFirmware(join(folder, "fw"), ["Riscv"]);
    assert.equal(forRiscv.fix, undefined);
    const nowhere = await checkFirmware(join(folder, "nowhere", "fw"));
    assert.match(nowhere.hint ?? "", /relative to the folder of that file/);
    assert.equal(nowhere.fix, undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
