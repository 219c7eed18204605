/**
 * What is known about the clock of this PC.
 *
 * @module
 */

import { formatDuration } from "../duration.ts";
import type { ClockConfig } from "../config/schema.ts";
import type { Finding } from "../model.ts";
import type { Clock } from "./clock.ts";

const SUBJECT = "Clock";

/** Options for {@linkcode checkClock}. */
export interface CheckClockOptions {
  /** One that has heard of the servers what there is to hear. */
  readonly clock: Pick<Clock, "knownBy" | "differenceMs">;
  /** Asks the system who synchronises its clock. */
  ask(question: { readonly signal: AbortSignal }): Promise<string | null>;
  readonly signal: AbortSignal;
}

/** Says whether the clock is known to be right, and by whom. */
export async function* checkClock(
  { hold_s }: ClockConfig,
  { clock, ask, signal }: CheckClockOptions,
): AsyncIterable<Finding> {
  const by = clock.knownBy ?? await ask({ signal });
  yield by === null
    ? {
      level: "warning",
      subject: SUBJECT,
      detail:
        `Nobody says that the clock of this PC is right: points wait up to ${hold_s} s for it and are then tagged clock="estimated"`,
      hint:
        "run systemd-timesyncd or chrony with a time server that this PC reaches, or set clock.trust = true",
    }
    : {
      level: "ok",
      subject: SUBJECT,
      detail: `The clock of this PC is known to be right: ${by}`,
    };
  if (clock.differenceMs === undefined) return;
  yield {
    level: "warning",
    subject: SUBJECT,
    detail: `The clocks of this PC and of InfluxDB differ by ${
      formatDuration(clock.differenceMs)
    }`,
    hint: "set the one that is wrong",
  };
}
