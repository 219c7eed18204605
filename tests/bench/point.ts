/**
 * What a point of the bench is: something measured in rounds, against an anchor of the same round.
 *
 * A point lives in `points/NAME.ts`, exports one {@linkcode Point} and is named once in `points/index.ts`.
 * The runner (`bench.ts`) does the rest: rounds, order, the sides of another checkout, table, JSON, check.
 *
 *     export const START: Point = {
 *       name: "start",
 *       title: "From exec to the first line read",
 *       needs: ["mosquitto", "victoria-metrics"],
 *       async *round({ program, stack, say }) {
 *         const gateway = stack.use(await BenchGateway.create({ program, child: ["cat", "lines"] }));
 *         …
 *         yield { side: "gateway, empty journal", name: "first line", unit: "ms", value: 120 };
 *       },
 *       ratios: [{
 *         of: { side: "gateway, 10,000,000 rows", name: "first line" },
 *         to: { side: "gateway, empty journal", name: "first line" },
 *         atMost: 3,
 *       }],
 *     };
 *
 * @module
 */

import type { Program } from "../cli/program.ts";

/** What one number is of. */
export interface FigureName {
  /** Who or what was measured: `gateway`, `mosquitto_pub`, `1,000,000 rows`, `10 packets/s`. */
  readonly side: string;
  /** What of it: `messages/s`, `CPU per packet`, `median`, `p99`. */
  readonly name: string;
}

/** One number that was measured once. */
export interface Figure extends FigureName {
  /** `packets/s`, `ms`, `MB`, `bytes`, `%`; empty for a mere count. */
  readonly unit: string;
  /** Finite: a figure that could not be measured is an error, or is left out. */
  readonly value: number;
}

/** A figure. */
export function figure(
  side: string,
  name: string,
  unit: string,
  value: number,
): Figure {
  return { side, name, unit, value };
}

/**
 * Two figures of the same point that are compared: the median over the rounds of each round's ratio
 * `of / to`. Without `to` the figure itself is meant, which must not depend on the machine (a count, or
 * bytes per packet).
 */
export interface Ratio {
  readonly of: FigureName;
  readonly to?: FigureName;
  /** `--check` fails below. Wide: the half, or the double, of what is usual. */
  readonly atLeast?: number;
  /** `--check` fails above. */
  readonly atMost?: number;
}

/** What a point is given to measure one side once. */
export interface BenchContext {
  /** The gateway to measure; the other checkout's where `--against` names one. */
  readonly program: Program;
  /** `quick`: seconds, to see that it works and roughly how much; `full`: what is written down. */
  readonly size: "quick" | "full";
  /** Packets as `--packets` says; undefined: as many as the point finds right for the size. */
  readonly packets: number | undefined;
  /** From 1 to {@linkcode rounds}. */
  readonly round: number;
  readonly rounds: number;
  /** A folder of this call alone; removed afterwards. */
  readonly folder: string;
  /** A folder of the point over all rounds, for what is dear to make, such as a journal of many rows. */
  readonly shared: string;
  /** What was started; ended afterwards, in reverse order. */
  readonly stack: AsyncDisposableStack;
  /** Tells on stderr what is going on. */
  say(text: string): void;
}

/** Something that is measured. */
export interface Point {
  /** The word for `--points`. */
  readonly name: string;
  /** One line over the point's part of the table. */
  readonly title: string;
  /** What the figures were measured with and what they mean, where the names do not say it: some lines. */
  readonly notes?: readonly string[];
  /** Programs that must be installed, by the names of the programs: `mosquitto`, `strace`. */
  readonly needs: readonly string[];
  /**
   * Measures the gateway once; all its sides where it has several, such as 10 and 500 packets a second.
   * With `--against` it is called once for each checkout in every round.
   *
   * @throws {Error} if something is wrong, such as a ledger that does not balance: the bench then fails
   */
  round(context: BenchContext): AsyncIterable<Figure>;
  /** Measures once, in every round, what does not depend on the gateway and is compared with it. */
  anchors?(context: BenchContext): AsyncIterable<Figure>;
  /** It takes so long that it is measured only where `--points` names it. @default {false} */
  readonly onlyNamed?: true;
  /** Shown beside the figures, and looked at by `--check`. */
  readonly ratios: readonly Ratio[];
}
