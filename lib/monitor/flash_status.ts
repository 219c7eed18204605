/**
 * What is known of a board's flash, as `status` tells it.
 *
 * @module
 */

import { counted } from "../counted.ts";
import type { FlashReport } from "../source/flash_memory.ts";

/** What is known of a board's flash. */
export interface FlashStatus {
  /** SHA-256 of the firmware file that was programmed last; null: not known. */
  readonly firmware: string | null;
  /** How often it was written, at the most: probe-rs does not tell whether it wrote or found it equal. */
  readonly cycles_at_most: number;
  /** So many of them most likely wrote nothing: the firmware was there already, and probe-rs compared. */
  readonly of_these_likely_none: number;
}

/** What the gateway knows of a board's flash; null where it programs none. */
export function toFlashStatus(
  flash: FlashReport | undefined,
): FlashStatus | null {
  if (flash === undefined) return null;
  const { firmware, cyclesAtMost, likelyNone } = flash;
  return {
    firmware,
    cycles_at_most: cyclesAtMost,
    of_these_likely_none: likelyNone,
  };
}

/** `firmware 3fa8c1d2b0aa, at most 3 flash cycles, of which 1 most likely wrote nothing` */
export function formatFlash(
  { firmware, cycles_at_most, of_these_likely_none: none }: FlashStatus,
): string {
  const what = firmware === null
    ? "the firmware on it is not known"
    : `firmware ${firmware.slice(0, 12)}`;
  const cycles = `at most ${counted(cycles_at_most, "flash cycle")}`;
  return `${what}, ${cycles}` +
    (none === 0 ? "" : `, of which ${none} most likely wrote nothing`);
}
