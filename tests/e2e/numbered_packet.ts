/**
 * The readings of a numbered packet: plausible, and different from packet to packet.
 *
 * @module
 */

/** The nine readings of packet `index`, by path. */
export function values(index: number) {
  return {
    "n1.t": (200 + index % 300) / 10,
    "n1.h": (index % 1000) / 10,
    "n1.g": 80_000 + index,
    "n2.t": (150 + index % 500) / 10,
    "n2.p": 900 + index / 10,
    "sig.rssi": -30 - index % 100,
    "sig.snr": index % 14,
    "sts.rx": index + 1,
    "sts.err": Math.floor(index / 7),
  };
}
