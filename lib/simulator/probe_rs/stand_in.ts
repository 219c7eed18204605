/**
 * A stand-in for probe-rs, for tests and trials without a board: it takes the arguments of probe-rs, and
 * prints, waits and ends as that does, driven by a scenario.
 *
 * @module
 */

import {
  type Invocation,
  type MonitorInvocation,
  parseArguments,
  type Selector,
  WrongUsage,
} from "./arguments.ts";
import type { Bench, HeldBoard } from "./bench.ts";
import { firmwareAt } from "./board_record.ts";
import { chipInfo, chipNames } from "./chips.ts";
import {
  chipNotListed,
  chipUnknown,
  firmwareUnreadable,
  flashingFailed,
  noProbe,
  noProbeIndex,
  notAttached,
  printError,
  printProbe,
  probeNotOpened,
  ProbeRsError,
  severalProbes,
} from "./errors.ts";
import { type CallEnd, monitor } from "./monitor.ts";
import type { Outside } from "./outside.ts";
import {
  conditionsAt,
  eventsOf,
  isLoss,
  type Loss,
  type ScenarioProbe,
} from "./scenario.ts";

/** Options for {@linkcode standIn}. */
export interface StandInOptions {
  /** What stands behind `probe-rs`. */
  readonly args: readonly string[];
  readonly bench: Bench;
  readonly outside: Outside;
}

/** Verifying is so much faster than programming. */
const VERIFY_PER_FLASH = 0.2;

/** Does what probe-rs would do; resolves to its exit code. */
export async function standIn(options: StandInOptions): Promise<number> {
  const { bench, args } = options;
  const end = await bench.start(args);
  const result = await new StandIn(options).call();
  await end(result);
  return result.code;
}

class StandIn {
  readonly #args: readonly string[];
  readonly #bench: Bench;
  readonly #outside: Outside;
  readonly #minor: number;

  constructor({ args, bench, outside }: StandInOptions) {
    this.#args = args;
    this.#bench = bench;
    this.#outside = outside;
    this.#minor = Number(bench.scenario.version.split(".")[1]);
  }

  async call(): Promise<CallEnd> {
    const outside = this.#outside;
    try {
      return await this.#do(parseArguments(this.#args, this.#minor));
    } catch (error) {
      if (error instanceof WrongUsage) {
        await outside.stderr(this.#colour(error.message, "error:"));
        return { code: 2, why: "wrong usage" };
      }
      if (!(error instanceof ProbeRsError)) throw error;
      const backtrace = outside.env("RUST_BACKTRACE") ?? "0";
      await outside.stderr(printError(error, { backtrace: backtrace !== "0" }));
      return { code: 1, why: error.why };
    }
  }

  async #do(invocation: Invocation): Promise<CallEnd> {
    const answered = { code: 0, why: "answered" };
    const { scenario } = this.#bench;
    switch (invocation.command) {
      case "version":
        await this.#outside.stdout(`probe-rs ${this.#longVersion}\n`);
        return answered;
      case "meta": {
        const { arch, os } = Deno.build;
        const meta = {
          version: scenario.version,
          commit: this.#longVersion,
          arch,
          os: os === "darwin" ? "macos" : os,
        };
        await this.#outside.stdout(`${JSON.stringify(meta)}\n`);
        return answered;
      }
      case "list":
        await this.#list();
        return answered;
      case "chip list":
        await this.#outside.stdout(
          `Available chips:\nStand-in\n    Variants:\n${
            chipNames(scenario).map((chip) => `        ${chip}\n`).join("")
          }`,
        );
        return answered;
      case "chip info": {
        const { name } = invocation;
        await this.#outside.stdout(`${name}\n`);
        const info = chipInfo(scenario, name);
        if (info === undefined) throw chipNotListed(name);
        await this.#outside.stdout(info);
        return answered;
      }
      default:
        return await this.#monitor(invocation);
    }
  }

  async #list(): Promise<void> {
    const { scenario } = this.#bench;
    const probes = this.#plugged;
    const lines = probes.map((probe, i) => {
      const isOpen = this.#conditions(probe).permitted;
      const mark = isOpen || this.#minor < 32 ? "" : " (inaccessible)";
      return `[${i}]: ${printProbe(probe)}${mark}\n`;
    });
    await this.#outside.stdout(
      probes.length === 0
        ? "No debug probes were found.\n"
        : `The following debug probes were found:\n${lines.join("")}`,
    );
    const closed = probes.some((one) => !this.#conditions(one).permitted);
    if (scenario.probe.length === 0 || probes.length === 0 || closed) {
      await this.#hint();
    }
  }

  async #monitor(invocation: MonitorInvocation): Promise<CallEnd> {
    const minor = this.#minor;
    const { command, chip } = invocation;
    // Until 0.31 the daemon of "attach" reads the file last, and before 0.28 all looked for the chip first.
    const isLate = command === "attach" && minor >= 28 && minor < 32;
    let sha256 = isLate ? undefined : await this.#firmware(invocation);
    if (minor < 28) this.#checkChip(chip);
    const probe = await this.#select(invocation.probe, invocation);
    this.#checkChip(chip);
    await using board = await this.#open(probe);
    if (!this.#conditions(probe).powered) throw notAttached();
    if (isLate) sha256 = await this.#firmware(invocation);
    const { record } = board;
    const isNew = record.flash === null && record.flash_cycles === 0;
    if (this.#bench.scenario.programmed && isNew && sha256 !== undefined) {
      await board.note({ flash: { sha256, at_s: 0 } });
    }
    if (command === "run" && sha256 !== undefined) {
      await this.#flash(board, probe, sha256, invocation);
    }
    const { firmware } = this.#stateOf(board, probe);
    return await monitor({
      bench: this.#bench,
      board,
      probe,
      invocation,
      minor,
      fits: firmware !== undefined && firmware === sha256,
      outside: this.#outside,
    });
  }

  /** The hash of the ELF file, in hex; undefined if none was named. */
  async #firmware(
    { path, command }: MonitorInvocation,
  ): Promise<string | undefined> {
    if (path === undefined) return undefined;
    try {
      const bytes = await this.#outside.readFile(path);
      const hash = await crypto.subtle.digest("SHA-256", bytes);
      return new Uint8Array(hash).toHex();
    } catch (error) {
      throw firmwareUnreadable(this.#minor, command, path, error);
    }
  }

  #checkChip(chip: string | undefined): void {
    if (chip === undefined) return;
    const info = chipInfo(this.#bench.scenario, chip);
    if (info === undefined) throw chipUnknown(chip);
  }

  async #select(
    selector: Selector | undefined,
    { has }: MonitorInvocation,
  ): Promise<ScenarioProbe> {
    const minor = this.#minor;
    const probes = this.#plugged.filter((one) => matches(selector, one));
    const [first, second] = probes;
    if (first === undefined) {
      await this.#hint();
      throw noProbe(minor, selector !== undefined);
    }
    if (second === undefined) return first;
    // With a selector these open the first one that fits.
    if (minor < 28 && selector !== undefined) return first;
    if (minor === 24 || minor < 28 && has("--non-interactive")) {
      throw severalProbes(probes);
    }
    const list = probes.map((one, i) => `${i}: ${printProbe(one)}\n`).join("");
    await this.#outside.stdout(`Available Probes:\n${list}Selection: `);
    const typed = (await this.#outside.readLine()).trim();
    if (!/^\d+$/.test(typed)) throw noProbeIndex(minor, typed);
    const chosen = probes[Number(typed)];
    if (chosen !== undefined) return chosen;
    throw minor < 28
      ? noProbe(minor, false)
      : new ProbeRsError("probe missing", "Probe not found");
  }

  async #open(probe: ScenarioProbe): Promise<HeldBoard> {
    const { permitted, taken } = this.#conditions(probe);
    if (!permitted) {
      await this.#hint();
      throw probeNotOpened(this.#minor, "no permission");
    }
    const board = taken
      ? undefined
      : await this.#bench.hold(probe, (ms) => this.#outside.wait(ms));
    if (board === undefined) throw probeNotOpened(this.#minor, "probe busy");
    return board;
  }

  /** Programs the board, unless it is asked to look first and finds it equal; resets it. */
  async #flash(
    board: HeldBoard,
    probe: ScenarioProbe,
    sha256: string,
    { has, path = "" }: MonitorInvocation,
  ): Promise<void> {
    const { scenario } = this.#bench;
    const began = this.#bench.atS;
    const verifies = has("--preverify");
    const work = async (seconds: number) => {
      const lost = await this.#work(probe, seconds);
      if (lost !== undefined) throw flashingFailed(this.#minor, path, lost);
    };
    if (verifies) await work(scenario.flash_s * VERIFY_PER_FLASH);
    const { firmware } = this.#stateOf(board, probe);
    if (!verifies || firmware !== sha256) {
      if (!this.#conditions(probe).erasable) {
        throw flashingFailed(this.#minor, path, "erase");
      }
      const { flash_cycles } = board.record;
      await board.note({ flash: null, flash_cycles: flash_cycles + 1 });
      await work(scenario.flash_s);
      await board.note({ flash: { sha256, at_s: this.#bench.atS } });
    }
    const { resets } = board.record;
    await board.note({
      resets: resets + 1,
      reset_at_s: this.#bench.atS,
      // Nothing that this boot logs has been read.
      read_until_s: -1,
      frozen_at_s: null,
    });
    const seconds = (this.#bench.atS - began).toFixed(2);
    const finished = this.#colour("Finished", "Finished", 32);
    await this.#outside.stderr(`     ${finished} in ${seconds}s\n`);
  }

  /** Works on the flash for so long; gives what the board was lost by meanwhile. */
  async #work(
    probe: ScenarioProbe,
    seconds: number,
  ): Promise<Loss | undefined> {
    const from = this.#bench.atS;
    await this.#outside.wait(this.#bench.msUntil(from + seconds));
    const to = this.#bench.atS;
    for (const { do: word, at_s } of eventsOf(this.#bench.scenario, probe.id)) {
      if (at_s > from && at_s <= to && isLoss(word)) return word;
    }
    return undefined;
  }

  #stateOf({ record }: HeldBoard, { id }: ScenarioProbe) {
    return firmwareAt(this.#bench.scenario, id, record, this.#bench.atS);
  }

  #conditions({ id }: ScenarioProbe) {
    return conditionsAt(eventsOf(this.#bench.scenario, id), this.#bench.atS);
  }

  get #plugged(): readonly ScenarioProbe[] {
    return this.#bench.scenario.probe.filter((one) =>
      this.#conditions(one).plugged
    );
  }

  get #longVersion(): string {
    return `${this.#bench.scenario.version} (git commit: crates.io)`;
  }

  /** What 0.32 says where a probe is missing or cannot be opened. */
  async #hint(): Promise<void> {
    const silent = this.#outside.env("PROBE_RS_DISABLE_SETUP_HINTS");
    if (this.#minor < 32 || silent !== undefined) return;
    for (const line of HINTS) {
      await this.#outside.log("WARN", `probe_rs::util::setup_hints: ${line}`);
    }
  }

  /** `text` with `part` in bold and a colour, unless `NO_COLOR` is set: a pipe changes nothing. */
  #colour(text: string, part: string, colour = 31): string {
    return this.#outside.env("NO_COLOR")
      ? text
      : text.replace(part, `\x1b[1;${colour}m${part}\x1b[0m`);
  }
}

const HINTS = [
  "If your probe is plugged in but not listed, or shown as inaccessible, it is most likely a permissions problem.",
  "Your user needs read and write access to the probe's device node: a USB node under /dev/bus/usb, or a serial port such as /dev/ttyACM0.",
  "See https://probe.rs/docs/getting-started/probe-setup/ for how to set up the required udev rules and group membership.",
];

function matches(selector: Selector | undefined, { id }: ScenarioProbe) {
  if (selector === undefined) return true;
  const [vendor = "", product = "", ...serial] = id.split(":");
  return parseInt(vendor, 16) === selector.vendor &&
    parseInt(product, 16) === selector.product &&
    (selector.serial === undefined || selector.serial === serial.join(":"));
}
