/**
 * Kinds of values that keys of config.toml have.
 *
 * The schema is made of `zod/mini`: a start makes all of it and uses it once. With `zod`, whose types have
 * a method for everything, that took nearly twice the time, and the whole start a tenth more.
 *
 * @module
 */

import * as z from "zod/mini";

/** A whole number from `min` to `max`, both included. */
export function whole(min: number, max: number) {
  return z.int().check(z.gte(min), z.lte(max));
}

/** A string that fits `pattern`, or `message` says what is wanted. */
export function matching(pattern: RegExp, message: string) {
  return z.string().check(z.regex(pattern, message));
}

/** A string without control characters. */
export const controlFree = matching(
  /^\P{Cc}*$/u,
  "must not contain control characters",
);

/** A string with something in it, and no control characters. */
export const plainText = controlFree.check(z.minLength(1));

/** No backslash at the end: line protocol has no way to escape one there. */
export const noBackslash = z.regex(
  /(?<!\\)$/,
  "must not end in a backslash",
);

/** What line protocol can carry as measurement, tag key or tag value, once escaped. */
export const lineText = plainText.check(noBackslash);

/** What `parse` makes of a string; an error that it throws is the fault. */
export function parsed<T>(parse: (text: string) => T) {
  return z.transform((text: string, { issues }): T => {
    try {
      return parse(text);
    } catch (error) {
      const { message } = error as Error;
      issues.push({ code: "custom", input: text, message });
      return z.NEVER;
    }
  });
}
