import assert from "node:assert/strict";
import { PROJECT, runToEnd, V8_FLAGS } from "./cli/program.ts";

const { tasks } = JSON.parse(await Deno.readTextFile(`${PROJECT}deno.json`));

/** The program's files, made with the commands of `deno task bundle` in a folder that is given back. */
async function bundle() {
  const folder = await Deno.makeTempDir();
  const [clean, ...commands] = tasks.bundle.command.split(" && ");
  assert.equal(clean, "rm -rf dist");
  for (const command of commands) {
    const [deno, ...args] = command.split(" ");
    assert.equal(deno, "deno");
    const made = await runToEnd([
      Deno.execPath(),
      ...args.map((arg: string) => arg.replace(/^dist\b/, folder)),
    ], { cwd: PROJECT });
    assert.equal(made.code, 0, made.stderr);
  }
  const texts = new Map<string, string>();
  for await (const { name } of Deno.readDir(folder)) {
    texts.set(name, await Deno.readTextFile(`${folder}/${name}`));
  }
  return {
    main: `${folder}/main.js`,
    worker: `${folder}/journal_worker.js`,
    texts,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** The files that are loaded with `name`, itself included: what they import later is not among them. */
function loadedWith(
  name: string,
  texts: ReadonlyMap<string, string>,
  loaded: Set<string> = new Set(),
): Set<string> {
  if (loaded.has(name)) return loaded;
  loaded.add(name);
  const text = texts.get(name);
  assert.ok(text !== undefined, `There is no "${name}"`);
  for (const [, other = ""] of text.matchAll(/(?:from|import)"\.\/([^"]+)"/g)) {
    loadedWith(other, texts, loaded);
  }
  return loaded;
}

Deno.test("The bundle is the whole program, the journal's worker beside it", async () => {
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

Deno.test("The bundle is small in memory: ASCII, and of zod only what is small, without its locales", async () => {
  await using files = await bundle();
  for (const [name, text] of files.texts) {
    // One letter beyond Latin-1 makes V8 keep all of them with two bytes.
    assert.equal(/[^\p{ASCII}].{0,40}/u.exec(text)?.[0], undefined, name);
    assert.ok(!text.includes("Ung\u00fcltige Eingabe"), name);
    assert.ok(!text.includes("Ung\\xFCltig"), name);
    assert.ok(!text.includes('"ZodString"'), `zod/mini is enough: ${name}`);
  }
});

/** What comes with the command line, in bytes: today 500,000. */
const MOST_FIRST_BYTES = 600_000;

Deno.test("What a gateway needs until the first line is read comes with the command line, and little else", async () => {
  await using files = await bundle();
  const { texts } = files;
  const filesWith = (words: string) => {
    const names = [...texts.keys()]
      .filter((name) => texts.get(name)!.includes(words));
    assert.ok(names.length > 0, words);
    return names;
  };
  // The executable keeps its compiled code only of these.
  const first = loadedWith("main.js", texts);
  const [gateway] = filesWith("Starting telemetry processor");
  assert.ok(first.has(gateway!));
  const LATER = {
    "MQTT.js": "mqttjs:client",
    "the embedded broker": "aedes/issues",
    "the questions of init": "It must be one of the list",
  };
  for (const [what, words] of Object.entries(LATER)) {
    assert.ok(!filesWith(words).some((name) => first.has(name)), what);
  }
  const bytes = [...first].reduce(
    (sum, name) => sum + texts.get(name)!.length,
    0,
  );
  assert.ok(bytes < MOST_FIRST_BYTES, `${bytes} bytes`);
});

Deno.test("From source and as the executable V8 has the same limits, and none that ends the program", () => {
  assert.equal(V8_FLAGS.length, 1, V8_FLAGS.join(" and "));
  assert.doesNotMatch(V8_FLAGS[0]!, /max-(old-space|heap)-size/);
  for (const name of ["dev", "start", "compile"]) {
    assert.ok(tasks[name].command.includes(V8_FLAGS[0]), name);
  }
});
