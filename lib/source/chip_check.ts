/**
 * Whether probe-rs knows the chip, and which one was meant where it does not.
 *
 * @module
 */

import type { Finding } from "../model.ts";
import { listChips, nearestChips } from "./chip_list.ts";
import { ask, type AskOptions } from "./question.ts";

/** What was found of a chip. */
export interface ChipCheck {
  readonly finding: Finding;
  /** The kinds of its cores, as probe-rs calls them (`Armv7em`); none where it does not say. */
  readonly cores: readonly string[];
}

/** Asks the probe-rs at the absolute path `program` about `chip`. */
export async function checkChip(
  program: string,
  chip: string,
  options: AskOptions,
): Promise<ChipCheck> {
  const subject = "chip";
  const info = await ask(program, ["chip", "info", chip], options);
  if (info.success) {
    const cores = info.lines.flatMap((line) =>
      /^\s+- .* \(([A-Za-z0-9]+)\)$/.exec(line)?.[1] ?? []
    );
    const detail = `"${chip}" is known to probe-rs`;
    return { finding: { level: "ok", subject, detail }, cores };
  }
  const chips = await listChips(program, options);
  const near = typeof chips === "string" ? [] : nearestChips(chip, chips);
  return {
    finding: {
      level: "failed",
      subject,
      detail: `probe-rs knows no chip "${chip}" (${info.text})`,
      hint: near.length > 0
        ? 'write the right one of these into config.toml; "probe-rs chip list" has all names'
        : 'find its name with "probe-rs chip list": it is printed on the chip itself',
      ...(near.length > 0 &&
        { fix: near.map((name) => `chip = ${JSON.stringify(name)}`) }),
    },
    cores: [],
  };
}
