import assert from "node:assert/strict";
import { PROJECT, runToEnd, V8_FLAGS } from "./cli/program.ts";

/** The two files of the program, as `deno task bundle` makes them, in a folder that is given back. */
async function bundle() {
  const folder = await Deno.makeTempDir();
  const make = async (file: string, entry: string) => {
    const path = `${folder}/${file}`;
    const bundled = await runToEnd(
      [Deno.execPath(), "bundle", "-q", "--minify", "-o", path, entry],
      { cwd: PROJECT },
    );
    assert.equal(bundled.code, 0, bundled.stderr);
    return path;
  };
  return {
    main: await make("iiot-gateway.js", "main.ts"),
    worker: await make("journal_worker.js", "lib/journal/worker.ts"),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("The bundle is the whole program: the command line in one file, the journal's worker beside it", async () => {
  await using files = await bundle();
  const version = await runToEnd([
    ...[Deno.execPath(), "run", "--no-config", "--no-prompt", "--ignore-env"],
    ...[files.main, "version"],
  ]);
  assert.match(version.stdout, /^iiot-gateway \d/, version.stderr);

  const worker = new Worker(`file://${files.worker}`, { type: "module" });
  const answer = Promise.withResolvers<{ id: number; error?: unknown }>();
  worker.onmessage = ({ data }) => answer.resolve(data);
  worker.onerror = ({ message }) => answer.reject(new Error(message));
  const deadline = setTimeout(
    () => answer.reject(new Error("The worker does not answer")),
    10_000,
  );
  try {
    // Sent before the worker runs: it must not be lost.
    worker.postMessage({ id: 7, method: "oldest", args: [] });
    const { id, error } = await answer.promise;
    assert.equal(id, 7);
    assert.ok(error, "No journal was opened, yet it answers");
  } finally {
    clearTimeout(deadline);
    worker.terminate();
  }
});

Deno.test("The bundle is small in memory: ASCII, and without the locales of zod", async () => {
  await using files = await bundle();
  for (const file of [files.main, files.worker]) {
    const text = await Deno.readTextFile(file);
    // One letter beyond Latin-1 makes V8 keep all of them with two bytes.
    assert.equal(/[^\p{ASCII}].{0,40}/u.exec(text)?.[0], undefined, file);
    assert.ok(!text.includes("Ungültige Eingabe"), file);
    assert.ok(!text.includes("Ung\\xFCltig"), file);
  }
});

Deno.test("From source and as the executable V8 has the same limits, and none that ends the program", async () => {
  assert.equal(V8_FLAGS.length, 1, V8_FLAGS.join(" and "));
  assert.doesNotMatch(V8_FLAGS[0]!, /max-(old-space|heap)-size/);
  const { tasks } = JSON.parse(await Deno.readTextFile(`${PROJECT}deno.json`));
  for (const name of ["dev", "start", "compile"]) {
    assert.ok(tasks[name].command.includes(V8_FLAGS[0]), name);
  }
});
