/**
 * Results for the tests of what is made of them.
 *
 * @module
 */

import type {
  MeasuredFigure,
  MeasuredPoint,
  MeasuredRatio,
  Run,
} from "./results.ts";

/** A run of three rounds. */
export const RUN: Run = {
  at: "2026-01-02T03:04:05.000Z",
  machine: {
    cpu: "A CPU",
    cores: 2,
    memoryGb: 8,
    system: "Linux 6.1.0",
    fileSystem: "ext4",
  },
  build: {
    form: "source",
    version: "iiot-gateway 0.1.0 (Deno 2.9.6, x86_64-unknown-linux-gnu)",
    commit: "0123456789",
  },
  before: null,
  size: "full",
  rounds: 3,
};

/** A figure with a value of each round. */
export function figure(
  side: string,
  name: string,
  values: readonly number[],
  unit = "",
): MeasuredFigure {
  return { side, name, unit, values };
}

/** A point that was measured. */
export function measuredPoint(
  name: string,
  figures: readonly MeasuredFigure[],
  ratios: readonly MeasuredRatio[] = [],
): MeasuredPoint {
  return {
    name,
    title: `Title of ${name}`,
    notes: [],
    run: RUN,
    figures,
    ratios,
  };
}
