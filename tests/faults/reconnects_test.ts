import assert from "node:assert/strict";
import { leakOf, reconnect, STAGES } from "./reconnects.ts";

for (const stage of STAGES) {
  Deno.test({
    name:
      `Sessions with ${stage.sink} that fail again and again leave nothing behind: ${stage.name}`,
    // The files of a process are counted where Linux lists them.
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      assert.equal(leakOf(await reconnect(stage, 30)), undefined);
    },
  });
}
