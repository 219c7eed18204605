/**
 * Numbered packets: each reading of each packet is another number, from which the packet's number can
 * be told again. So every value that arrives anywhere can be checked, also when it comes alone.
 *
 * @module
 */

/** How a reading at a path follows from the packet's number: (number + offset) / divisor. */
interface Numbering {
  readonly offset: number;
  readonly divisor: number;
}

/** All within what the catalogue holds for possible, up to {@linkcode MAX_PACKETS}. */
const NUMBERINGS: Readonly<Record<string, Numbering>> = {
  "n1.t": { offset: -300_000, divisor: 10_000 },
  "n1.h": { offset: 1, divisor: 10_000 },
  "n1.g": { offset: 100_000, divisor: 1 },
  "n2.t": { offset: -200_000, divisor: 10_000 },
  "n2.p": { offset: 3_500_000, divisor: 10_000 },
  "n2.h": { offset: 7, divisor: 10_000 },
  "sig.rssi": { offset: -1_600_000, divisor: 10_000 },
  "sig.snr": { offset: -3_100_000, divisor: 100_000 },
  "sts.rx": { offset: 1, divisor: 1 },
  "sts.err": { offset: 2_000_000, divisor: 1 },
};

/** Where the readings of a packet stand in the board's JSON. */
export const PATHS: readonly string[] = Object.keys(NUMBERINGS);

/** More packets than this have no plausible numbers. */
export const MAX_PACKETS = 900_000;

/** The reading at `path` of packet `index`. */
export function valueOf(path: string, index: number): number {
  const numbering = NUMBERINGS[path];
  if (numbering === undefined) throw new Error(`No such reading: "${path}"`);
  return (index + numbering.offset) / numbering.divisor;
}

/** The packet that `value` belongs to; undefined if it is no packet's. */
export function indexOf(path: string, value: number): number | undefined {
  const numbering = NUMBERINGS[path];
  if (numbering === undefined) return undefined;
  const index = Math.round(value * numbering.divisor) - numbering.offset;
  const known = index >= 0 && index < MAX_PACKETS;
  return known && valueOf(path, index) === value ? index : undefined;
}

/** Packet `index` as the firmware logs it, without a line end; `ts`: milliseconds since it booted. */
export function lineOf(index: number, ts: number): string {
  const packet: Record<string, unknown> = { ts: ts % 2 ** 32, id: "N2" };
  for (const path of PATHS) {
    const [node = "", key = ""] = path.split(".");
    const values = (packet[node] ??= {}) as Record<string, number>;
    values[key] = valueOf(path, index);
  }
  return `[INFO] JSON sent via VCP: ${
    JSON.stringify(packet)
  }\\n (app src/main.rs:573)`;
}
