import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../cli/program.ts";
import { eventually } from "../e2e/gateway_process.ts";
import { requires } from "../servers.ts";

const CHAOS = fileURLToPath(new URL("chaos.ts", import.meta.url));
const COMMAND = [Deno.execPath(), "run", "-A", "-q", CHAOS];
/** CI takes its time, a developer's own run does not. */
const THOROUGH = Deno.env.get("REQUIRE_REAL") === "1";
const SECONDS = THOROUGH ? 70 : 20;
const KILLS = THOROUGH ? 20 : 5;
const REAL = requires("mosquitto", "victoria-metrics");

async function succeeds(...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await runToEnd([...COMMAND, ...args]);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /Every reading is accounted for/);
}

for (const seed of [1, 2, 3]) {
  Deno.test({
    name:
      `After ${SECONDS} s of faults of everything, every reading is accounted for (seed ${seed})`,
    ...REAL,
    fn: () =>
      succeeds("--seed", String(seed), "--minutes", String(SECONDS / 60)),
  });
}

Deno.test({
  name:
    `kill -9 at ${KILLS} random moments costs nothing that was journalled, and leaves no process and no lock`,
  ...REAL,
  fn: () => succeeds("--seed", "1", "--kills", String(KILLS)),
});

Deno.test({
  name: "A run of chaos that is interrupted ends all that it started",
  ...REAL,
  ignore: REAL.ignore || Deno.build.os !== "linux",
  fn: async () => {
    const mark = crypto.randomUUID();
    const [program = "", ...args] = COMMAND;
    const run = new Deno.Command(program, {
      args: [...args, "--minutes", "5"],
      env: { CHAOS_TEST_MARK: mark },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let story = "";
    const reading = (async () => {
      const text = run.stdout.pipeThrough(new TextDecoderStream());
      for await (const piece of text) story += piece;
    })();
    await eventually("the run began", () => /broker|database/.test(story));
    const [, folder = ""] = /folder (\S+)/.exec(story) ?? [];
    const started = await processesOf(mark, folder);
    assert.ok(started.length >= 4, String(started));
    run.kill("SIGINT");
    assert.equal((await run.status).code, 1);
    await reading;
    assert.match(story, /Interrupted/);
    await eventually(
      "all have ended",
      async () => (await processesOf(mark, folder)).length === 0,
    );
    await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  },
});

/** Processes that inherited `mark`, or were told of `folder`. */
async function processesOf(mark: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file: string) =>
      Deno.readTextFile(`/proc/${name}/${file}`).catch(() => "");
    const told = (await read("cmdline")).includes(folder);
    if (told || (await read("environ")).includes(mark)) found.push(name);
  }
  return found;
}
