/**
 * Programs that the gateway starts: where they are, what they may know, and that none outlives it.
 *
 * @module
 */

import { delimiter, join, resolve } from "node:path";

/**
 * Where probe-rs runs. A `.probe-rs.toml` in its working directory can change what it does or end it,
 * and only root can leave one here; the folder is always there, whatever becomes of the disks.
 */
export const NEUTRAL_FOLDER = resolve("/");

/** Set for every child. Without them probe-rs colours even what goes into a pipe. */
const QUIET = {
  NO_COLOR: "1",
  PROBE_RS_COLOR: "false",
  PROBE_RS_DISABLE_SETUP_HINTS: "1",
};

/** Unless the user wants more: else some ten warnings stand before the one error that matters. */
const RUST_LOG = "error";

/** What a child needs of our own environment; the last two only on Windows. */
const INHERITED = ["PATH", "HOME", "LANG", "USERPROFILE", "SYSTEMROOT"];

/** Ends with 70 when the parent died before `setpriv` could tie the child to it. */
const GUARD = '[ "$PPID" = "$0" ] || exit 70; exec "$@"';

/**
 * The whole environment of a child. Nothing else of ours is handed on, because ours holds secrets, and
 * because `CLICOLOR_FORCE`, `RUST_BACKTRACE` or `PROBE_RS_CONFIG_PRESET` would change what it prints.
 *
 * @param get reads a variable of our environment: `(name) => Deno.env.get(name)`
 */
export function childEnvironment(
  get: (name: string) => string | undefined,
): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(inherited),
    ...QUIET,
    RUST_LOG: get("RUST_LOG") || RUST_LOG,
  };
}

/**
 * Where the program is: `name` itself if it is a path, else the first executable file of that name
 * in the folders of `path`. Undefined if there is none.
 */
export async function findProgram(
  name: string,
  path: string,
): Promise<string | undefined> {
  const isPath = /[/\\]/.test(name);
  const folders = isPath
    ? [""]
    : path.split(delimiter).filter((folder) => folder !== "");
  const endings = Deno.build.os === "windows"
    ? ["", ".exe", ".cmd", ".bat"]
    : [""];
  // One after the other: what stands behind the right one, perhaps on a share that hangs, is not asked.
  for (const folder of folders) {
    for (const ending of endings) {
      const file = isPath ? name + ending : join(folder, name + ending);
      if (await isExecutable(file)) return file;
    }
  }
  return undefined;
}

/**
 * `command` so that it ends when we do, even by SIGKILL: on Linux, where util-linux is installed.
 * Must be spawned by the main thread, because the signal follows the thread.
 */
export async function withoutOrphans(
  command: readonly string[],
  path: string,
): Promise<readonly string[]> {
  const setpriv = Deno.build.os === "linux"
    ? await findProgram("setpriv", path)
    : undefined;
  if (!setpriv) return command;
  return [
    setpriv,
    "--pdeathsig",
    "TERM",
    "/bin/sh",
    "-c",
    GUARD,
    `${Deno.pid}`,
    ...command,
  ];
}

/**
 * Sends `signal` to a child that was spawned `detached`, and to all it started: its process group is
 * its own. No error if it is gone already.
 */
export function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    Deno.kill(Deno.build.os === "windows" ? pid : -pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    const { isFile, mode } = await Deno.stat(file);
    return isFile && (mode === null || (mode & 0o111) !== 0);
  } catch {
    return false;
  }
}
