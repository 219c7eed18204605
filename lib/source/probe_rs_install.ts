/**
 * How probe-rs comes to this machine, with what is there already.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { findProgram } from "./program.ts";
import type { Advice } from "./usb_access.ts";

/** The installer that probe-rs publishes with each release, for machines without Rust. */
const INSTALLER =
  "curl --proto '=https' --tlsv1.2 -LsSf https://github.com/probe-rs/probe-rs/releases/latest/download/probe-rs-tools-installer.sh | sh";
const BY_CARGO = "cargo install probe-rs-tools --locked";
/** What cargo needs for it on Linux, beside a compiler. */
const LIBRARIES =
  "sudo apt install -y build-essential pkg-config libudev-dev   # Debian, Ubuntu, Raspberry Pi OS";

/** What to do where probe-rs is not found, or is not one that can be used. */
export async function adviseInstall(
  env: Readonly<Record<string, string>>,
  { isThere = false }: { readonly isThere?: boolean } = {},
): Promise<Advice> {
  const home = env.HOME ?? env.USERPROFILE ?? "";
  const folders = home === ""
    ? []
    : [join(home, ".cargo", "bin"), join(home, ".local", "bin")];
  const find = async (name: string) => {
    for (const folder of folders) {
      const found = await findProgram(join(folder, name), "");
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const hidden = isThere ? undefined : await find("probe-rs");
  if (hidden !== undefined) {
    const folder = dirname(hidden);
    return {
      hint:
        `it is installed as "${hidden}": put that folder into PATH, in a terminal by the first line, for a systemd service by the second one below [Service]`,
      fix: [
        `export PATH="${folder}:$PATH"`,
        `Environment=PATH=${folder}:/usr/local/bin:/usr/bin:/bin`,
      ],
    };
  }
  const hasCargo = await findProgram("cargo", env.PATH ?? "") !== undefined ||
    await find("cargo") !== undefined;
  const hint = isThere ? "install a newer one" : "install it";
  return hasCargo
    ? {
      hint: `${hint}, which takes some minutes`,
      fix: Deno.build.os === "linux" ? [LIBRARIES, BY_CARGO] : [BY_CARGO],
    }
    : { hint: `${hint}, then open a new terminal`, fix: [INSTALLER] };
}
