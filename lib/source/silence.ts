/**
 * A program that runs while its board says nothing.
 *
 * @module
 */

/** What can be told apart of a board's silence. */
export type SilenceKind =
  /** Not a line comes. */
  | "no output"
  /** Log lines come, and no telemetry. */
  | "no telemetry";

/** A board that was expected to send telemetry, and does not. */
export interface Silence {
  readonly kind: SilenceKind;
  /** Since its last telemetry, or since its program was started. */
  readonly forMs: number;
  /** How often its program was started anew for it. */
  readonly restarts: number;
  /** What the operator can do, one sentence. */
  readonly todo: string;
}

/** A node that has spoken before, and does not while others do: its radio, its battery. */
export interface SilentNode {
  /** As in the catalogue: `node1`. */
  readonly node: string;
  /** Since its last reading. */
  readonly forMs: number;
}
