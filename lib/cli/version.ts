/**
 * `iiot-gateway version`: which program this is.
 *
 * @module
 */

import project from "../../deno.json" with { type: "json" };
import { print } from "./terminal/terminal.ts";

/** As `deno.json` has it: `0.1.0`. */
export const VERSION: string = project.version;

/** Prints the version, and on what it runs: the first two things that a report of a fault needs. */
export function version(): number {
  const { target } = Deno.build;
  print(`iiot-gateway ${VERSION} (Deno ${Deno.version.deno}, ${target})`);
  return 0;
}
