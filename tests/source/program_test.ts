import assert from "node:assert/strict";
import { delimiter, join } from "node:path";
import {
  childEnvironment,
  findProgram,
  withoutOrphans,
} from "../../lib/source/program.ts";

Deno.test("findProgram takes the first executable file of the name on the PATH", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["a", "b", "c"]) await Deno.mkdir(join(folder, name));
    await Deno.writeTextFile(join(folder, "a", "tool"), "", { mode: 0o644 });
    await Deno.writeTextFile(join(folder, "b", "tool"), "", { mode: 0o755 });
    await Deno.writeTextFile(join(folder, "c", "tool"), "", { mode: 0o755 });
    const path = [
      "",
      join(folder, "none"),
      ..."abc".split("").map((one) => join(folder, one)),
    ];
    assert.equal(
      await findProgram("tool", path.join(":")),
      join(folder, "b", "tool"),
    );
    assert.equal(await findProgram("b", folder), undefined);
    assert.equal(await findProgram("other", path.join(":")), undefined);
    assert.equal(
      await findProgram(join(folder, "c", "tool"), ""),
      join(folder, "c", "tool"),
    );
    assert.equal(await findProgram(join(folder, "a", "tool"), ""), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("findProgram waits for no folder behind the one that has the program", async () => {
  const real = Deno.stat;
  Deno.stat = (path) =>
    `${path}`.startsWith("/hangs/")
      ? new Promise<Deno.FileInfo>(() => {})
      : real(path);
  try {
    const path = ["/bin", "/hangs"].join(delimiter);
    assert.equal(await findProgram("sh", path), join("/bin", "sh"));
  } finally {
    Deno.stat = real;
  }
});

Deno.test("findProgram leaves no question open that is soon answered", async () => {
  const real = Deno.stat;
  let open = 0;
  Deno.stat = async (path) => {
    open++;
    try {
      if (`${path}`.startsWith("/later/")) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return await real(path);
    } finally {
      open--;
    }
  };
  try {
    const path = ["/bin", "/later"].join(delimiter);
    assert.equal(await findProgram("sh", path), join("/bin", "sh"));
    assert.equal(open, 0);
  } finally {
    Deno.stat = real;
  }
});

Deno.test("childEnvironment hands on no secret", () => {
  const ours: Record<string, string> = {
    PATH: "/bin",
    HOME: "/home/gateway",
    INFLUXDB_TOKEN: "secret",
    CLICOLOR_FORCE: "1",
    PROBE_RS_CONFIG_PRESET: "bench",
    RUST_BACKTRACE: "1",
  };
  assert.deepEqual(childEnvironment((name) => ours[name]), {
    PATH: "/bin",
    HOME: "/home/gateway",
    NO_COLOR: "1",
    PROBE_RS_COLOR: "false",
    PROBE_RS_DISABLE_SETUP_HINTS: "1",
    RUST_LOG: "error",
  });
});

Deno.test("childEnvironment leaves RUST_LOG to the user", () => {
  const env = childEnvironment((name) =>
    name === "RUST_LOG" ? "debug" : undefined
  );
  assert.equal(env.RUST_LOG, "debug");
});

Deno.test("withoutOrphans leaves a command as it is where setpriv is missing", async () => {
  assert.deepEqual(await withoutOrphans(["/bin/echo", "a b"], "/nowhere"), [
    "/bin/echo",
    "a b",
  ]);
});
