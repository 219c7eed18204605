/**
 * How this user comes to open a device: by a udev rule, by a group, or by a new login.
 *
 * @module
 */

import type { Access, UsbProbe, User } from "./usb.ts";

/** What to do, and the lines that do it. */
export interface Advice {
  readonly hint: string;
  readonly fix: readonly string[];
}

/** The group that deploy/69-probe-rs.rules gives probes to. */
const GROUP = "plugdev";
const LOGIN = "log in again, or restart the service";

/** What lets `user` open the probe. */
export function adviseProbeAccess(
  { vendor, product, access }: UsbProbe,
  user: User,
): Advice {
  return adviseByGroup(access, user) ?? {
    hint:
      `paste these lines, plug the probe in again, and ${LOGIN}: the first is the rule for udev, which gives the probe to whoever sits here and to the group ${GROUP}`,
    fix: [
      `echo 'ATTRS{idVendor}=="${vendor}", ATTRS{idProduct}=="${product}", MODE="0660", GROUP="${GROUP}", TAG+="uaccess"' | sudo tee -a /etc/udev/rules.d/69-probe-rs.rules`,
      `sudo groupadd --force ${GROUP} && sudo usermod -aG ${GROUP} ${user.name}`,
      "sudo udevadm control --reload && sudo udevadm trigger",
    ],
  };
}

/** What lets `user` open the serial port or other device at `path`. */
export function adviseDeviceAccess(
  path: string,
  access: Access,
  user: User,
): Advice {
  return adviseByGroup(access, user) ?? {
    hint:
      `let this user open it; better by a udev rule, for this lasts until it is plugged out`,
    fix: [`sudo chmod a+rw ${path}`],
  };
}

/** Undefined where no group could help: the device is root's alone. */
function adviseByGroup(
  { group, groupMay }: Access,
  { name, groups, groupsByLogin }: User,
): Advice | undefined {
  if (!groupMay || group === "" || group === "root") return undefined;
  if (groups.includes(group)) return undefined;
  if (groupsByLogin.includes(group)) {
    return {
      hint:
        `${name} is in the group ${group} by now, and this login is older than that: ${LOGIN}`,
      fix: [],
    };
  }
  return {
    hint: `put this user into the group ${group} of the device, then ${LOGIN}`,
    fix: [`sudo usermod -aG ${group} ${name}`],
  };
}
