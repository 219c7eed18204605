/**
 * Lending a board's probe to somebody else, and taking it back.
 *
 * @module
 */

import type { SourceState } from "../source/source.ts";

/** The longest time for which a probe is released: a day. */
export const MAX_RELEASE_MINUTES = 1440;

/** A board that this gateway runs, as far as commands have to do with it. */
export interface Board {
  readonly state: SourceState;
  /** Frees its probe for so long; comes back when it is free. */
  release(forMs: number): Promise<void>;
  /** Ends that; whether it was free. */
  take(): boolean;
}

/** What becomes of a probe. */
export interface ReleaseOrder {
  /** Not needed where there is one alone. */
  readonly board?: string | undefined;
  /** For so long from now on; 0: it is taken back. */
  readonly minutes: number;
}

/** What became of it. */
export interface Released {
  readonly board: string;
  /** It was released before. */
  readonly wasReleased: boolean;
}

const MINUTE_MS = 60_000;

/** Does what `order` says with one of `boards`. @throws {Error} if there is no such board */
export async function release(
  boards: Readonly<Record<string, Board>>,
  { board: wanted, minutes }: ReleaseOrder,
): Promise<Released> {
  const names = Object.keys(boards);
  const known = names.map((one) => one || "one without a name").join(", ");
  if (wanted === undefined && names.length > 1) {
    throw new Error(`"--board" must say which board: there are ${known}`);
  }
  const name = wanted ?? names[0] ?? "";
  const board = Object.hasOwn(boards, name) ? boards[name] : undefined;
  if (board === undefined) {
    throw new Error(
      `The running gateway has no board "${name}": it has ${known}`,
    );
  }
  const wasReleased = board.state.phase === "released";
  if (minutes === 0) board.take();
  else await board.release(minutes * MINUTE_MS);
  return { board: name, wasReleased };
}
