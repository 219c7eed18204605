/**
 * What was measured on, and which program: figures without it say nothing.
 *
 * @module
 */

import { type Program, PROJECT, runToEnd } from "../cli/program.ts";

/** The machine, as far as it matters for speed. */
export interface Machine {
  /** As the CPU calls itself. */
  readonly cpu: string;
  readonly cores: number;
  /** In GB of 1,000,000,000 bytes. */
  readonly memoryGb: number;
  /** `Linux 6.1.0-18-amd64` */
  readonly system: string;
  /** The file system under journals and databases: on `tmpfs` a sync costs nothing. */
  readonly fileSystem: string;
}

/** A build of the gateway. */
export interface Build {
  /** `source` or `executable` */
  readonly form: string;
  /** What the program says of itself: `iiot-gateway 0.1.0 (Deno 2.9.6, x86_64-unknown-linux-gnu)`. */
  readonly version: string;
  /** The checkout's commit, `+` behind it where files differ from it; empty outside of git. */
  readonly commit: string;
}

/** This machine, with journals under `folder`. Linux only: so is the bench. */
export async function describeMachine(folder: string): Promise<Machine> {
  const [info, release, mounts] = await Promise.all([
    Deno.readTextFile("/proc/cpuinfo"),
    Deno.readTextFile("/proc/sys/kernel/osrelease"),
    Deno.readTextFile("/proc/mounts"),
  ]);
  return {
    cpu: /^(?:model name|Model)\s*: (.+)$/m.exec(info)?.[1]?.trim() ?? "",
    cores: navigator.hardwareConcurrency,
    memoryGb: Math.round(Deno.systemMemoryInfo().total / 1e9),
    system: `Linux ${release.trim()}`,
    fileSystem: fileSystemOf(await Deno.realPath(folder), mounts),
  };
}

/** What `program` is, from the checkout in `folder`. @throws {Error} if it does not run */
export async function describeBuild(
  program: Program,
  folder: string = PROJECT,
): Promise<Build> {
  const { code, stdout, stderr } = await runToEnd([
    ...program.command,
    "version",
  ]);
  if (code !== 0) {
    throw new Error(`"${program.command.join(" ")}" does not run: ${stderr}`);
  }
  return {
    form: program.form,
    version: stdout.trim(),
    commit: await commitOf(folder),
  };
}

async function commitOf(folder: string): Promise<string> {
  const git = async (...args: string[]) => {
    const { code, stdout } = await runToEnd(["git", "-C", folder, ...args]);
    return code === 0 ? stdout.trim() : undefined;
  };
  try {
    const commit = await git("rev-parse", "--short=10", "HEAD");
    if (commit === undefined) return "";
    // What was only measured changes nothing of the program.
    const changes = await git("status", "--porcelain", "--", "lib", "main.ts");
    return changes === "" ? commit : `${commit}+`;
  } catch {
    return ""; // No git here.
  }
}

/** The type of the file system that holds `path`, by the lines of /proc/mounts. */
export function fileSystemOf(path: string, mounts: string): string {
  const found = mounts.split("\n").map((line) => line.split(" "))
    .filter(([, at = ""]) =>
      at !== "" && `${path}/`.startsWith(at.endsWith("/") ? at : `${at}/`)
    )
    // Of two mounts at the same place the later one hides the other.
    .toSorted(([, a = ""], [, b = ""]) => a.length - b.length).at(-1);
  return found?.[2] ?? "";
}
