/**
 * What the firmware of a board logs, and when, from one boot on.
 *
 * @module
 */

import { BOOT, type LogLine, SimulatedBoard } from "../board.ts";
import type { Conditions, Scenario } from "./scenario.ts";

/** A boot of a board. */
export interface Boot {
  readonly at_s: number;
  /** How many there were before. */
  readonly count: number;
  /** The probe's place among those of the scenario. */
  readonly board: number;
}

/** What is logged at one moment. */
export interface Moment {
  readonly at_s: number;
  readonly lines: readonly LogLine[];
}

/** Panics as panic-probe logs them. */
export const PANIC: readonly LogLine[] = [{
  level: "ERROR",
  text:
    "panicked at wk5-gateway-firmware/src/radio.rs:138:50:\ncalled `Result::unwrap()` on an `Err` value: Timeout",
  line: 104,
  crate: "panic_probe",
  file: "panic-probe-1.0.0/src/lib.rs",
}];

/** Boards of a bench have seeds of their own, and each boot of a board has. */
const SEEDS_PER_BOARD = 1_000_003;

/** A firmware since one boot: its boot line, then a packet every interval. */
export class Firmware {
  readonly #board: SimulatedBoard;
  readonly #bootedAtS: number;
  readonly #intervalS: number;
  /** How many moments were taken. */
  #taken = 0;

  constructor({ seed, interval_s }: Scenario, { at_s, count, board }: Boot) {
    this.#board = new SimulatedBoard({
      seed: seed + board * SEEDS_PER_BOARD + count,
      stepMs: Math.max(1, Math.round(interval_s * 1000)),
    });
    this.#bootedAtS = at_s;
    this.#intervalS = interval_s;
  }

  /** When it logs next. */
  get nextAtS(): number {
    return this.#bootedAtS + this.#taken * this.#intervalS;
  }

  /** Seconds since the boot, which defmt may print before each line. */
  uptimeS(atS: number): number {
    return atS - this.#bootedAtS;
  }

  /** What it logs next, under `conditions`; nothing is logged a second time. */
  take({ speaking, telemetry, radio, rtt, powered }: Conditions): Moment {
    const at_s = this.nextAtS;
    const all = this.#taken++ === 0 ? [BOOT] : this.#board.log({ radio });
    const lines = telemetry || this.#taken === 1 ? all : all.slice(0, -1);
    return { at_s, lines: speaking && rtt && powered ? lines : [] };
  }
}
