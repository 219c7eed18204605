/**
 * What is plugged in, by a tree of files that looks as Linux shows it, for a user who is not root.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Finding } from "../../lib/model.ts";
import { checkCommand } from "../../lib/source/command_check.ts";
import { checkProbe } from "../../lib/source/probe_check.ts";
import { lookAtUsb } from "../../lib/source/usb.ts";
import { adviseProbeAccess } from "../../lib/source/usb_access.ts";
import { requiresRoot } from "../servers.ts";
import { installProbeRs } from "./fake_probe_rs.ts";

/** A device of the tree. */
interface Device {
  readonly vendor: string;
  readonly product: string;
  readonly name?: string;
  /** Of its file below `/dev`: mode, and group by its number. */
  readonly mode: number;
  readonly group: number;
}

const STLINK = { vendor: "0483", product: "374b", name: "STM32 STLink" };
const MOUSE = { vendor: "046d", product: "c077", name: "USB Optical Mouse" };
const HUB = { vendor: "1d6b", product: "0002" };
const ROOTS = { mode: 0o664, group: 0 };
const OPEN = { mode: 0o666, group: 0 };
/** Debian's plugdev and dialout. */
const PLUGDEV = 46;
const DIALOUT = 20;

/** A tree with these devices, and how a user without rights looks at it. */
async function makeTree(devices: readonly Device[]) {
  const root = await Deno.makeTempDir();
  await Deno.chmod(root, 0o755);
  for (const [index, device] of devices.entries()) {
    const folder = `${root}/sys/bus/usb/devices/1-${index + 1}`;
    await Deno.mkdir(folder, { recursive: true });
    const write = (name: string, text: string) =>
      Deno.writeTextFile(join(folder, name), `${text}\n`);
    await write("idVendor", device.vendor);
    await write("idProduct", device.product);
    await write("busnum", "1");
    await write("devnum", `${index + 1}`);
    if (device.name !== undefined) await write("product", device.name);
    await Deno.mkdir(`${root}/dev/bus/usb/001`, { recursive: true });
    const node = `${root}/dev/bus/usb/001/00${index + 1}`;
    await Deno.writeTextFile(node, "");
    await Deno.chown(node, 0, device.group);
    await Deno.chmod(node, device.mode);
  }
  await Deno.mkdir(`${root}/sys/bus/usb/devices/usb1`, { recursive: true });
  const shell = await nobodysShell(root);
  return {
    root,
    options: {
      root,
      shell,
      env: { PATH: "/usr/bin:/bin" },
      signal: new AbortController().signal,
    },
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

/** A shell of the user `nobody`, who is in these groups. */
async function nobodysShell(folder: string, groups = ""): Promise<string> {
  const shell = `${folder}/shell`;
  const which = groups === "" ? "--clear-groups" : `--groups ${groups}`;
  await Deno.writeTextFile(
    shell,
    `#!/bin/sh\nexec /usr/bin/setpriv --reuid 65534 --regid 65534 ${which} /bin/sh "$@"\n`,
    { mode: 0o755 },
  );
  return shell;
}

const TEST = requiresRoot("setpriv");

Deno.test({
  name: "lookAtUsb finds the debug probes among what is plugged in",
  ...TEST,
  async fn() {
    await using tree = await makeTree([
      { ...HUB, ...ROOTS },
      { ...MOUSE, ...OPEN },
      { ...STLINK, ...ROOTS },
      { vendor: "c251", product: "f001", name: "X CMSIS-DAP v2", ...OPEN },
      { vendor: "1366", product: "1015", mode: 0o660, group: PLUGDEV },
      { vendor: "0483", product: "5740", name: "Virtual COM Port", ...OPEN },
    ]);
    const look = await lookAtUsb(tree.options);
    assert.equal(look?.user.name, "nobody");
    assert.deepEqual(look?.probes, [
      {
        ...STLINK,
        access: { isOpen: false, group: "root", groupMay: true },
      },
      {
        vendor: "c251",
        product: "f001",
        name: "X CMSIS-DAP v2",
        access: { isOpen: true, group: "root", groupMay: true },
      },
      {
        vendor: "1366",
        product: "1015",
        name: "J-Link",
        access: { isOpen: false, group: "plugdev", groupMay: true },
      },
    ]);
  },
});

Deno.test("lookAtUsb says nothing where the system does not", async () => {
  const look = await lookAtUsb({
    root: "/nowhere",
    env: { PATH: "/usr/bin:/bin" },
    signal: new AbortController().signal,
  });
  assert.equal(look, undefined);
});

/** Checks the probe with a probe-rs that lists this. */
async function check(
  devices: readonly Device[],
  list: string,
  groups?: string,
): Promise<Finding> {
  await using tree = await makeTree(devices);
  if (groups !== undefined) await nobodysShell(tree.root, groups);
  await Deno.writeTextFile(join(tree.root, "list"), list);
  await installProbeRs(tree.root, 'cat "$(dirname "$0")/list"');
  return await checkProbe(join(tree.root, "probe-rs"), {
    ...tree.options,
    look: () => lookAtUsb(tree.options),
  });
}

const NONE = "No debug probes were found.\n";
const INACCESSIBLE =
  "[0]: STLink V2-1 -- 0483:374b:066D (ST-LINK) (inaccessible)\n";
const RULE = [
  `echo 'ATTRS{idVendor}=="0483", ATTRS{idProduct}=="374b", MODE="0660", GROUP="plugdev", TAG+="uaccess"' | sudo tee -a /etc/udev/rules.d/69-probe-rs.rules`,
  "sudo groupadd --force plugdev && sudo usermod -aG plugdev nobody",
  "sudo udevadm control --reload && sudo udevadm trigger",
];

for (
  const { name, devices, list, groups, detail, hint, fix } of [
    {
      name: "that is root's alone, by a rule to paste",
      devices: [{ ...MOUSE, ...OPEN }, { ...STLINK, ...ROOTS }],
      list: INACCESSIBLE,
      detail:
        "STLink V2-1 (0483:374b:066D) is connected, but nobody may not open it",
      hint: /^paste these lines, plug the probe in again, and log in again/,
      fix: RULE,
    },
    {
      name: "that probe-rs does not see for that",
      devices: [{ ...STLINK, ...ROOTS }],
      list: NONE,
      detail:
        "STM32 STLink (0483:374b) is plugged in, but nobody may not open it, so probe-rs does not see it",
      hint: /^paste these lines/,
      fix: RULE,
    },
    {
      name: "of a group that the user is not in",
      devices: [{ ...STLINK, mode: 0o660, group: PLUGDEV }],
      list: INACCESSIBLE,
      detail:
        "STLink V2-1 (0483:374b:066D) is connected, but nobody may not open it",
      hint: /^put this user into the group plugdev of the device, then log in/,
      fix: ["sudo usermod -aG plugdev nobody"],
    },
    {
      name: "that can be opened and is not listed",
      devices: [{ ...STLINK, mode: 0o660, group: PLUGDEV }],
      list: NONE,
      groups: `${PLUGDEV}`,
      detail:
        "STM32 STLink (0483:374b) is plugged in and may be opened, but probe-rs does not list it",
      hint: /^plug it out and in again; if that does not help, update/,
      fix: ["probe-rs list"],
    },
    {
      name: "that is not plugged in",
      devices: [{ ...MOUSE, ...OPEN }],
      list: NONE,
      detail:
        "no debug probe is connected: probe-rs lists none, and nothing on the USB is known as one",
      hint: /^plug it in, by a cable that carries data and not only power/,
      fix: undefined,
    },
  ]
) {
  Deno.test({
    name: `checkProbe helps to a probe ${name}`,
    ...TEST,
    async fn() {
      const finding = await check(devices, list, groups);
      assert.equal(finding.level, "failed");
      assert.equal(finding.detail, detail);
      assert.match(finding.hint ?? "", hint);
      assert.deepEqual(finding.fix, fix);
    },
  });
}

Deno.test("A user who was put into the group after the login is told to log in again", () => {
  const { hint, fix } = adviseProbeAccess({
    ...STLINK,
    access: { isOpen: false, group: "plugdev", groupMay: true },
  }, {
    name: "operator",
    groups: ["operator"],
    groupsByLogin: ["operator", "plugdev"],
  });
  assert.equal(
    hint,
    "operator is in the group plugdev by now, and this login is older than that: log in again, or restart the service",
  );
  assert.deepEqual(fix, []);
});

Deno.test({
  name: "checkCommand looks at the devices that a command names",
  ...TEST,
  async fn() {
    const check = (shell: string, path: string) =>
      Array.fromAsync(checkCommand({
        command: ["sh", "-c", `exec < ${path} && exec cat 2>/dev/null`],
        env: { PATH: "/usr/bin:/bin" },
        signal: new AbortController().signal,
        shell,
      }));
    await using tree = await makeTree([]);
    const { shell } = tree.options;
    // Where programs make files of their own, as in /dev/shm, none is missed before.
    assert.deepEqual(
      (await check(shell, "/dev/shm/x")).map(({ level }) => level),
      ["ok"],
    );
    const [, missing] = await check(shell, "/dev/ttyACM77");
    assert.equal(missing?.level, "failed");
    assert.equal(
      missing.detail,
      'the device /dev/ttyACM77, which "command" names, is not there',
    );
    assert.match(missing.hint ?? "", /^plug it in/);
  },
});

Deno.test({
  name: "checkCommand names the group of a serial port that may not be opened",
  ...TEST,
  async fn() {
    await using tree = await makeTree([]);
    const device = "/dev/iiot-test-tty";
    await Deno.writeTextFile(device, "");
    try {
      await Deno.chown(device, 0, DIALOUT);
      await Deno.chmod(device, 0o660);
      const check = (groups?: string) =>
        nobodysShell(tree.root, groups).then((shell) =>
          Array.fromAsync(checkCommand({
            command: ["cat", device],
            env: { PATH: "/usr/bin:/bin" },
            signal: new AbortController().signal,
            shell,
          }))
        );
      const [, closed] = await check();
      assert.deepEqual(closed, {
        level: "failed",
        subject: "command",
        detail: `nobody may not open ${device}, which "command" names`,
        hint:
          "put this user into the group dialout of the device, then log in again, or restart the service",
        fix: ["sudo usermod -aG dialout nobody"],
      });
      const [, open] = await check(`${DIALOUT}`);
      assert.equal(open?.detail, `${device} may be opened`);
    } finally {
      await Deno.remove(device);
    }
  },
});
