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
  ["volt", "V"],
  ["millivolt", "mV"],
  ["ampere", "A"],
  ["milliampere", "mA"],
  ["watt", "W"],
  ["kilowatt_hour", "kWh"],
  ["hertz", "Hz"],
  ["lux", "lx"],
  ["pa", "Pa"],
  ["degree", "°"],
  ["fahrenheit", "°F"],
  ["kelvin", "K"],
  ["kilometre_per_hour", "km/h"],
  ["metre_per_second", "m/s"],
]);

/** `°C` for `celsius`; units that have no sign here as they are. */
export function unitSign(unit: string): string {
  return SIGNS.get(unit) ?? unit;
}
