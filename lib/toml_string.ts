/**
 * Texts as strings of config.toml.
 *
 * @module
 */

/** `text` so that the configuration's loader reads it as it is: to it one dollar begins a variable, two are one. */
export function doubleDollars(text: string): string {
  return text.replaceAll("$", "$$$$");
}

/** A TOML string as config.toml reads it: a dollar twice, and nothing in it that cannot be seen. */
export function toTomlString(text: string): string {
  const quoted = JSON.stringify(doubleDollars(text.toWellFormed()));
  return quoted.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (one) =>
      `\\U${one.codePointAt(0)!.toString(16).toUpperCase().padStart(8, "0")}`,
  );
}
