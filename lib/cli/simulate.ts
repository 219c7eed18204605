/**
 * `iiot-gateway simulate`: the simulated board on stdout, until its count, a signal or the reader's
 * end.
 *
 * @module
 */

import { simulate as simulateBoard } from "../simulator/simulate.ts";
import { wait } from "../wait.ts";
import { writeToStdout } from "./terminal/terminal.ts";

/** Options for {@linkcode simulate}. */
export interface SimulateCommandOptions {
  /** Milliseconds from one packet to the next. */
  readonly interval: number;
  /** Packets until it ends by itself. @default {Infinity} */
  readonly count?: number | undefined;
  /** @default {another one every time} */
  readonly seed?: number | undefined;
}

/** Runs the command; resolves to its exit code, 0, whichever way it ended. */
export async function simulate(
  options: SimulateCommandOptions,
): Promise<number> {
  const { interval, count = Infinity, seed = randomSeed() } = options;
  const stop = new AbortController();
  const abort = () => stop.abort();
  Deno.addSignalListener("SIGINT", abort);
  Deno.addSignalListener("SIGTERM", abort);
  try {
    await simulateBoard({
      intervalMs: interval,
      count,
      seed,
      write: writeToStdout,
      signal: stop.signal,
      wait,
    });
    return 0;
  } finally {
    Deno.removeSignalListener("SIGINT", abort);
    Deno.removeSignalListener("SIGTERM", abort);
  }
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
