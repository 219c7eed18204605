/**
 * The stand-in for probe-rs as a program of that name, so that whoever looks for probe-rs on the PATH finds
 * it.
 *
 * @module
 */

import { join } from "node:path";
import { selfCommand, selfEnvironment } from "./self.ts";

/** A bench that the stand-in is called for. */
export interface StandInScriptOptions {
  /** @default {a board that works} */
  readonly scenario?: string;
  /** The folder that its calls share. */
  readonly state: string;
}

/** Variables that change what probe-rs prints. */
const VARIABLES = [
  "NO_COLOR",
  "RUST_LOG",
  "RUST_BACKTRACE",
  "PROBE_RS_DISABLE_SETUP_HINTS",
];

/** Makes the program `probe-rs` in `folder`, which is there; all paths are absolute. */
export async function installStandIn(
  folder: string,
  { scenario, state }: StandInScriptOptions,
): Promise<void> {
  const command = selfCommand([
    ...["simulate", "--as-probe-rs", "--state", state],
    ...(scenario === undefined ? [] : ["--scenario", scenario]),
    "--",
  ], [
    "--allow-read",
    `--allow-write=${state}`,
    `--allow-env=${VARIABLES.join()}`,
  ]);
  // Who starts it need not know what this program needs.
  const variables = Object.entries(
    selfEnvironment((name) => Deno.env.get(name)),
  );
  if (Deno.build.os === "windows") {
    const set = variables.map(([name, value]) => `@set "${name}=${value}"\r\n`);
    const quoted = command.map((word) => `"${word}"`).join(" ");
    await Deno.writeTextFile(
      join(folder, "probe-rs.cmd"),
      `${set.join("")}@${quoted} %*\r\n`,
    );
    return;
  }
  const set = variables.map(([name, value]) =>
    `export ${name}=${quote(value)}\n`
  );
  const file = join(folder, "probe-rs");
  await Deno.writeTextFile(
    file,
    `#!/bin/sh\n${set.join("")}exec ${command.map(quote).join(" ")} "$@"\n`,
  );
  await Deno.chmod(file, 0o755);
}

/** A word as a shell takes it literally. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
