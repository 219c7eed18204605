/**
 * Units as people write them.
 *
 * @module
 */

/** Signs for the catalogue's words. */
const SIGNS: ReadonlyMap<string, string> = new Map([
  ["celsius", "°C"],
  ["percent", "%"],
  ["ohms", "Ω"],
  ["hpa", "hPa"],
  ["dbm", "dBm"],
  ["db", "dB"],
]);

/** `°C` for `celsius`; units that have no sign here as they are. */
export function unitSign(unit: string): string {
  return SIGNS.get(unit) ?? unit;
}
