import assert from "node:assert/strict";
import { selfCommand, selfEnvironment } from "../../lib/cli/self.ts";
import { PROJECT, runToEnd } from "./program.ts";

const ARGS = "simulate --count 2 --seed 1 --interval 0".split(" ");

/** What the simulated board prints, started by `command` with nothing but what it needs around it. */
async function simulated(command: readonly string[]): Promise<string> {
  const get = (name: string) => Deno.env.get(name);
  const env = { PATH: get("PATH") ?? "", ...selfEnvironment(get) };
  const ended = await runToEnd(command, { cwd: "/", clearEnv: true, env });
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stderr, "");
  return ended.stdout;
}

Deno.test("selfCommand starts the simulated board from source, under a cleared environment", async () => {
  const output = await simulated(selfCommand(ARGS));
  assert.equal(output.match(/JSON sent via VCP/g)?.length, 2);
});

Deno.test("selfCommand starts the simulated board from a bundle, under a cleared environment", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // A bundle that prints its own selfCommand, and otherwise is the whole program.
    const entry = `${folder}/entry.js`;
    await Deno.writeTextFile(
      entry,
      `const { cli } = await import("${PROJECT}lib/cli/cli.ts");
      if (Deno.args[0] !== "self") Deno.exit(await cli(Deno.args));
      const { selfCommand } = await import("${PROJECT}lib/cli/self.ts");
      console.log(JSON.stringify(selfCommand(Deno.args.slice(1))));`,
    );
    const bundle = `${folder}/moved/entry.js`;
    const bundled = await runToEnd([
      ...[Deno.execPath(), "bundle", "-q", "--minify", "--code-splitting"],
      ...["--outdir", `${folder}/moved`, entry],
    ], { cwd: PROJECT });
    assert.equal(bundled.code, 0, bundled.stderr);
    await Deno.remove(entry);
    const asked = await runToEnd([
      ...[Deno.execPath(), "run", "-q", "--no-config", "-A", bundle, "self"],
      ...ARGS,
    ]);
    assert.equal(asked.code, 0, asked.stderr);
    const command = JSON.parse(asked.stdout) as string[];
    assert.ok(command.includes(`file://${bundle}`), asked.stdout);
    assert.equal(await simulated(command), await simulated(selfCommand(ARGS)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
