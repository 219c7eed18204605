import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const here = (name: string) =>
  fileURLToPath(new URL(`./${name}`, import.meta.url));

/** Runs a program of this folder; what it prints, and its exit code. */
async function run(
  name: string,
  ...args: string[]
): Promise<{ code: number; text: string }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", here(name), ...args],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) };
}

Deno.test("The core keeps its promises in 2,000 simulated worlds", async () => {
  const { code, text } = await run("simulation.ts", "--seeds=2000");
  assert.equal(code, 0, text);
});

Deno.test("The simulation notices a cursor that passes a row too many", async () => {
  const { code, text } = await run("mutations.ts", "passes one row too many");
  assert.match(text, /^found: /);
  assert.equal(code, 0, text);
});
