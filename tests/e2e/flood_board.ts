/**
 * A child that prints packets as fast as it can and measures how long a write takes at the most.
 *
 *     flood_board.ts PACKETS RESULT_FILE
 *
 * Only its first start prints: one that has ended is started again.
 *
 * @module
 */

/** What the child measured. */
export interface FloodResult {
  /** Milliseconds of the longest write. */
  readonly longestMs: number;
  /** Writes that took more than 20 ms. */
  readonly over20Ms: number;
  /** Seconds from the first to the last. */
  readonly seconds: number;
}

if (import.meta.main) {
  const [packets = "0", file = ""] = Deno.args;
  const encoder = new TextEncoder();
  const begin = performance.now();
  let [longestMs, over20Ms] = [0, 0];
  const isFirst = !(await Deno.stat(file).then(() => true, () => false));
  for (let i = 0; isFirst && i < Number(packets); i++) {
    // As long as a real line; one reading of it is known, so that the servers are done soon.
    const bytes = encoder.encode(
      `[INFO] JSON sent via VCP: {"ts":${i},"id":"N2","n1":{"t":${
        (i % 1000) / 20
      }},"x":"${"x".repeat(120)}"}\\n (app src/main.rs:573)\n`,
    );
    for (let at = 0; at < bytes.length;) {
      const before = performance.now();
      at += Deno.stdout.writeSync(bytes.subarray(at));
      const ms = performance.now() - before;
      longestMs = Math.max(longestMs, ms);
      if (ms > 20) over20Ms++;
    }
  }
  if (isFirst) {
    const seconds = (performance.now() - begin) / 1000;
    const result: FloodResult = { longestMs, over20Ms, seconds };
    await Deno.writeTextFile(`${file}.new`, JSON.stringify(result));
    await Deno.rename(`${file}.new`, file);
  }
  await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
}
