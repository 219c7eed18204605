import assert from "node:assert/strict";
import { delivered } from "../../lib/journal/delivery.ts";
import type { SinkStanding } from "../../lib/journal/journal.ts";

/** Waits for a journal whose sinks have so many readings waiting, one look after the other. */
async function wait(
  looks: (number | number[])[],
  { stopAfter = Infinity } = {},
): Promise<{ isDone: boolean; ms: number }> {
  const stop = new AbortController();
  let [look, ms] = [0, 0];
  const isDone = await delivered({
    standings: () => {
      const waiting = looks[Math.min(look++, looks.length - 1)]!;
      return [waiting].flat().map((waiting) => ({ waiting } as SinkStanding));
    },
  }, {
    signal: stop.signal,
    now: () => ms,
    wait: (forMs) => {
      ms += forMs;
      if (look >= stopAfter) stop.abort();
      return Promise.resolve();
    },
  });
  return { isDone, ms };
}

Deno.test("delivered comes once nothing waits for any sink", async () => {
  assert.deepEqual(await wait([0]), { isDone: true, ms: 0 });
  assert.deepEqual(await wait([[2, 1], [0, 1], [0, 0]]), {
    isDone: true,
    ms: 100,
  });
});

Deno.test("delivered gives up when nothing has gone on for 30 s, and not as long as something does", async () => {
  const slow = Array.from({ length: 2000 }, (_, i) => 2000 - i);
  assert.equal((await wait([...slow, 0])).isDone, true);
  const { isDone, ms } = await wait([9, 5]);
  assert.equal(isDone, false);
  assert.ok(ms > 30_000 && ms < 31_000, String(ms));
});

Deno.test("delivered ends when it is told to stop", async () => {
  assert.deepEqual(await wait([5], { stopAfter: 3 }), {
    isDone: false,
    ms: 150,
  });
});
