/**
 * What a check of the board's side found wrong.
 *
 * @module
 */

import type { Finding } from "../model.ts";

/**
 * A finding that something fails.
 *
 * @param fix lines that mend it: commands for a shell, or lines of config.toml
 */
export function failedFinding(
  subject: string,
  detail: string,
  hint: string,
  fix: readonly string[] = [],
): Finding {
  return {
    level: "failed",
    subject,
    detail,
    hint,
    ...(fix.length > 0 && { fix }),
  };
}
