/**
 * Whether the operating system holds its clock for synchronised, and by whom.
 *
 * Nobody else's word is asked for: a program that is not installed, not running or not allowed is no
 * fault, the clock is then just not known by it.
 *
 * | asked | says yes by |
 * |---|---|
 * | systemd-timesyncd | touching `/run/systemd/timesync/synchronized` after each synchronization |
 * | chrony | `chronyc -c tracking`: a reference, leap status, time still to be slewed |
 * | any other daemon | `timedatectl`: the kernel's estimate of its error, which a step resets |
 *
 * @module
 */

import { outputOf } from "../program_output.ts";

/** What a look at the system needs; the defaults are the real ones. */
export interface SynchronizationOptions {
  /**
   * The wall clock was set at this time by itself, in milliseconds since 1970: what was said before
   * does not count.
   */
  readonly sinceMs?: number;
  /** Aborted when nobody wants to know any more. */
  readonly signal?: AbortSignal;
  /** Milliseconds since 1970. @default {Date.now} */
  wall?(): number;
  /** When a file was touched, in milliseconds since 1970; undefined where it is not there. */
  touched?(path: string): Promise<number | undefined>;
  /** What a program prints; undefined if it cannot be run, fails or takes too long. */
  output?(
    command: readonly string[],
    signal: AbortSignal,
  ): Promise<string | undefined>;
}

const TIMESYNCD_FILE = "/run/systemd/timesync/synchronized";
/** A daemon speaks of the moment just before the step that it made. */
const BEFORE_STEP_MS = 30_000;
/** File times and clocks are rounded; later than this is a time that has not been yet. */
const AHEAD_MS = 2_000;
/** What chrony may still have to slew, in seconds. */
const MOST_SLEW_S = 1;

/** Who says that the clock is synchronised (`timesyncd`, `chrony`, `timedatectl`); null if nobody. */
export async function askSystem(
  options: SynchronizationOptions = {},
): Promise<string | null> {
  const {
    sinceMs = -Infinity,
    wall = Date.now,
    touched = touchedAt,
    output = outputOf,
    signal = new AbortController().signal,
  } = options;
  const isFresh = (ms: number | undefined) =>
    ms !== undefined && ms <= wall() + AHEAD_MS &&
    ms >= sinceMs - BEFORE_STEP_MS;

  if (isFresh(await touched(TIMESYNCD_FILE))) return "timesyncd";
  const tracking = await output(["chronyc", "-n", "-c", "tracking"], signal);
  if (isFresh(chronyReferenceMs(tracking))) return "chrony";
  const property = await output(
    ["timedatectl", "show", "-p", TIMEDATE_KEY],
    signal,
  );
  return property?.trim() === `${TIMEDATE_KEY}=yes` ? "timedatectl" : null;
}

const TIMEDATE_KEY = "NTPSynchronized";

/**
 * When chrony last heard of its reference, in milliseconds; undefined while it follows none.
 *
 * The columns are those of "chronyc tracking", the name's address after the reference id: 0 id, 3 time
 * of the last measurement, 4 what the system's clock is off, 13 leap status. The id 7F7F0101 is its own
 * clock (`local`), which proves nothing.
 */
function chronyReferenceMs(tracking: string | undefined): number | undefined {
  const columns = tracking?.trim().split(",") ?? [];
  const [id = "", , , time = "", offset = ""] = columns;
  const leap = columns[13] ?? "";
  const follows = /^[0-9A-F]{8}$/.test(id) && id !== "00000000" &&
    id !== "7F7F0101" && /^(Normal|Insert second|Delete second)$/.test(leap);
  const isNear = Math.abs(Number(offset)) <= MOST_SLEW_S;
  return follows && isNear ? Number(time) * 1000 : undefined;
}

function touchedAt(path: string): Promise<number | undefined> {
  return Deno.stat(path).then(({ mtime }) => mtime?.getTime(), () => undefined);
}
