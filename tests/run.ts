/**
 * `deno task test [FILES, FOLDERS, FLAGS OF deno test]`: runs the tests, says which parts did not run
 * for want of a server or of root's rights, and ends with `N passed, N failed`.
 *
 * @module
 */

/** What no package of Debian's has, and the package of cargo's that does. */
const OF_CARGO: Readonly<Record<string, string>> = {
  "probe-rs": "probe-rs-tools",
  "defmt-print": "defmt-print",
};

const folder = await Deno.makeTempDir({ prefix: "iiot-tests-" });
const report = `${folder}/report.xml`;
const skipped = `${folder}/skipped`;
try {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--parallel", `--junit-path=${report}`, ...Deno.args],
    env: { SKIPPED_SERVERS_FILE: skipped },
  }).spawn().status;
  const { ran, failures } = count(await readIfThere(report));
  // A file that cannot be loaded fails, without a test that could.
  const failed = failures === 0 && !success ? 1 : failures;
  const notes = namesIn(await readIfThere(skipped));
  const missing = notes.filter((one) =>
    one !== "root" && OF_CARGO[one] === undefined
  );
  if (ran === 0) say("No test ran");
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(packageOf))].join(" ");
    say(
      `Not run for want of a server: ${
        missing.join(", ")
      } (apt install ${packages}; .ci/run does)`,
    );
  }
  for (const one of notes) {
    if (OF_CARGO[one] === undefined) continue;
    say(
      `Not run for want of ${one} (cargo install ${
        OF_CARGO[one]
      } --locked; .ci/run does)`,
    );
  }
  if (notes.includes("root")) {
    say("Not run for want of root's rights on Linux: what needs a mount");
  }
  say(`${ran - failures} passed, ${failed} failed`);
  Deno.exitCode = failed > 0 || ran === 0 ? 1 : 0;
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** Tests and steps that a JUnit report counts; `disabled` are those that were ignored. */
function count(xml: string): { ran: number; failures: number } {
  let [ran, failures] = [0, 0];
  for (const [suite] of xml.matchAll(/<testsuite .*?>/g)) {
    const value = (name: string) =>
      Number(RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1]);
    ran += value("tests") - value("disabled");
    failures += value("failures") + value("errors");
  }
  return { ran, failures };
}

/** The programs, or `root`, in the notes of `requires` and `requiresRoot` in `servers.ts`, each once. */
function namesIn(notes: string): string[] {
  const names = notes.split("\n").map((line) => line.split("\t")[0]!);
  return [...new Set(names)].filter((one) => one !== "").sort();
}

/** Debian's package with a program in it. */
function packageOf(program: string): string {
  if (program === "mosquitto_passwd") return "mosquitto";
  if (program === "script") return "bsdutils";
  if (program === "stty") return "coreutils";
  return program.startsWith("mosquitto_") ? "mosquitto-clients" : program;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function say(line: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.log(line);
}
