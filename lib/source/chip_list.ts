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
const MOST_NEAR = 5;
/** Characters that are enough to know a chip by a part of its name. */
const LEAST_PART = 5;

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

/** The names that are most like `chip`, the nearest first; none where nothing is like it. */
export function nearestChips(
  chip: string,
  names: readonly string[],
): string[] {
  const wanted = plain(chip);
  if (wanted === "") return [];
  // More than that changed is another name.
  const furthest = Math.max(2, Math.floor(wanted.length / 3));
  const near = rank(names, (name) => howFar(wanted, name))
    .filter(({ far }) => far <= furthest);
  const [best] = near;
  if (best !== undefined) {
    return near.filter(({ far }) => far < best.far + 1)
      .slice(0, MOST_NEAR).map(({ name }) => name);
  }
  // Of a board's name, "Nucleo-F446RE", one word may be the chip's.
  const words = chip.split(/[^A-Za-z0-9]+/).map(plain)
    .filter(({ length }) => length >= LEAST_PART);
  return rank(
    names.filter((name) => words.some((word) => plain(name).includes(word))),
    (name) => name.length,
  ).slice(0, MOST_NEAR).map(({ name }) => name);
}

function rank(names: readonly string[], howFar: (name: string) => number) {
  return names.map((name) => ({ name, far: howFar(plain(name)) }))
    .sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1));
}

/**
 * How many characters differ, at the beginning first: what stands behind says only the package, and an
 * order number has more of it than the name.
 */
function howFar(wanted: string, name: string): number {
  const length = Math.min(wanted.length, name.length);
  const behind = Math.abs(wanted.length - name.length) / 10;
  const whole = apart(wanted, name);
  return length < LEAST_PART ? whole : Math.min(
    whole,
    apart(wanted.slice(0, length), name.slice(0, length)) + behind,
  );
}

/** Two characters in each other's place are one slip. */
function apart(one: string, other: string): number {
  const sorted = (text: string) => [...text].sort().join("");
  const far = distance(one, other);
  return far === 2 && sorted(one) === sorted(other) ? 1 : far;
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
