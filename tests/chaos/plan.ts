/**
 * Which fault is made when: all of it from the seed, before anything begins.
 *
 * @module
 */

import { type Fault, FAULTS, type Track } from "./faults.ts";
import { Random } from "./random.ts";

/** A fault at its time. */
export interface Step {
  readonly fault: Fault;
  /** From the end of the one before on this track, in milliseconds. */
  readonly pauseMs: number;
  readonly ms: number;
  readonly amount: number;
}

/** The steps of each track; the tracks run side by side. */
export type Plan = ReadonlyMap<Track, readonly Step[]>;

/** Options for {@linkcode makePlan}. */
export interface PlanOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Leave out what the gateway tries again only after a minute. */
  readonly quick: boolean;
}

/** The pauses between two faults of a track, in milliseconds. */
const PAUSES: Readonly<Record<Track, readonly [min: number, max: number]>> = {
  broker: [1000, 12_000],
  database: [500, 8000],
  gateway: [1000, 15_000],
  board: [300, 5000],
  disk: [8000, 60_000],
  clock: [10_000, 60_000],
};

/** The same for the same options. */
export function makePlan({ seed, durationMs, quick }: PlanOptions): Plan {
  const tracks = Object.keys(PAUSES) as Track[];
  return new Map(tracks.map((track, number) => {
    const random = new Random(seed * tracks.length + number);
    const faults = FAULTS.filter((fault) =>
      fault.track === track && !(quick && fault.blocks)
    );
    const steps: Step[] = [];
    for (let atMs = 0; atMs < durationMs;) {
      const pauseMs = random.spread(...PAUSES[track]);
      const fault = random.pick(faults);
      const ms = random.spread(...fault.ms);
      const amount = random.spread(...fault.amount ?? [1, 1]);
      steps.push({ fault, pauseMs, ms, amount });
      atMs += pauseMs + ms;
    }
    return [track, steps];
  }));
}
