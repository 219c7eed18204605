/**
 * What holds on the bench at a moment of a plan.
 *
 * @module
 */

import {
  type Conditions,
  conditionsAt,
  eventsOf,
  type EventWord,
} from "../../lib/simulator/probe_rs/scenario.ts";
import type { Plan } from "./plan.ts";

/** What holds of a board, by its place. */
export function conditionsOf(
  { scenario, boards }: Plan,
  board: number,
  atS: number,
): Conditions {
  return conditionsAt(eventsOf(scenario, boards[board]!.probe), atS);
}

/** Whether `wanted` held at any time from `fromS` to `toS`. */
export function heldBetween(
  plan: Plan,
  board: number,
  [fromS, toS]: readonly [number, number],
  wanted: (conditions: Conditions) => boolean,
): boolean {
  const { scenario, boards } = plan;
  const moments = eventsOf(scenario, boards[board]!.probe)
    .map(({ at_s }) => at_s)
    .filter((at_s) => at_s > fromS && at_s <= toS);
  return [fromS, ...moments].some((at_s) =>
    wanted(conditionsOf(plan, board, at_s))
  );
}

/** Whether one of `words` happened from `fromS` to `toS`. */
export function happened(
  { scenario, boards }: Plan,
  board: number,
  [fromS, toS]: readonly [number, number],
  words: readonly EventWord[],
): boolean {
  return eventsOf(scenario, boards[board]!.probe).some((one) =>
    one.at_s >= fromS && one.at_s <= toS && words.includes(one.do)
  );
}
