/**
 * Kills the gateway again and again, at any moment of its life, its start and its replay included.
 *
 * @module
 */

import { wait } from "../../lib/wait.ts";
import { Random } from "./random.ts";
import type { World } from "./world.ts";

/** Options for {@linkcode runKills}. */
export interface RunKillsOptions {
  readonly seed: number;
  readonly kills: number;
  /** Aborted to end early. */
  readonly signal: AbortSignal;
}

/** How long a session may live, in milliseconds: some do not even get to open the journal. */
const LIFE_MS = [100, 2500] as const;
const PER_S = 150;
/** How often it is killed while the board's program is being spawned, before that is tied to it. */
const SPAWN_EVERY = 3;
const DRAIN_MS = 60_000;
/** How often the board is silent when the gateway is killed. */
const SILENT_EVERY = 4;
/** The board looks for orders more often. */
const SILENT_MS = 200;

/** Comes back when the gateway has ended and everything should have arrived. */
export async function runKills(
  world: World,
  { seed, kills, signal }: RunKillsOptions,
): Promise<void> {
  const random = new Random(seed);
  await world.setRate(PER_S);
  for (let count = 1; count <= kills && !signal.aborted; count++) {
    const [shortest, longest] = LIFE_MS;
    const lifeMs = Math.round(shortest + random.next() * (longest - shortest));
    // A board that prints ends at its next line, guarded or not: only a silent one shows the guard.
    const silent = count % SILENT_EVERY === 0;
    if (count % SPAWN_EVERY === 0) {
      await world.setRate(0);
      world.gateway.start();
      await world.gateway.spawnsBoard(signal);
    } else {
      world.gateway.start();
      await wait(lifeMs, signal);
      if (silent) await world.setRate(0);
      if (silent) await wait(SILENT_MS, signal);
    }
    await world.gateway.kill();
    await world.setRate(PER_S);
    if (count % 10 === 0) world.say(`killed ${count} times`);
  }
  if (signal.aborted) return;
  world.gateway.start();
  await world.drain(DRAIN_MS);
  await world.stopGateway("SIGTERM");
}
