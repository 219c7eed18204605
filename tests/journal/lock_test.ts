import assert from "node:assert/strict";
import { lockFolder, lockOwner } from "../../lib/journal/lock.ts";
import { makeFolder } from "./world.ts";

const HOLDER = `
  import { lockFolder } from ${
  JSON.stringify(new URL("../../lib/journal/lock.ts", import.meta.url).href)
};
  await lockFolder(Deno.args[0]);
  console.log("locked");
  await new Promise(() => setInterval(() => {}, 1e6));
`;

Deno.test("A journal's folder is locked for one process, and free again after kill -9", async () => {
  await using folder = await makeFolder();
  assert.equal(await lockOwner(folder.path), null);
  const holder = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", HOLDER, folder.path],
    stdout: "piped",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read();
  assert.equal(await lockOwner(folder.path), holder.pid);
  await assert.rejects(
    lockFolder(folder.path),
    new RegExp(`in use by another gateway \\(process ${holder.pid}\\)`),
  );
  holder.kill("SIGKILL");
  await holder.status;
  await reader.cancel();
  {
    using _lock = await lockFolder(folder.path);
    assert.equal(await Deno.readTextFile(_lock.path), `${Deno.pid}\n`);
  }
  assert.equal(await lockOwner(folder.path), null);
});
