import assert from "node:assert/strict";
import { join } from "node:path";
import { INSTALL_PROBE_RS } from "../../lib/source/launcher.ts";
import { askVersion } from "../../lib/source/probe_rs_version.ts";
import { withProbeRs } from "./fake_probe_rs.ts";

const never = new AbortController().signal;

/** What is learned of a probe-rs that is this shell script. */
async function versionOf(script: string) {
  let version: Awaited<ReturnType<typeof askVersion>> | undefined;
  await withProbeRs(script, async (folder) => {
    version = await askVersion(join(folder, "probe-rs"), {
      env: {},
      signal: never,
    });
  });
  return version;
}

const META = `[ "$*" = "mi meta" ] || exit 2\n`;

Deno.test("askVersion takes the version that mi meta tells, whatever stands behind its numbers", async () => {
  const line = (version: string) =>
    `${META}echo '{"version":"${version}","commit":"0.1.0 (git commit: crates.io)"}'`;
  assert.deepEqual(await versionOf(line("0.32.0")), {
    major: 0,
    minor: 32,
    text: "0.32.0",
  });
  assert.deepEqual(await versionOf(line("1.2.3-rc.1+x")), {
    major: 1,
    minor: 2,
    text: "1.2.3-rc.1+x",
  });
});

Deno.test("askVersion says of a program that does not answer that it is to be installed, not what a probe would need", async () => {
  for (
    const [script, said] of [
      ["echo 'Permission denied (os error 13)' >&2; exit 1", "Permission"],
      ["echo 'No connected probes were found.' >&2; exit 1", "No connected"],
      [`${META}echo '{"version":7}'`, ""],
      [`${META}echo '['`, ""],
    ] as const
  ) {
    const failure = await versionOf(script);
    assert.ok(failure && "kind" in failure, script);
    assert.equal(failure.kind, "unknown");
    assert.equal(failure.todo, INSTALL_PROBE_RS);
    assert.match(
      failure.error ?? "",
      new RegExp(`does not tell its version: ${said}`),
    );
  }
});
