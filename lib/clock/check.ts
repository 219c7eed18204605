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
/** This program was made later: a clock that shows less has lost its battery, or was never set. */
const MADE_MS = Date.UTC(2026, 0);
/** What sets it, once and from then on, where systemd does that. */
const SYNCHRONIZE = "sudo timedatectl set-ntp true";

/** Options for {@linkcode checkClock}. */
export interface CheckClockOptions {
  /** One that has heard of the servers what there is to hear. */
  readonly clock: Pick<Clock, "knownBy" | "differenceMs">;
  /** Asks the system who synchronises its clock. */
  ask(question: { readonly signal: AbortSignal }): Promise<string | null>;
  readonly signal: AbortSignal;
  /** Whether points go to a database, which wait for the clock. */
  readonly hasPoints: boolean;
  /** Milliseconds since 1970. @default {Date.now} */
  now?(): number;
}

/** Says whether the clock is known to be right, and by whom. */
export async function* checkClock(
  { hold_s }: ClockConfig,
  { clock, ask, signal, hasPoints, now = Date.now }: CheckClockOptions,
): AsyncIterable<Finding> {
  const shown = new Date(now());
  if (shown.getTime() < MADE_MS) {
    const text = shown.toISOString().slice(0, 16).replace("T", " ");
    yield {
      level: "failed",
      subject: SUBJECT,
      detail:
        `The clock of this PC is wrong: it shows ${text} UTC. Certificates seem not to be valid yet, and points are dated so`,
      hint:
        "set it; a PC without a battery for its clock loses it at each power cut, and needs a time server",
      fix: [SYNCHRONIZE, "timedatectl"],
    };
    return;
  }
  const by = clock.knownBy ?? await ask({ signal });
  yield by === null
    ? {
      level: "warning",
      subject: SUBJECT,
      detail: `Nobody says that the clock of this PC is right: ${
        hasPoints
          ? `points wait up to ${hold_s} s for it and are then tagged clock="estimated"`
          : "messages go without the time of their values"
      }`,
      hint:
        "let this PC ask a time server that it reaches, by the command or with chrony; or say in config.toml, under [clock], that something else keeps it right",
      fix: [SYNCHRONIZE, "trust = true"],
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
    hint: "look which one is wrong, and let that machine ask a time server",
    fix: ["date --utc", SYNCHRONIZE],
  };
}
