/**
 * A moment as a reading: what a board prints of it, and what a subscriber makes of that.
 *
 * The clock is the system's, the same for all processes, in microseconds. A packet holds it as the
 * counter `sts.err`, which has 32 bits: it begins anew every 71 minutes.
 *
 * @module
 */

/** The topic of the reading, below the prefix. It is the last of a packet's nine. */
export const STAMP_TOPIC = "stats/crc_errors";

const RANGE_US = 2 ** 32;

/** The time, in microseconds; 0 to 4,294,967,295. */
export function stampNow(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n) % RANGE_US;
}

/** How long ago a stamp was made, in milliseconds; less than 71 minutes. */
export function sinceStampMs(stamp: number): number {
  return (stampNow() - stamp + RANGE_US) % RANGE_US / 1000;
}

/** A line with a packet of nine readings, the stamp of now among them; `number` is the packet's own. */
export function stampedLine(number: number): string {
  const t = (20 + number % 100 / 10).toFixed(1);
  return `JSON sent via VCP: {"ts":${number},"id":"N2","n1":{"t":${t},"h":54.1,"g":84190},"n2":{"t":26.8,"p":1013.2},"sig":{"rssi":-39,"snr":9},"sts":{"rx":${number},"err":${stampNow()}}}\n`;
}
