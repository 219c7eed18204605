/**
 * A bench without a board in a folder of its own, and the stand-in for probe-rs as real processes.
 *
 * @module
 */

import { join } from "node:path";
import { installStandIn } from "../../../lib/cli/stand_in_script.ts";
import {
  type BenchState,
  readBench,
  readPrinted,
} from "../../../lib/simulator/probe_rs/bench.ts";
import { DEFAULT_PROBE } from "../../../lib/simulator/probe_rs/scenario.ts";
import { PROGRAMS } from "../../cli/program.ts";
import { makeFirmware } from "../../elf.ts";

const [{ command: SOURCE } = { command: [] }] = PROGRAMS;

/** A bench; disposing it removes the folder, so its processes must have ended. */
export class BenchFolder implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folder, with `scenario` (TOML), `fw.elf` and `other.elf`. */
  static async create(scenario = ""): Promise<BenchFolder> {
    const bench = new BenchFolder(await Deno.makeTempDir());
    await Promise.all([
      Deno.writeTextFile(bench.path("scenario.toml"), scenario),
      Deno.writeFile(bench.path("fw.elf"), makeFirmware()),
      Deno.writeFile(bench.path("other.elf"), makeFirmware({ defmt: false })),
    ]);
    return bench;
  }

  /** A file of the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Program and arguments of a call: `fw.elf` and `other.elf` stand for the files here. */
  command(args: string, program: readonly string[] = SOURCE): string[] {
    const own = args.split(" ").map((word) =>
      word.endsWith(".elf") ? this.path(word) : word
    );
    return [
      ...program,
      ...["simulate", "--as-probe-rs", "--scenario"],
      ...[this.path("scenario.toml"), "--state", this.path("state")],
      ...["--", ...own],
    ];
  }

  /** Starts a call whose output nobody reads yet. */
  spawn(args: string, program?: readonly string[]): Deno.ChildProcess {
    const [name = "", ...rest] = this.command(args, program);
    return new Deno.Command(name, {
      args: rest,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Makes a program `probe-rs` in a folder for the PATH, and gives that folder. */
  async install(): Promise<string> {
    const bin = this.path("bin");
    await Deno.mkdir(bin, { recursive: true });
    const scenario = this.path("scenario.toml");
    await installStandIn(bin, { scenario, state: this.path("state") });
    return bin;
  }

  /** What the bench remembers. */
  async state(): Promise<BenchState> {
    return await readBench(this.path("state"));
  }

  /** All that a probe's board printed, if the scenario says `record = true`. */
  async printed(probe = DEFAULT_PROBE.id): Promise<string> {
    return (await this.pieces(probe)).join("");
  }

  /** The same, as it was written. */
  async pieces(probe = DEFAULT_PROBE.id): Promise<string[]> {
    const pieces = await readPrinted(this.path("state"), probe);
    return pieces.map(({ text }) => text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
