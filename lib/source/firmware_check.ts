/**
 * Whether `firmware_path` names what probe-rs can run and read: an ELF file for the chip, that logs by RTT.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { describeError } from "../error_text.ts";
import type { Finding } from "../model.ts";
import { type Elf, isElf, readElf } from "./elf.ts";
import { failedFinding } from "./failed_finding.ts";

/** Where RTT's control block is, by which probe-rs finds it. */
const RTT_SYMBOL = "_SEGGER_RTT";
const SUBJECT = "firmware";
/** ELF files of a folder that are named where the one that was meant is not there. */
const MAX_NAMED = 3;
const MAX_LOOKED_AT = 1_000;
/** Of so many all sections and symbols are read. */
const MAX_JUDGED = 50;

/** A processor, with the target of Rust that a firmware for it is often built for. */
interface Machine {
  readonly name: string;
  readonly target?: string;
}

const MACHINES: Readonly<Record<number, Machine>> = {
  3: { name: "x86" },
  40: { name: "Arm", target: "thumbv7em-none-eabihf" },
  62: { name: "x86-64" },
  83: { name: "AVR" },
  94: { name: "Xtensa", target: "xtensa-esp32-none-elf" },
  183: { name: "AArch64" },
  243: { name: "RISC-V", target: "riscv32imc-unknown-none-elf" },
};
/** Nobody's debug probe is wired to these: they are the PC's. */
const OF_A_PC = [3, 62];
/** The processors of the cores that `probe-rs chip info` names. */
const OF_CORES: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^Armv8a/i, [40, 183]],
  [/^Arm/i, [40]],
  [/^Riscv/i, [243]],
  [/^Xtensa/i, [94]],
];
/** Rust's targets by the core, where it names one. */
const TARGETS: Readonly<Record<string, string>> = {
  Armv6m: "thumbv6m-none-eabi",
  Armv7m: "thumbv7m-none-eabi",
  Armv7em: "thumbv7em-none-eabihf",
  Armv8m: "thumbv8m.main-none-eabihf",
};

/** Looks at the file; `cores` are those that `probe-rs chip info` names, as far as they are known. */
export async function checkFirmware(
  path: string,
  cores: readonly string[] = [],
): Promise<Finding> {
  try {
    using file = await Deno.open(path);
    if ((await file.stat()).isDirectory) return await isFolder(path, cores);
    const head = new Uint8Array(4096);
    const length = await file.read(head) ?? 0;
    if (!isElf(head)) return isNone(path, head.subarray(0, length));
    return judge(path, await readElf(file, [RTT_SYMBOL]), cores);
  } catch (error) {
    if (error instanceof RangeError) {
      return failedFinding(
        SUBJECT,
        `"${path}" is damaged. ${error.message}: it was cut off, or is still being written`,
        "build the firmware again, or copy it again",
      );
    }
    if (error instanceof Deno.errors.NotFound) {
      return await isMissing(path, cores);
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      return failedFinding(
        SUBJECT,
        `"${path}" may not be read by this user`,
        "let the user of the gateway read it",
        [`sudo chmod a+r ${quote(path)}`],
      );
    }
    return failedFinding(
      SUBJECT,
      `Cannot read "${path}": ${describeError(error)}`,
      'build the firmware, or correct "firmware_path" in config.toml',
    );
  }
}

function judge(path: string, elf: Elf, cores: readonly string[]): Finding {
  const { machine, type, sections, hasSymbols, symbols } = elf;
  const { name = `processor ${machine}` } = MACHINES[machine] ?? {};
  const core = cores[0] ?? "";
  const wanted = OF_CORES.find(([pattern]) => pattern.test(core))?.[1];
  if (OF_A_PC.includes(machine) || (wanted && !wanted.includes(machine))) {
    const own = MACHINES[wanted?.[0] ?? 40] ?? { name: "Arm" };
    const target = TARGETS[core] ?? own.target;
    const forWhat = OF_A_PC.includes(machine)
      ? `a PC (${name})`
      : `${name} processors`;
    const isNot = wanted
      ? `and the core of the chip is ${own.name}${core && ` (${core})`}`
      : "not for a chip";
    const which = TARGETS[core] === undefined
      ? "   # or another of: rustup target list"
      : "";
    return failedFinding(
      SUBJECT,
      `"${path}" is a program for ${forWhat}, ${isNot}`,
      "build it for the chip, and name the file that this makes",
      [
        ...(target ? [`cargo build --release --target ${target}${which}`] : []),
        `firmware_path = ${JSON.stringify(builtFor(path, target))}`,
      ],
    );
  }
  if (type === 1) {
    return failedFinding(
      SUBJECT,
      `"${path}" is an object file, which no linker has made a program of yet`,
      'name the program that the linker makes in "firmware_path"',
    );
  }
  const hasRtt = symbols.has(RTT_SYMBOL);
  const hasDefmt = sections.includes(".defmt");
  if (!hasDefmt && sections.some((one) => one.startsWith(".defmt."))) {
    return failedFinding(
      SUBJECT,
      `"${path}" was linked without defmt's linker script: its messages have no numbers, and none can be read`,
      "put this into .cargo/config.toml of the firmware, and build it again",
      [
        "[target.'cfg(target_os = \"none\")']",
        'rustflags = ["-C", "link-arg=-Tlink.x", "-C", "link-arg=-Tdefmt.x"]',
      ],
    );
  }
  if (!hasSymbols) {
    return {
      level: "warning",
      subject: SUBJECT,
      detail:
        `"${path}" was stripped of its symbols: probe-rs has to search the chip's memory for RTT, and ${
          hasDefmt
            ? "finds no message of defmt in it"
            : "places in the log are missing"
        }`,
      hint: "leave the symbols in, they are not programmed; in Cargo.toml",
      fix: ["[profile.release]", "strip = false", "debug = 2"],
    };
  }
  if (!hasRtt) {
    return failedFinding(
      SUBJECT,
      `"${path}" has no RTT${
        hasDefmt ? ", though it logs by defmt" : ""
      } (no symbol ${RTT_SYMBOL}): probe-rs would run it and read nothing`,
      hasDefmt
        ? 'let it log by defmt-rtt; where it sends defmt over a serial port, read that with "command" (README, "Any program that prints lines")'
        : "let it log by RTT: in Rust with defmt-rtt or rtt-target, in C with SEGGER_RTT.c; where it prints to a serial port, read that with a command",
      hasDefmt
        ? ["cargo add defmt-rtt", "use defmt_rtt as _;   // in main.rs"]
        : [
          'command = ["sh", "-c", "exec < /dev/ttyACM0 && stty 115200 raw -echo && exec cat"]',
        ],
    );
  }
  return {
    level: "ok",
    subject: SUBJECT,
    detail: `${path} (${name}, logs by ${hasDefmt ? "defmt over RTT" : "RTT"})`,
  };
}

/** Where Cargo puts the same program for another target. */
function builtFor(path: string, target = "TARGET"): string {
  const place = /^(.*[/\\]target[/\\])(?:[^/\\]+[/\\])?(?:release|debug)[/\\]/;
  return place.test(path)
    ? path.replace(place, `$1${target}/release/`)
    : `target/${target}/release/${basename(path)}`;
}

/** It begins as no ELF file does. */
function isNone(path: string, head: Uint8Array): Finding {
  const text = new TextDecoder("latin1").decode(head.subarray(0, 16));
  const [kind, stem] = text.startsWith("UF2\n")
    ? ["a UF2 file", /\.uf2$/i]
    : /^:[0-9a-f]{10}/i.test(text)
    ? ["an Intel HEX file", /\.(?:hex|ihex)$/i]
    : /^S[0-3][0-9a-f]{6}/i.test(text)
    ? ["an S-record file", /\.(?:srec|s19|mot)$/i]
    : head.length === 0
    ? ["empty", undefined]
    : ["none", /\.bin$/i];
  const elf = stem !== undefined && stem.test(path)
    ? [`firmware_path = ${JSON.stringify(path.replace(stem, ""))}`]
    : [];
  return failedFinding(
    SUBJECT,
    `"firmware_path" must name an ELF file, which says where RTT is and how defmt's messages read: "${path}" is ${kind}`,
    elf.length > 0
      ? 'name the file that it was made of: Cargo\'s has no ending, others end in ".elf"'
      : 'name the file that the linker made, in Cargo "target/TARGET/release/NAME"',
    elf,
  );
}

async function isFolder(
  path: string,
  cores: readonly string[],
): Promise<Finding> {
  const elves = await elvesIn(path, cores);
  return failedFinding(
    SUBJECT,
    `"firmware_path" must name a file: "${path}" is a folder`,
    elves.length > 0
      ? "name the right one of the ELF files in it"
      : "name the ELF file in it, or build the firmware first",
    elves,
  );
}

async function isMissing(
  path: string,
  cores: readonly string[],
): Promise<Finding> {
  const elves = await elvesIn(dirname(path), cores);
  return failedFinding(
    SUBJECT,
    `"${path}" is not there`,
    elves.length > 0
      ? "build the firmware, or name one of the ELF files that are beside it in config.toml"
      : 'build the firmware, or correct "firmware_path" in config.toml: it is relative to the folder of that file',
    elves,
  );
}

/** The lines for config.toml of ELF files in a folder that this check takes. */
async function elvesIn(
  folder: string,
  cores: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  let looked = 0;
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory || ++looked > MAX_LOOKED_AT) continue;
      const path = join(folder, name);
      // An object file that lies beside it was not linked.
      if (!/\.(?:o|a|so|d)$/.test(name) && await isElfFile(path)) {
        found.push(path);
      }
    }
  } catch {
    return [];
  }
  const taken: string[] = [];
  for (const path of found.sort().slice(0, MAX_JUDGED)) {
    if ((await checkFirmware(path, cores)).level === "failed") continue;
    taken.push(`firmware_path = ${JSON.stringify(path)}`);
    if (taken.length === MAX_NAMED) break;
  }
  return taken;
}

async function isElfFile(path: string): Promise<boolean> {
  try {
    // A named pipe would wait for somebody to write.
    if (!(await Deno.stat(path)).isFile) return false;
    using file = await Deno.open(path);
    const head = new Uint8Array(4);
    await file.read(head);
    return isElf(head);
  } catch {
    return false;
  }
}

function quote(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
