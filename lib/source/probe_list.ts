/**
 * The debug probes that are connected, and which of them `gateway.probe_id` means.
 *
 * What `probe-rs list` prints was read from the tags v0.24.0 to v0.32.0 of probe-rs/probe-rs: the
 * interface stands there from 0.31 on, `(inaccessible)` from 0.32 on.
 *
 * @module
 */

import { ask, type AskOptions } from "./question.ts";

/** A debug probe that is connected. */
export interface DebugProbe {
  /** What it calls itself: `STLink V2-1`. */
  readonly name: string;
  /** What selects it: `0483:374b:066DFF38`. */
  readonly id: string;
  /** This user may not open it. Versions before 0.32 do not tell. */
  readonly inaccessible: boolean;
}

/** A selector as probe-rs takes it; VID and PID in hex, the interface decimal and from 0.31 on. */
const SELECTOR =
  /^([0-9a-f]{1,4}):([0-9a-f]{1,4})(?:-(\d*))?(?::(\P{Cc}*))?$/iu;
/** `[0]: STLink V2-1 -- 0483:374b:066DFF38 (ST-LINK)` */
const LINE =
  /^\[\d+\]: (.*) -- ([0-9a-f]{4}:[0-9a-f]{4}(?:-\d+)?):(.*?) \([^()]*\)( \(inaccessible\))?$/i;
/** So many are named; more than these are on no gateway PC. */
export const MAX_NAMED = 10;

/** Asks the probe-rs at the absolute path `program`; gives what it said where it does not tell. */
export async function listProbes(
  program: string,
  options: AskOptions,
): Promise<DebugProbe[] | string> {
  const { success, text, lines } = await ask(program, ["list"], options);
  return success ? parseProbeList(lines) : text;
}

/** The probes in what `probe-rs list` prints; other lines are passed over. */
export function parseProbeList(lines: readonly string[]): DebugProbe[] {
  return lines.flatMap((line) => {
    const [whole, name = "", place = "", serial = "", inaccessible] =
      LINE.exec(line) ?? [];
    if (whole === undefined) return [];
    // "VID:PID:" would mean a probe without a serial number, but not before 0.27.
    const id = serial === "" ? place : `${place}:${serial}`;
    return [{ name, id, inaccessible: inaccessible !== undefined }];
  });
}

/** A selector as every other one that reads the same: probe-rs takes hex digits in either case. */
export function normalizeSelector(id: string): string {
  const [whole, vid = "", pid = "", place, serial] = SELECTOR.exec(id) ?? [];
  if (whole === undefined) return id;
  const hex = (digits: string) => digits.toLowerCase().padStart(4, "0");
  return `${hex(vid)}:${hex(pid)}` + (place ? `-${Number(place)}` : "") +
    (serial === undefined ? "" : `:${serial}`);
}

/** Whether the selector names a USB interface, which probe-rs takes from 0.31 on. */
export function namesInterface(id: string): boolean {
  return SELECTOR.exec(id)?.[3] !== undefined;
}

/** The probes that none of `others` means: the selectors of the other boards. */
export function freeProbes(
  probes: readonly DebugProbe[],
  others: readonly string[] = [],
): DebugProbe[] {
  return probes.filter(({ id }) => !others.some((other) => means(other, id)));
}

/** The probes that the selector `id` means; all of them where there is none. */
export function selectProbes(
  probes: readonly DebugProbe[],
  id: string | undefined,
): DebugProbe[] {
  return probes.filter((probe) => id === undefined || means(id, probe.id));
}

/**
 * What to do where not exactly one of `probes` is meant by `id`, with the line for config.toml of each;
 * undefined where one is, or where none is connected.
 */
export function adviseProbe(
  probes: readonly DebugProbe[],
  id: string | undefined,
): string | undefined {
  const meant = selectProbes(probes, id);
  if (probes.length === 0 || meant.length === 1) return undefined;
  const first = meant.length === 0 ? `plug the probe "${id}" in, or ` : "";
  return `${first}put the line of the right probe under its board in config.toml: ${
    nameLines(meant.length === 0 ? probes : meant)
  }`;
}

/** `probe_id = "0483:374b:066DFF38" (STLink V2-1)` of each. */
export function nameLines(probes: readonly DebugProbe[]): string {
  const named = probes.slice(0, MAX_NAMED).map(
    ({ name, id, inaccessible }) =>
      `probe_id = ${JSON.stringify(id)} (${name}${
        inaccessible ? ", which this user may not open" : ""
      })`,
  );
  const more = probes.length - named.length;
  return named.join(" or ") + (more > 0 ? ` or one of ${more} more` : "");
}

/** Whether the selector `id` means the probe whose own is `own`. */
function means(id: string, own: string): boolean {
  const [, vid, pid, place, serial] = SELECTOR.exec(normalizeSelector(id)) ??
    [];
  const [, ownVid, ownPid, ownPlace, ownSerial = ""] =
    SELECTOR.exec(normalizeSelector(own)) ?? [];
  return vid !== undefined && vid === ownVid && pid === ownPid &&
    // Probes with several channels are listed once, without one.
    (!place || ownPlace === undefined || place === ownPlace) &&
    (serial === undefined || serial === ownSerial);
}
