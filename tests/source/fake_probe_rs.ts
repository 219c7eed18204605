/**
 * A program called probe-rs that is a shell script.
 *
 * @module
 */

import { join } from "node:path";

/** Calls `use` with a folder in which probe-rs is `script`, or is missing; removes it afterwards. */
export async function withProbeRs(
  script: string | undefined,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    if (script !== undefined) await installProbeRs(folder, script);
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Puts `script` into `folder` as probe-rs, or in the place of the one that is there. */
export async function installProbeRs(
  folder: string,
  script: string,
): Promise<void> {
  await Deno.writeTextFile(
    join(folder, "probe-rs"),
    `#!/bin/sh\n${script}\n`,
    { mode: 0o755 },
  );
}
