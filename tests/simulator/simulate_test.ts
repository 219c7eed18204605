import assert from "node:assert/strict";
import {
  simulate,
  type SimulateOptions,
} from "../../lib/simulator/simulate.ts";

/** Runs the simulator with a fake timer; gives what it wrote and how long it waited. */
async function run(options: Partial<SimulateOptions>) {
  const written: string[] = [];
  const waits: number[] = [];
  const decoder = new TextDecoder();
  const count = await simulate({
    intervalMs: 0,
    signal: new AbortController().signal,
    write: (bytes) => {
      written.push(decoder.decode(bytes));
      return Promise.resolve();
    },
    wait: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
    ...options,
  });
  const text = written.join("");
  return {
    count,
    written,
    waits,
    text,
    packets: text.match(/(?<=VCP: )\{.*\}(?=\\n)/g) ?? [],
  };
}

Deno.test("simulate writes as many packets as asked, whole lines, in large pieces", async () => {
  const { count, written, packets, text, waits } = await run({ count: 5000 });
  assert.equal(count, 5000);
  assert.equal(packets.length, 5000);
  assert.ok(written.length < 50);
  assert.ok(written.every((piece) => piece.endsWith("\n")));
  assert.doesNotMatch(text, /\n\n/);
  assert.deepEqual(waits, []);
});

Deno.test("simulate waits between packets, and not behind the last", async () => {
  const { written, waits } = await run({ count: 4, intervalMs: 250 });
  assert.deepEqual(waits, [250, 250, 250]);
  assert.equal(written.length, 4);
});

Deno.test("simulate repeats itself for a seed at any interval, but for the board's clock", async () => {
  const values = ({ packets }: { packets: string[] }) =>
    packets.map((packet) => ({ ...JSON.parse(packet), ts: 0 }));
  const fast = await run({ count: 700, seed: 42 });
  const slow = await run({ count: 700, seed: 42, intervalMs: 100 });
  assert.equal(fast.text, (await run({ count: 700, seed: 42 })).text);
  assert.deepEqual(values(fast), values(slow));
  assert.notDeepEqual(
    values(fast),
    values(await run({ count: 700, seed: 43 })),
  );
  assert.deepEqual(
    [fast, slow].map(({ packets }) => JSON.parse(packets.at(-1) ?? "").ts),
    [7_000_000, 70_000],
  );
});

Deno.test("simulate writes nothing for a count of 0", async () => {
  assert.deepEqual((await run({ count: 0 })).written, []);
});

Deno.test("simulate ends quietly when its reader is gone", async () => {
  let writes = 0;
  const { count } = await run({
    write: () =>
      ++writes < 3
        ? Promise.resolve()
        : Promise.reject(new Deno.errors.BrokenPipe()),
  });
  assert.ok(count > 0);
  assert.equal(writes, 3);
});

Deno.test("simulate passes on a write that failed for another reason", async () => {
  await assert.rejects(
    run({ write: () => Promise.reject(new Deno.errors.PermissionDenied()) }),
    Deno.errors.PermissionDenied,
  );
});

Deno.test("simulate ends when aborted, also while nobody reads", async () => {
  const stop = new AbortController();
  const never = new Promise<void>(() => {});
  const { count } = await run({
    signal: stop.signal,
    write: () => {
      queueMicrotask(() => stop.abort());
      return never;
    },
  });
  assert.equal(count, 0);
});

Deno.test("simulate ends when aborted while it waits", async () => {
  const stop = new AbortController();
  const { count } = await run({
    signal: stop.signal,
    intervalMs: 1000,
    wait: () => {
      stop.abort();
      return Promise.resolve();
    },
  });
  assert.equal(count, 1);
});
