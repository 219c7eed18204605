/**
 * Texts as strings of config.toml.
 *
 * @module
 */

/** A TOML string as config.toml reads it: a dollar twice, and nothing in it that cannot be seen. */
export function toTomlString(text: string): string {
  const quoted = JSON.stringify(text.toWellFormed().replaceAll("$", "$$$$"));
  return quoted.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (one) =>
      `\\U${one.codePointAt(0)!.toString(16).toUpperCase().padStart(8, "0")}`,
  );
}
