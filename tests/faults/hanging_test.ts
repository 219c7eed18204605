/** Servers that take the connection and do not answer as they should: each sink's own deadline ends it. */

import assert from "node:assert/strict";
import type { TcpProxy } from "../tcp_proxy.ts";
import {
  allArrived,
  makeWorld,
  NEEDED,
  type SinkName,
  SINKS,
} from "./world.ts";

interface Hanging {
  readonly begin: (proxy: TcpProxy) => void;
  /** The sinks that give up; a broker whose acknowledgements come, however slowly, is well. */
  readonly gaveUp: readonly SinkName[];
}

const SIGSTOPPED = "stands still (SIGSTOP)";
const HANGING: Record<string, Hanging> = {
  "takes the connection and never answers": {
    begin: (proxy) => {
      proxy.reset();
      proxy.hold();
    },
    gaveUp: SINKS,
  },
  "answers too late": {
    begin: (proxy) => proxy.delay(800, "toClient"),
    gaveUp: SINKS,
  },
  "swallows every answer": {
    begin: (proxy) => proxy.swallow("toClient"),
    gaveUp: SINKS,
  },
  "is half-open": { begin: (proxy) => proxy.swallow(), gaveUp: SINKS },
  "drips its answers": {
    begin: (proxy) => proxy.throttle(40, "toClient"),
    gaveUp: ["influxdb"],
  },
  "is reached in drips": {
    begin: (proxy) => proxy.throttle(40, "toServer"),
    gaveUp: SINKS,
  },
  [SIGSTOPPED]: { begin: () => {}, gaveUp: SINKS },
};

Deno.test({
  name:
    "A server that hangs is left after the sink's own deadline, and tried again",
  ...NEEDED,
  fn: async (t) => {
    for (const [how, { begin, gaveUp }] of Object.entries(HANGING)) {
      await t.step(`one that ${how}`, async () => {
        // Each in a world of its own: of a link that flaps the log says less.
        await using world = await makeWorld({ timeoutS: 0.5 });
        const { rig, proxies, broker, database } = world;
        const proxiesOf = (sinks: readonly SinkName[]) =>
          sinks.map((sink) => proxies[sink]);
        const signalAll = (signal: Deno.Signal) => {
          for (const { pid } of [broker, database]) Deno.kill(pid!, signal);
        };
        await rig.appendNumbered(10);
        await rig.delivered();
        const lines = rig.log.length;
        const taken = proxiesOf(gaveUp).map((proxy) => proxy.taken);
        try {
          for (const sink of SINKS) begin(proxies[sink]);
          if (how === SIGSTOPPED) signalAll("SIGSTOP");
          await rig.appendNumbered(200);
          await rig.until(
            () =>
              gaveUp.every((sink) =>
                rig.log.slice(lines).some((line) =>
                  line.startsWith(`${sink} warning: Cannot deliver`)
                )
              ),
            4_000,
          );
          await rig.until(() =>
            proxiesOf(gaveUp).every(({ taken: now }, i) => now > taken[i]!)
          );
          assert.ok(gaveUp.every((sink) => rig.standing(sink).waiting > 0));
        } finally {
          if (how === SIGSTOPPED) signalAll("SIGCONT");
          for (const sink of SINKS) await proxies[sink].mend();
        }
        await allArrived(world, 210);
      });
    }
  },
});

Deno.test({
  name: "A server that answers late, but within the deadline, is only slow",
  ...NEEDED,
  fn: async () => {
    await using world = await makeWorld({ timeoutS: 5 });
    const { rig, proxies } = world;
    for (const sink of SINKS) proxies[sink].delay(400, "toClient");
    await rig.appendNumbered(10);
    await allArrived(world, 10);
    assert.ok(!rig.log.some((line) => line.includes("warning")));
  },
});
