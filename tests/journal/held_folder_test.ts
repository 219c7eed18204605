import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { HeldFolder } from "../../lib/journal/held_folder.ts";
import { lockFolder, lockOwner } from "../../lib/journal/lock.ts";
import { makeFolder } from "./world.ts";

const HOLDER = `
  import { HeldFolder } from ${
  JSON.stringify(
    new URL("../../lib/journal/held_folder.ts", import.meta.url).href,
  )
};
  const folder = new HeldFolder(Deno.args[0]);
  await folder.take().then(() => console.log("taken"), (error) => console.log(error.name));
  await new Promise(() => setInterval(() => {}, 1e6));
`;

/** Another process that takes `folder`, or tries to. */
async function holder(folder: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", HOLDER, folder],
    stdout: "piped",
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  return {
    pid: child.pid,
    said: new TextDecoder().decode(value).trim(),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}

Deno.test("A folder that cannot be made is held all the same, by whichever way it is named", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "file");
  await Deno.writeTextFile(file, "");
  const link = join(folder.path, "link");
  await Deno.symlink(folder.path, link);
  const missing = join(file, "journal");
  {
    await using first = await holder(missing);
    assert.equal(first.said, "Error");
    assert.equal(await lockOwner(missing), first.pid);
    using second = new HeldFolder(join(link, "file", "journal"));
    await assert.rejects(
      second.take(),
      new RegExp(`in use by another gateway \\(process ${first.pid}\\)`),
    );
    // Not even when the folder can be made now.
    await Deno.remove(file);
    await assert.rejects(second.take(), /in use by another gateway/);
  }
  using third = new HeldFolder(missing);
  await third.take();
  assert.equal(await lockOwner(missing), Deno.pid);
});

Deno.test("A folder that appears is locked, and what stood in for it is given back", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "file");
  await Deno.writeTextFile(file, "");
  const missing = join(file, "journal");
  {
    using held = new HeldFolder(missing);
    await assert.rejects(held.take(), /Cannot make/);
    await Deno.remove(file);
    await held.take();
    await held.take();
    await using second = await holder(missing);
    assert.equal(second.said, "FolderInUseError");
  }
  (await lockFolder(missing))[Symbol.dispose]();
  assert.equal(await lockOwner(missing), null);
});
