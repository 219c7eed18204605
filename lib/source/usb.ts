/**
 * What Linux knows of the devices that are plugged in, and whether this user may open them.
 *
 * It is asked by a shell script: the files below `/sys` are closed to a program that was given the
 * permission to read files, and `test -w` knows access lists, too, which is how udev lets in whoever sits
 * at the machine.
 *
 * @module
 */

import { ask, type AskOptions } from "./question.ts";

/** A debug probe on the USB. */
export interface UsbProbe {
  /** Four hex digits. */
  readonly vendor: string;
  readonly product: string;
  /** What it calls itself, or what it is known as. */
  readonly name: string;
  readonly access: Access;
}

/** Whether a device may be opened, and who may. */
export interface Access {
  readonly isOpen: boolean;
  /** The group of the device. */
  readonly group: string;
  /** Whether that group may read and write it. */
  readonly groupMay: boolean;
}

/** Who looks. */
export interface User {
  readonly name: string;
  /** Groups of this process. */
  readonly groups: readonly string[];
  /** Groups that it will have after the next login. */
  readonly groupsByLogin: readonly string[];
}

/** What is plugged in. */
export interface UsbLook {
  readonly user: User;
  readonly probes: readonly UsbProbe[];
}

/** Options for the questions to the system. */
export interface LookOptions extends AskOptions {
  /** Where `/sys` and `/dev` are. @default {""} */
  readonly root?: string;
  /** @default {"/bin/sh"} */
  readonly shell?: string;
}

/**
 * Debug probes by their VID and PID: those of the sources of probe-rs 0.32.0. What calls itself CMSIS-DAP
 * is one as well, whoever made it; FTDI's chips are in many things, so they are none by their numbers.
 */
export const KNOWN_PROBES: Readonly<
  Record<
    string,
    { readonly name: string; readonly products: readonly string[] }
  >
> = {
  "0483": {
    name: "ST-Link",
    products: [
      ...["3742", "3744", "3748", "374a", "374b", "374d", "374e", "374f"],
      ...["3752", "3753", "3754", "3757"],
    ],
  },
  // All that SEGGER makes.
  "1366": { name: "J-Link", products: [] },
  "303a": { name: "ESP USB JTAG", products: ["1001", "1002"] },
  "2e8a": { name: "Raspberry Pi Debug Probe", products: ["000c"] },
  "1a86": {
    name: "WCH-Link",
    products: ["8010", "8012", "55dd", "55de", "55e8"],
  },
  "1d50": { name: "Black Magic Probe", products: ["6018"] },
};
const CMSIS_DAP = /CMSIS.?DAP/i;

const WHO =
  'echo "U $(id -un)"; echo "G $(id -Gn)"; echo "L $(id -Gn "$(id -un)")"';
/** `A w 660 plugdev`: whether it may be written, mode and group. */
const ACCESS =
  'look() { w=-; [ -r "$1" ] && [ -w "$1" ] && w=w; echo "A $w $(stat -L -c "%a %G" "$1" 2>/dev/null)"; }';
const USB = `${WHO}
${ACCESS}
cd "$0/sys/bus/usb/devices" 2>/dev/null || exit 3
for d in *; do
  [ -r "$d/idVendor" ] || continue
  echo "D $(cat "$d/idVendor") $(cat "$d/idProduct")"
  echo "P $(cat "$d/product" 2>/dev/null)"
  look "$(printf "%s/dev/bus/usb/%03d/%03d" "$0" "$(cat "$d/busnum")" "$(cat "$d/devnum")")"
done`;
const DEVICE = `${WHO}
${ACCESS}
[ -e "$1" ] || exit 3
look "$1"`;

/** The debug probes that are plugged in; undefined where the system does not tell. */
export async function lookAtUsb(
  options: LookOptions,
): Promise<UsbLook | undefined> {
  const { root = "", shell = "/bin/sh" } = options;
  const { success, lines } = await ask(shell, ["-c", USB, root], options);
  if (!success) return undefined;
  const devices: { ids: string; name: string; access: string }[] = [];
  for (const line of lines) {
    const [kind, rest] = [line.slice(0, 2), line.slice(2).trim()];
    const last = devices.at(-1);
    if (kind === "D ") devices.push({ ids: rest, name: "", access: "" });
    else if (last !== undefined && kind === "P ") last.name = rest;
    else if (last !== undefined && kind === "A ") last.access = rest;
  }
  return {
    user: readUser(lines),
    probes: devices.flatMap(({ ids, name, access }) => {
      const [vendor = "", product = ""] = ids.split(" ");
      const known = KNOWN_PROBES[vendor];
      const isKnown = known !== undefined &&
        (known.products.length === 0 || known.products.includes(product));
      return isKnown || CMSIS_DAP.test(name)
        ? [{
          vendor,
          product,
          name: name || known?.name || "debug probe",
          access: readAccess(access),
        }]
        : [];
    }),
  };
}

/** Whether this user may read the device at `path`; undefined where it is not there, or nobody tells. */
export async function lookAtDevice(
  path: string,
  options: LookOptions,
): Promise<{ readonly user: User; readonly access: Access } | undefined> {
  const { shell = "/bin/sh" } = options;
  const args = ["-c", DEVICE, "", path];
  const { success, lines } = await ask(shell, args, options);
  const access = lines.find((line) => line.startsWith("A "));
  if (!success || access === undefined) return undefined;
  return { user: readUser(lines), access: readAccess(access.slice(2)) };
}

function readUser(lines: readonly string[]): User {
  const after = (mark: string) =>
    lines.find((line) => line.startsWith(mark))?.slice(mark.length) ?? "";
  return {
    name: after("U "),
    groups: after("G ").split(" "),
    groupsByLogin: after("L ").split(" "),
  };
}

function readAccess(text: string): Access {
  const [may, mode = "", group = ""] = text.split(" ");
  return {
    isOpen: may === "w",
    group,
    groupMay: (Number.parseInt(mode, 8) & 0o060) === 0o060,
  };
}
