/**
 * `deno run -A tests/e2e/flood_bench.ts [--packets N] [--fsync MS] [--executable]`: how the gateway
 * bears a flood while both servers are down and the disk is slow. A million packets and 2 s unless
 * told otherwise.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { PROGRAMS } from "../cli/program.ts";
import { flood } from "./flood.ts";

const { values } = parseArgs({
  options: {
    packets: { type: "string", default: "1000000" },
    fsync: { type: "string", default: "2000" },
    executable: { type: "boolean", default: false },
  },
});
const form = values.executable ? "executable" : "source";
const program = PROGRAMS.find((one) => one.form === form);
if (program === undefined) {
  throw new Error("IIOT_GATEWAY_EXECUTABLE does not name the executable");
}
const { log, ...report } = await flood({
  program,
  packets: Number(values.packets),
  fsyncMs: Number(values.fsync),
});
// deno-lint-ignore no-console -- a bench is a command of its own
console.log(log, JSON.stringify(report, null, 2));
