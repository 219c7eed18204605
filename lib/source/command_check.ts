/**
 * Whether a program of the operator's own can run, and may read the devices that it is told.
 *
 * @module
 */

import type { Finding } from "../model.ts";
import { type CommandOptions, findCommand } from "./command_launcher.ts";
import type { AskOptions } from "./question.ts";
import { lookAtDevice, type LookOptions } from "./usb.ts";
import { adviseDeviceAccess } from "./usb_access.ts";

/** Options for {@linkcode checkCommand}. */
export interface CommandCheckOptions
  extends Pick<CommandOptions, "cwd">, AskOptions {
  readonly command: readonly string[];
  /** Asks the system otherwise. @default {as it is} */
  readonly shell?: LookOptions["shell"] | undefined;
  /** What the command's own environment has. @default {nothing} */
  readonly own?: CommandOptions["env"];
}

const SUBJECT = "command";
/** Where serial ports have names that stay. */
const BY_ID = "/dev/serial/by-id";
/** Devices that are always there, or that a program makes. */
const NOT_PLUGGED = /^\/dev\/(?:null|zero|random|urandom|std|fd|tty$|shm\/)/;
const MAX_NAMED = 5;

/** Looks for the program, its folder, and each device that an argument names. */
export async function* checkCommand(
  { command, cwd, own, shell, ...asked }: CommandCheckOptions,
): AsyncIterable<Finding> {
  const [name = "", ...args] = command;
  const path = asked.env.PATH ?? "";
  const found = await findCommand(name, path, { cwd, env: own });
  if (typeof found !== "string") {
    const { error = "", todo: hint } = found;
    yield { level: "failed", subject: SUBJECT, detail: error, hint };
    return;
  }
  yield { level: "ok", subject: SUBJECT, detail: found };
  for (const device of devicesIn(args)) {
    yield await checkDevice(device, {
      ...asked,
      ...(shell === undefined ? {} : { shell }),
    });
  }
}

/** `/dev/ttyACM0` in `stty -F /dev/ttyACM0 && cat /dev/ttyACM0`, once. */
function devicesIn(args: readonly string[]): string[] {
  const found = args.flatMap((arg) =>
    [...arg.matchAll(/(?<![\w/.])\/dev\/[\w./:-]*\w/g)].map(([path]) => path)
  );
  return [...new Set(found)].filter((path) => !NOT_PLUGGED.test(path));
}

async function checkDevice(
  path: string,
  options: LookOptions,
): Promise<Finding> {
  const look = await lookAtDevice(path, options);
  if (look === undefined) {
    const ports = await portsNow();
    return {
      level: "failed",
      subject: SUBJECT,
      detail: `the device ${path}, which "command" names, is not there`,
      hint: ports.length > 0
        ? `plug it in, or write one of the serial ports that are there into "command" in its place`
        : "plug it in: no serial port by USB is there now",
      ...(ports.length > 0 && { fix: ports }),
    };
  }
  const { access, user } = look;
  if (access.isOpen) {
    return { level: "ok", subject: SUBJECT, detail: `${path} may be opened` };
  }
  const { hint, fix } = adviseDeviceAccess(path, access, user);
  return {
    level: "failed",
    subject: SUBJECT,
    detail: `${user.name} may not open ${path}, which "command" names`,
    hint,
    ...(fix.length > 0 && { fix }),
  };
}

async function portsNow(): Promise<string[]> {
  try {
    const ports: string[] = [];
    for await (const { name } of Deno.readDir(BY_ID)) {
      ports.push(`${BY_ID}/${name}`);
    }
    return ports.sort().slice(0, MAX_NAMED);
  } catch {
    // Nothing is plugged in, or this program may not look.
    return [];
  }
}
