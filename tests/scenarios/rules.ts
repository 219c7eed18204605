/**
 * All that must be true of a run.
 *
 * @module
 */

import type { Evidence } from "./evidence.ts";
import { checkFlash } from "./flash_rule.ts";
import { checkLines } from "./lines_rule.ts";
import { checkOrphans } from "./orphans_rule.ts";
import { checkStates } from "./states_rule.ts";

/** What must not be so; empty when all is well. */
export function check(evidence: Evidence): string[] {
  return [
    ...evidence.faults,
    ...checkSessions(evidence),
    ...checkOrphans(evidence),
    ...checkLines(evidence),
    ...checkFlash(evidence),
    ...checkStates(evidence),
  ];
}

/** A gateway that is asked to end ends well. */
function checkSessions({ sessions }: Evidence): string[] {
  return sessions.flatMap(({ how, code, hasBegun }, i) =>
    how === "stopped" && code !== 0 && hasBegun
      ? [`Session ${i} of the gateway was asked to end, and ended with ${code}`]
      : []
  );
}
