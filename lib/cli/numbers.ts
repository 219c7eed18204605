/**
 * Numbers on the command line.
 *
 * @module
 */

import { InvalidArgumentError } from "@commander-js/extra-typings";

/** Takes whole numbers from `min` to `max`, both included, written in digits alone. */
export function wholeNumber(
  min: number,
  max: number,
): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(
        `It must be a whole number from ${min} to ${max}.`,
      );
    }
    return value;
  };
}
