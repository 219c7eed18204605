/**
 * The chips that probe-rs knows, and which of them somebody may have meant.
 *
 * What `probe-rs chip list` prints was read from the tags v0.24.0 to v0.32.0 of probe-rs/probe-rs: a
 * family's name, `    Variants:`, and the chips below it, a line each.
 *
 * @module
 */

import { distance } from "fastest-levenshtein";
import { ask, type AskOptions } from "./question.ts";

/** `        STM32F446RETx` */
const LINE = /^ {8}(\S+)$/;
/** So many are named of those that may be meant. */
const MOST_NEAR = 3;

/** Asks the probe-rs at the absolute path `program`; gives what it said where it does not tell. */
export async function listChips(
  program: string,
  options: AskOptions,
): Promise<string[] | string> {
  const { success, text, lines } = await ask(
    program,
    ["chip", "list"],
    options,
  );
  if (!success) return text;
  const chips = parseChipList(lines);
  return chips.length === 0 ? "no chip is in what it printed" : chips;
}

/** The chips in what `probe-rs chip list` prints, in its order; other lines are passed over. */
export function parseChipList(lines: readonly string[]): string[] {
  return [
    ...new Set(lines.flatMap((line) => LINE.exec(line)?.slice(1, 2) ?? [])),
  ];
}

/** The chip of `chips` that probe-rs takes `name` for: it does not mind capitals. */
export function findChip(
  name: string,
  chips: readonly string[],
): string | undefined {
  return chips.find((chip) => chip === name) ??
    chips.find((chip) => chip.toLowerCase() === name.toLowerCase());
}

/**
 * The chips nearest to `name`, the best first, at most three: first those that it is the beginning of, as
 * `nrf52840` is of `nRF52840_xxAA`, then by letters, as `STM32F446RET6`, which stands on the chip itself,
 * is near to `STM32F446RETx`.
 */
export function nearestChips(
  name: string,
  chips: readonly string[],
): string[] {
  const wanted = plain(name);
  if (wanted === "") return [];
  return chips
    .map((chip) => {
      const other = plain(chip);
      const goesOn = wanted.length > 2 &&
        (other.startsWith(wanted) || wanted.startsWith(other));
      return { chip, goesOn, far: distance(wanted, other) };
    })
    .filter(({ goesOn, far }) => goesOn || far <= wanted.length / 3)
    .sort((a, b) => Number(b.goesOn) - Number(a.goesOn) || a.far - b.far)
    .slice(0, MOST_NEAR)
    .map(({ chip }) => chip);
}

/** Whether somebody who types `typed` may mean `chip`: a part of its name, or all of it and what follows on the package. */
export function mayMean(typed: string, chip: string): boolean {
  const [wanted, name] = [plain(typed), plain(chip)];
  return name.includes(wanted) || wanted.startsWith(name);
}

/** Letters and digits alone: `ESP32-C3` is written `esp32c3`. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z\d]/g, "");
}
