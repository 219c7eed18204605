import assert from "node:assert/strict";
import { statfs } from "node:fs/promises";
import { checkJournal } from "../../lib/journal/folder.ts";
import type { Finding } from "../../lib/model.ts";
import { requiresRoot } from "../servers.ts";
import { join } from "node:path";
import { makeFolder, openJournal, Writer } from "./world.ts";

const OPTIONS = { maxBytes: 64e6, reserve: true };
const check = (folder: string, options = OPTIONS) =>
  Array.fromAsync(checkJournal(folder, options));

Deno.test("The check of a journal's folder says that it can be written and has room", async () => {
  await using folder = await makeFolder();
  const findings = await check(join(folder.path, "new"));
  assert.deepEqual(findings.map(({ level }) => level), ["ok", "ok"]);
  assert.match(findings[1]?.detail ?? "", /may take 64 MB more/);
});

Deno.test("The check counts what the journal has taken already", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    const packets = Array.from({ length: 20_000 }, () => ({ "n1.t": 27.6 }));
    await new Writer(journal).append(...packets);
  }
  const { size } = await Deno.stat(join(folder.path, "journal.db"));
  const findings = await check(folder.path, { ...OPTIONS, maxBytes: size });
  assert.match(findings[1]?.detail ?? "", /all the space it may use/);
});

Deno.test("The check warns of too little room for the journal, and says what to do", async () => {
  await using folder = await makeFolder();
  const [, disk] = await check(folder.path, { ...OPTIONS, maxBytes: 1e15 });
  assert.equal(disk?.level, "warning");
  assert.match(disk?.detail ?? "", /may take 1000000000 MB more: too little/);
  assert.match(disk?.hint ?? "", /max_megabytes/);
});

Deno.test("The check says that a folder is missing and cannot be made", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "file");
  await Deno.writeTextFile(file, "");
  const [finding] = await check(join(file, "journal"));
  assert.equal(finding?.level, "failed");
  assert.match(finding?.detail ?? "", /only kept in memory: Cannot make/);
  assert.match(finding?.hint ?? "", /journal\.folder/);
});

Deno.test("The check offers the size that fits where there is some room", async () => {
  await using folder = await makeFolder();
  const { bavail, bsize } = await statfs(folder.path);
  const freeMb = bavail * bsize / 1e6;
  const maxBytes = Math.ceil(freeMb * 2) * 1e6;
  const [, disk] = await check(folder.path, { ...OPTIONS, maxBytes });
  assert.equal(disk?.level, "warning");
  const offered = Number(
    /^max_megabytes = (\d+)$/.exec(disk?.fix?.at(-1) ?? "")?.[1],
  );
  assert.ok(Math.abs(offered / freeMb - 0.8) < 0.05, `${offered} of ${freeMb}`);
  assert.equal(disk?.fix?.[0], `df -h '${folder.path}'`);
});

/** Mounts a disk at `$0` that can be written no more. */
const DISKS = {
  "read-only": 'mount -t tmpfs none "$0" && mount -o remount,ro "$0"',
  full:
    'mount -t tmpfs -o size=64k none "$0" && { dd if=/dev/zero of="$0/other" bs=4k 2>/dev/null; true; }',
};

/** What the check says of a folder on a disk of its own. */
async function checkOn(disk: keyof typeof DISKS): Promise<Finding> {
  await using folder = await makeFolder();
  const program = `
    import { checkJournal } from ${
    JSON.stringify(
      new URL("../../lib/journal/folder.ts", import.meta.url).href,
    )
  };
    const options = ${JSON.stringify(OPTIONS)};
    console.log(JSON.stringify(await Array.fromAsync(checkJournal(Deno.args[0], options))));
  `;
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["-m", "sh", "-c", `${DISKS[disk]} && exec "$@"`, folder.path],
      ...[Deno.execPath(), "eval", "--ext=ts", program, folder.path],
    ],
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.ok(success, decode(stderr));
  const [finding] = JSON.parse(decode(stdout));
  assert.equal(finding.level, "failed");
  return finding;
}

Deno.test({
  name: "The check tells a read-only disk from a missing right",
  ...requiresRoot("unshare", "mount"),
  fn: async () => {
    const { hint } = await checkOn("read-only");
    assert.match(hint ?? "", /mounted read-only.*dmesg/);
  },
});

Deno.test({
  name: "The check says of a full disk how to see what is on it",
  ...requiresRoot("unshare", "mount"),
  fn: async () => {
    const { detail, hint, fix } = await checkOn("full");
    assert.match(detail, /cannot be written, so packets are only kept in mem/);
    assert.match(hint ?? "", /^the disk is full: make room on it/);
    assert.match(fix?.[0] ?? "", /^df -h '/);
    assert.equal(fix?.at(-1), "sudo journalctl --vacuum-size=100M");
  },
});
