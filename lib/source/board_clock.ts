/**
 * What a board's own clock, the `ts` of its packets, tells about when they happened.
 *
 * A packet happened when it was read, as a rule: the way from the board takes a moment. Where that
 * clock has kept pace with ours and a packet is far behind it, the packet was read late (this
 * process or the child stood still), and the board's clock tells by how much. A clock that does not
 * keep pace, or stood still itself, tells nothing.
 *
 * @module
 */

/** `ts` is a u32 in milliseconds: after so many it begins at 0 again. */
const WRAP_MS = 2 ** 32;
/** A packet so far behind the board's clock was read late. */
const LATE_US = 1_000_000;
/** A queue has been read when one comes no later than this; probe-rs polls every 100 ms. */
const PROMPT_US = 200_000;
/** So many packets in a row on time, and the clock is believed. */
const BELIEVED_AFTER = 3;
/** So much further than the time that has passed is a jump, or a wrap that is none. */
const JUMP_MS = 60_000;

/** Follows the clock of one board. */
export class BoardClock {
  /** What it did. */
  readonly counts = { reboots: 0, wraps: 0, repeats: 0, jumps: 0 };
  #last: { readonly ts: number; readonly nowUs: number } | undefined;
  /** Our time at the board's zero, as the last packet that was on time has it. */
  #zeroUs: number | undefined;
  /** Packets in a row that were on time. */
  #onTime = 0;
  /** The first of the packets that come late now: when it was read, and how late. */
  #late: { readonly nowUs: number; readonly lateUs: number } | undefined;

  /** When packets happened that were read together at `nowUs`; never later than that. */
  times(boardTs: readonly (number | null)[], nowUs: number): number[] {
    return boardTs.map((ts, index) => {
      if (ts === null) return nowUs;
      this.#take(ts, nowUs);
      this.#zeroUs ??= this.#firstZeroUs(boardTs, index, nowUs);
      return this.#time(ts, nowUs, this.#zeroUs);
    });
  }

  /** Counts what `ts` shows. */
  #take(ts: number, nowUs: number): void {
    const last = this.#last;
    this.#last = { ts, nowUs };
    if (last === undefined) return;
    const passedMs = (nowUs - last.nowUs) / 1000;
    const wrappedMs = ts + WRAP_MS - last.ts;
    if (ts === last.ts) {
      this.counts.repeats++;
    } else if (ts > last.ts) {
      if (ts - last.ts - passedMs > JUMP_MS) this.counts.jumps++;
    } else if (Math.abs(wrappedMs - passedMs) <= JUMP_MS + passedMs / 100) {
      this.counts.wraps++;
      if (this.#zeroUs !== undefined) this.#zeroUs += WRAP_MS * 1000;
    } else {
      this.counts.reboots++;
      this.#zeroUs = undefined;
    }
  }

  /**
   * The board's zero as the newest of the packets read with this one has it. Where those are further
   * apart than a moment they have queued, and the others are as much older.
   */
  #firstZeroUs(
    boardTs: readonly (number | null)[],
    index: number,
    nowUs: number,
  ): number {
    const first = boardTs[index]!;
    let newest = first;
    for (const ts of boardTs.slice(index + 1)) {
      if (ts === null) continue;
      if (ts < newest) break;
      newest = ts;
    }
    this.#onTime = (newest - first) * 1000 > LATE_US ? BELIEVED_AFTER : 0;
    this.#late = undefined;
    return nowUs - newest * 1000;
  }

  #time(ts: number, nowUs: number, zeroUs: number): number {
    const lateUs = nowUs - (zeroUs + ts * 1000);
    const isLate = lateUs > (this.#late === undefined ? LATE_US : PROMPT_US);
    if (isLate && this.#onTime >= BELIEVED_AFTER) {
      this.#late ??= { nowUs, lateUs };
      // A queue is soon read. What stays behind is the board's clock: it had stood still.
      const passedUs = nowUs - this.#late.nowUs;
      const isQueue = passedUs <= LATE_US ||
        lateUs < this.#late.lateUs - passedUs / 2;
      if (isQueue) return zeroUs + ts * 1000;
    }
    this.#late = undefined;
    this.#onTime = Math.abs(lateUs) <= LATE_US ? this.#onTime + 1 : 0;
    this.#zeroUs = nowUs - ts * 1000;
    return nowUs;
  }
}
