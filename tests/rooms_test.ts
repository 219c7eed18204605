import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

/** Words and small tools that every room may use. */
const COMMON = [
  "model",
  "catalogue",
  "field_path",
  "field_metric",
  "metric_proposal",
  "marker",
  "key_value",
  "json_advice",
  "drop_advice",
  "toml_string",
  "error_text",
  "duration",
  "wait",
  "counted",
  "program_output",
  "try_lock",
  "own_text",
];
const ANY = ["*"];

/**
 * Which rooms a room may import, and of which it may import types: any that is not named here
 * knows only the common words and the types of the configuration.
 */
const MAY_KNOW: Record<string, { values?: string[]; types?: string[] }> = {
  main: { values: ["cli", "journal"] },
  cli: { values: ANY },
  gateway: { values: ANY },
  check: {
    values: ["clock", "config", "source", "journal", "sink", "broker"],
    types: ["control"],
  },
  forwarder: { values: ["journal", "sink"] },
  control: { values: ["journal"], types: ["forwarder", "source"] },
  monitor: { values: ["journal"], types: ANY },
  log: { values: ["log_line"] },
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly kind: "values" | "types";
}

const ROOT = new URL("../", import.meta.url).href;
const { files, imports } = await graph();

/** The files of the program, by their paths in the project, and which imports which. */
async function graph(): Promise<{ files: Set<string>; imports: Import[] }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: fileURLToPath(ROOT),
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: {
      specifier: string;
      dependencies?: {
        code?: { specifier: string };
        type?: { specifier: string };
      }[];
    }[];
  };
  const own = modules.filter(({ specifier }) => isOwn(specifier));
  return {
    files: new Set(own.map(({ specifier }) => pathOf(specifier))),
    imports: own.flatMap(({ specifier, dependencies = [] }) =>
      dependencies.flatMap(({ code, type }): Import[] => {
        const to = (code ?? type)?.specifier ?? "";
        const kind = code === undefined ? "types" : "values";
        return isOwn(to)
          ? [{ from: pathOf(specifier), to: pathOf(to), kind }]
          : [];
      })
    ),
  };
}

function isOwn(specifier: string): boolean {
  return specifier.startsWith(ROOT) && specifier.endsWith(".ts");
}

function pathOf(specifier: string): string {
  return specifier.slice(ROOT.length);
}

/** `sink` for `lib/sink/mqtt.ts`, `forwarder` for `lib/forwarder.ts`. */
function roomOf(path: string): string {
  return path.replace(/^lib\//, "").replace(/[/.].*$/, "");
}

function isAllowed({ from, to, kind }: Import): boolean {
  const [room, other] = [roomOf(from), roomOf(to)];
  if (room === other || COMMON.includes(other)) return true;
  if (other === "config" && kind === "types") return true;
  // Nobody knows who calls.
  if (other === "main" || (other === "cli" && room !== "main")) return false;
  const { values = [], types = [] } = MAY_KNOW[room] ?? {};
  const known = kind === "types" ? [...values, ...types] : values;
  return known.includes("*") || known.includes(other);
}

Deno.test("Rooms import only the rooms that they may know", () => {
  assert.ok(imports.length > 50, `Only ${imports.length} imports were found`);
  const wrong = imports.filter((one) => !isAllowed(one))
    .map(({ from, to, kind }) => `${from} imports ${kind} of ${to}`);
  assert.deepEqual(wrong, []);
});

Deno.test("Files do not import each other in a circle", () => {
  const values = Map.groupBy(
    imports.filter(({ kind }) => kind === "values"),
    ({ from }) => from,
  );
  const visit = (path: string, way: string[]): void => {
    assert.ok(!way.includes(path), [...way, path].join(" → "));
    if (done.has(path)) return;
    for (const { to } of values.get(path) ?? []) visit(to, [...way, path]);
    done.add(path);
  };
  const done = new Set<string>();
  visit("main.ts", []);
});

Deno.test("Every file of lib belongs to the program", async () => {
  const present: string[] = [];
  await collect("lib");
  assert.deepEqual(present.filter((path) => !files.has(path)), []);

  async function collect(folder: string): Promise<void> {
    for await (
      const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))
    ) {
      const path = `${folder}/${name}`;
      if (isDirectory) await collect(path);
      else if (name.endsWith(".ts")) present.push(path);
    }
  }
});
