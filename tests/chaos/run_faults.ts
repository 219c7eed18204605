/**
 * Makes the faults of a plan, lets everything drain, and stops the gateway.
 *
 * @module
 */

import { wait } from "../../lib/wait.ts";
import type { Track } from "./faults.ts";
import { makePlan, type Step } from "./plan.ts";
import type { World } from "./world.ts";

/** Options for {@linkcode runFaults}. */
export interface RunFaultsOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Aborted to end early. */
  readonly signal: AbortSignal;
}

/** Shorter runs leave out what the gateway tries again only after a minute. */
const QUICK_BELOW_MS = 60_000;
/** Two slow retries, and the backlog. */
const DRAIN_MS = 240_000;

/** Runs a plan; comes back when the gateway has ended and everything should have arrived. */
export async function runFaults(
  world: World,
  { seed, durationMs, signal }: RunFaultsOptions,
): Promise<void> {
  const plan = makePlan({
    seed,
    durationMs,
    quick: durationMs < QUICK_BELOW_MS,
  });
  const over = AbortSignal.any([signal, AbortSignal.timeout(durationMs)]);
  await world.setUsualRate();
  world.gateway.start();
  await Promise.all(
    [...plan].map(([track, steps]) => runTrack(world, track, steps, over)),
  );
  if (signal.aborted) return;
  // Half of the seeds ask what a session that was there all the time makes of it, the others a new one.
  if (seed % 2 === 0) {
    world.say("Faults cease; the gateway is restarted");
    await world.stopGateway("SIGTERM");
  } else world.say("Faults cease");
  world.gateway.start();
  await world.drain(DRAIN_MS);
  await world.stopGateway("SIGTERM");
}

async function runTrack(
  world: World,
  track: Track,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<void> {
  if (track === "disk" && !world.disk.canFail) return;
  if (track === "clock" && !world.canSetClock) return;
  for (const { fault, pauseMs, ms, amount } of steps) {
    await wait(pauseMs, signal);
    if (signal.aborted) return;
    const much = fault.unit === undefined ? "" : ` ${amount} ${fault.unit}`;
    world.say(`${track.padEnd(8)} ${fault.name}${much}, ${ms} ms`);
    const run = () => fault.run(world, { ms, amount, signal });
    const needsGateway = track === "gateway" || fault.needsGateway;
    await (needsGateway ? world.inTurn(run) : run());
  }
}
