import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

Deno.test({
  name:
    "Sessions that fail again and again leave no file, listener or memory behind",
  // The files of a process are counted where Linux lists them.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    // A process of its own: other tests of this one open files meanwhile.
    const program = fileURLToPath(new URL("reconnects.ts", import.meta.url));
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      { args: ["run", "-A", "-q", program, "450"], env: { NO_COLOR: "1" } },
    ).output();
    const text = [stdout, stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    )
      .join("");
    assert.ok(success, text);
    assert.match(text, /mqtt .* sessions in /);
    assert.match(text, /influxdb .* sessions in /);
  },
});
