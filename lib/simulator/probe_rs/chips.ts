/**
 * The chips that the stand-in knows: enough to be right or wrong about.
 *
 * @module
 */

import type { Scenario } from "./scenario.ts";

/** Any chip of a scenario is taken for one like it. */
const FIRST = "STM32F446RETx";

/** What `chip info` prints below the name, as 0.32.0 does. */
const CHIPS: Readonly<Record<string, string>> = {
  STM32F446RETx: `Cores (1):
    - main (Armv7em)
NVM: 0x08000000..0x08080000 (512.0 KiB)
NVM: 0x1fff7800..0x1fff7a10 (528 B)
RAM: 0x20000000..0x20020000 (128.0 KiB)
NVM: 0x1fffc000..0x1fffc004 (4 B)
`,
  nRF52840_xxAA: `Cores (1):
    - main (Armv7em)
NVM: 0x00000000..0x00100000 (1.0 MiB)
RAM: 0x00800000..0x00840000 (256.0 KiB)
NVM: 0x10001000..0x10002000 (4.0 KiB)
RAM: 0x20000000..0x20040000 (256.0 KiB)
`,
};

/** The names of all, those of the scenario's boards among them. */
export function chipNames({ probe }: Scenario): readonly string[] {
  return [
    ...new Set([...Object.keys(CHIPS), ...probe.map(({ chip }) => chip)]),
  ];
}

/** Cores and memory of the chip, whose name may stand in any case; undefined: it is not known. */
export function chipInfo(
  scenario: Scenario,
  name: string,
): string | undefined {
  const chip = chipNames(scenario).find((one) =>
    one.toLowerCase() === name.toLowerCase()
  );
  return chip === undefined ? undefined : CHIPS[chip] ?? CHIPS[FIRST];
}
