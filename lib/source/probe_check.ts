/**
 * Whether the debug probe that is meant is there, and may be opened.
 *
 * @module
 */

import { counted } from "../counted.ts";
import type { Finding } from "../model.ts";
import { failedFinding } from "./failed_finding.ts";
import { recognizeFailure } from "./failure.ts";
import {
  type DebugProbe,
  freeProbes,
  listProbes,
  MAX_NAMED,
  selectProbes,
} from "./probe_list.ts";
import type { AskOptions } from "./question.ts";
import { lookAtUsb, type UsbLook, type UsbProbe } from "./usb.ts";
import { adviseProbeAccess } from "./usb_access.ts";

/** Options for {@linkcode checkProbe}. */
export interface ProbeCheckOptions extends AskOptions {
  readonly probe_id?: string | undefined;
  /** The probes of the other boards, by their `probe_id`. @default {none} */
  readonly otherProbes?: readonly string[] | undefined;
  /** What is plugged in; undefined where the system does not tell. @default {lookAtUsb} */
  look?(): Promise<UsbLook | undefined>;
}

const SUBJECT = "probe";
const PLUG_IN =
  "plug it in, by a cable that carries data and not only power, and not through a hub without a supply of its own";

/** Looks for the probe by the probe-rs at the absolute path `program`. */
export async function checkProbe(
  program: string,
  options: ProbeCheckOptions,
): Promise<Finding> {
  const { probe_id, otherProbes = [] } = options;
  const listed = await listProbes(program, options);
  if (typeof listed === "string") {
    return {
      level: "warning",
      subject: SUBJECT,
      detail: `"probe-rs list" does not tell which are connected: ${listed}`,
      hint: 'run "probe-rs list" yourself, and mend what it says',
    };
  }
  const look = options.look ?? (() => lookAtUsb(options));
  const free = freeProbes(listed, otherProbes);
  const meant = selectProbes(free, probe_id);
  const [probe] = meant;
  if (probe !== undefined && meant.length === 1) {
    const detail = `${probe.name} (${probe.id}) is connected`;
    return probe.inaccessible
      ? await mayNotOpen(probe, detail, look)
      : { level: "ok", subject: SUBJECT, detail };
  }
  if (free.length > 0) return isUnclear(free, meant, probe_id);
  if (listed.length > 0) {
    return failedFinding(
      SUBJECT,
      "only the probes of other boards are connected",
      probe_id === undefined ? PLUG_IN : `plug "${probe_id}" in`,
    );
  }
  return isNotListed(await look());
}

/** Several could be meant, or none is. */
function isUnclear(
  free: readonly DebugProbe[],
  meant: readonly DebugProbe[],
  probe_id: string | undefined,
): Finding {
  const named = meant.length === 0 ? free : meant;
  const hint =
    'put the line of the right one under [gateway] in config.toml, or under the [[board]] that it belongs to, in place of another "probe_id"';
  const fix = probeLines(named);
  if (probe_id === undefined) {
    return failedFinding(
      SUBJECT,
      `${free.length} probes are connected, and no "probe_id" says which one is this board's`,
      hint,
      fix,
    );
  }
  return meant.length === 0
    ? failedFinding(
      SUBJECT,
      `the probe "${probe_id}" is not connected, but ${
        counted(free.length, "other is", "others are")
      }`,
      `plug "${probe_id}" in, or ${hint}`,
      fix,
    )
    : failedFinding(
      SUBJECT,
      `"probe_id" must mean one probe: "${probe_id}" means ${meant.length} that are connected`,
      hint,
      fix,
    );
}

/** A line for config.toml of each. */
function probeLines(probes: readonly DebugProbe[]): string[] {
  const lines = probes.slice(0, MAX_NAMED).map(({ name, id, inaccessible }) =>
    `probe_id = ${JSON.stringify(id)}   # ${name}${
      inaccessible ? ", which this user may not open yet" : ""
    }`
  );
  const more = probes.length - lines.length;
  return more > 0 ? [...lines, `# and ${more} more: probe-rs list`] : lines;
}

/** probe-rs lists none at all. */
function isNotListed(look: UsbLook | undefined): Finding {
  if (look === undefined) {
    return failedFinding(
      SUBJECT,
      "no debug probe is connected",
      Deno.build.os === "linux"
        ? `${PLUG_IN}; if it is, let this user open it: the README has the rule for udev`
        : PLUG_IN,
    );
  }
  const closed = look.probes.find(({ access }) => !access.isOpen);
  if (closed !== undefined) {
    const { hint, fix } = adviseProbeAccess(closed, look.user);
    return failedFinding(
      SUBJECT,
      `${
        describe(closed)
      } is plugged in, but ${look.user.name} may not open it, so probe-rs does not see it`,
      hint,
      fix,
    );
  }
  const [probe] = look.probes;
  return probe === undefined
    ? failedFinding(
      SUBJECT,
      "no debug probe is connected: probe-rs lists none, and nothing on the USB is known as one",
      PLUG_IN,
    )
    : failedFinding(
      SUBJECT,
      `${
        describe(probe)
      } is plugged in and may be opened, but probe-rs does not list it`,
      "plug it out and in again; if that does not help, update its firmware with the tool of its maker, or probe-rs",
      ["probe-rs list"],
    );
}

async function mayNotOpen(
  { id }: DebugProbe,
  detail: string,
  look: () => Promise<UsbLook | undefined>,
): Promise<Finding> {
  const seen = await look();
  const [vendor, product] = id.toLowerCase().split(/[:-]/);
  const device = seen?.probes.find((one) =>
    one.vendor === vendor && one.product === product && !one.access.isOpen
  );
  if (seen === undefined || device === undefined) {
    const { todo } = recognizeFailure({ code: 1, error: "access denied" });
    return failedFinding(
      SUBJECT,
      `${detail}, and this user may not open it`,
      todo,
    );
  }
  const { hint, fix } = adviseProbeAccess(device, seen.user);
  return failedFinding(
    SUBJECT,
    `${detail}, but ${seen.user.name} may not open it`,
    hint,
    fix,
  );
}

function describe({ name, vendor, product }: UsbProbe): string {
  return `${name} (${vendor}:${product})`;
}
